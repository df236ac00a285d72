"""Looks for the shortest schedule that breaks a projector: the one with the fewest changes from session to session.

Nothing is pruned here, since steps that commute in the real projector need not commute without one of its rules. So the
writer's transaction goes statement by statement, and sessions that are not needed are left out. What a schedule leaves
out, the last refresh brings in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.exactness.schedules.sessions import REFRESH_STEPS, Mode
from tests.exactness.schedules.stage import NAMES, BrokenError, Stage
from tests.exactness.schedules.worlds import WORLDS, World

_WRITER_STEPS = {Mode.STATEMENTS: 3, Mode.TRANSACTION_BY_STATEMENTS: 4}
_CASTS = ("W", "A", "B", "AW", "BW", "AB", "ABW")

MODES = tuple(_WRITER_STEPS)
"""How the writer goes on in these schedules."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A schedule that breaks something, as it was played, and what it breaks."""

    world: str
    mode: Mode
    story: str
    what: str

    @property
    def switches(self) -> int:
        """How often the schedule changes from one session to another."""
        return self.story.count(" · ")


def words(steps: dict[str, int], switches: int) -> Iterator[str]:
    """The schedules of sessions with so many steps that change so often from one session to another."""
    if switches == 0:
        left = {name: number for name, number in steps.items() if number}
        if len(left) == 1:
            [(name, number)] = left.items()
            yield name * number
        return
    for name, number in steps.items():
        for taken in range(1, number + 1):
            left = {**steps, name: number - taken}
            if sum(left.values()):
                yield from (name * taken + word for word in words(left, switches - 1) if word[0] != name)


def cast_steps(cast: str, mode: Mode) -> dict[str, int]:
    """How many steps each session of a schedule has."""
    return {name: _WRITER_STEPS[mode] if name == "W" else len(REFRESH_STEPS) for name in cast}


def search(
    stage_of: Callable[[World], Stage], most_switches: int, count: Callable[[], None]
) -> Broken | None:
    """The shortest schedule of all worlds that breaks something; None if none does with so many changes of session.

    Of those with as many changes it is the first that is found. Where a session waits, others go on, so that a schedule
    may change more often than was wanted: then a shorter one is still looked for. `count` is called for each schedule.
    """
    best: Broken | None = None
    for switches in range(most_switches + 1):
        for world in WORLDS:
            for cast, mode in _casts():
                for word in words(cast_steps(cast, mode), switches):
                    count()
                    found = play(stage_of(world), mode, cast, word)
                    if found is not None and (best is None or found.switches < best.switches):
                        best = found
                    if best is not None and best.switches <= switches:
                        return best
        if best is not None and best.switches == switches + 1:
            return best
    return best


def play(stage: Stage, mode: Mode, cast: str, word: str) -> Broken | None:
    """What a schedule breaks, or None."""
    try:
        stage.reset(mode, cast)
        stage.play(word)
        stage.check_end()
    except BrokenError as error:
        return Broken(stage.laid.world.name, mode, stage.story(), str(error))
    return None


def word_of_story(story: str) -> str:
    """The schedule of which a story tells, a letter for each step."""
    word = ""
    for part in _without_outcomes(story).split(" · "):
        name, *steps = part.split()
        word += name * len(steps)
    return word


def cast_of(word: str) -> str:
    """The sessions that take part in a schedule."""
    return "".join(name for name in NAMES if name in word)


def _without_outcomes(story: str) -> str:
    while "(" in story:
        before, _, after = story.partition(" (")
        story = before + after.partition(")")[2]
    return story


def _casts() -> Sequence[tuple[str, Mode]]:
    made: Iterable[tuple[str, Mode]] = (
        (cast, mode) for cast in _CASTS for mode in (MODES if "W" in cast else MODES[:1])
    )
    return sorted(made, key=lambda one: sum(cast_steps(*one).values()))
