"""Goes through the schedules of a world, each once up to steps that may change places.

This is stateless search with sleep sets (Godefroid, 1996). A run plays a schedule from the beginning. Where several
sessions could go on, the others are tried in later runs. A session that was tried from a place *sleeps* on the other
ways from there, as long as only steps follow that do not meet its own: to wake it then would repeat a schedule in
another order. It wakes with the first step that does meet its own. A run in which everybody who could go on sleeps
repeats an earlier one and is given up. Sleep sets leave out no end that any schedule could come to. They rest on
`footprints` alone.

A step that waits for a lock has begun, and its session cannot go on: it does with the step that releases the lock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import factorial, prod

from tests.exactness.schedules.sessions import Mode
from tests.exactness.schedules.stage import NAMES, BrokenError, Stage, Transition

ORDER = "WAB"
"""Who is tried first. With the writer first, fewer runs repeat an earlier one."""


@dataclass(slots=True)
class _Place:
    """A place on the way of the present run: who could go on, who sleeps, who was tried, and who goes on now."""

    enabled: str
    asleep: dict[str, Transition]
    chosen: str
    tried: dict[str, Transition] = field(default_factory=dict)
    transition: Transition | None = None

    def choose_next(self) -> bool:
        """Choose the next one who was not tried; whether there is one."""
        if self.transition is not None:
            self.tried[self.chosen] = self.transition
        later = ORDER[ORDER.index(self.chosen) + 1 :]
        choices = [name for name in later if name in self.enabled and name not in self.asleep]
        if choices:
            self.chosen, self.transition = choices[0], None
        return bool(choices)


@dataclass(slots=True)
class Exploration:
    """The schedules of a stage. `runs` counts the schedules, `repeated` the runs that were given up."""

    stage: Stage
    mode: Mode
    cast: str = NAMES
    runs: int = 0
    repeated: int = 0

    def schedules(self, first: str = "") -> Iterator[str]:
        """Play each schedule, and yield it before the next one; `first` is where to begin.

        Raises BrokenError, with the schedule, where it makes something that must not be.
        """
        path: list[_Place] = []
        while True:
            word = self._run(path, first)
            first = ""
            if word is not None:
                self.runs += 1
                yield word
            else:
                self.repeated += 1
            while path and not path[-1].choose_next():
                path.pop()
            if not path:
                return

    def _run(self, path: list[_Place], first: str) -> str | None:
        """Play along the path and on to the end; None if the run repeats an earlier one."""
        stage = self.stage
        stage.reset(self.mode, self.cast)
        try:
            for place in path:
                assert stage.enabled() == place.enabled, f"another way than before: {stage.story()}"
                place.transition = stage.step(place.chosen)
            while not stage.is_over():
                enabled = stage.enabled()
                asleep = _asleep(path[-1]) if path else {}
                choices = [name for name in ORDER if name in enabled and name not in asleep]
                if not choices:
                    assert enabled, f"nobody can go on: {stage.story()}"
                    return None
                wanted = first[len(path) : len(path) + 1]
                path.append(_Place(enabled, asleep, wanted if wanted in choices and wanted else choices[0]))
                path[-1].transition = stage.step(path[-1].chosen)
            stage.check_end()
        except BrokenError as error:
            raise BrokenError(f"{error}\n{stage.story()}\nschedule {word_of(stage)}") from error
        return word_of(stage)


def word_of(stage: Stage) -> str:
    """The schedule that was played, a letter for each step."""
    return "".join(one.session for one in stage.played)


def orders(steps: dict[str, int]) -> int:
    """In how many orders sessions with so many steps could take them, if nothing commuted and nothing waited."""
    return factorial(sum(steps.values())) // prod(map(factorial, steps.values()))


def _asleep(place: _Place) -> dict[str, Transition]:
    """Who sleeps after the step from a place: who slept or was tried there, unless the step meets theirs."""
    step = place.transition
    assert step is not None
    return {
        name: one
        for name, one in {**place.asleep, **place.tried}.items()
        if name != place.chosen and not one.footprint.meets(step.footprint)
    }
