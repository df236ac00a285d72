"""Arms that take turns, samples with median and spread, and the row that they become."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from tests.benchmarks.goals import GOALS, Goal

Arm = Callable[[], float]
_TOO_FEW = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """What one arm gave, a value a round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def over(self, other: "Sample") -> "Sample":
        """Return the ratios, round by round: what slows a whole round slows both arms of it."""
        return Sample(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def minus(self, other: "Sample") -> "Sample":
        return Sample(tuple(a - b for a, b in zip(self.values, other.values, strict=True)))

    def times(self, factor: float) -> "Sample":
        return Sample(tuple(value * factor for value in self.values))


def once(value: float) -> Sample:
    return Sample((value,))


def part(values: Sequence[float], percent: float) -> Sample:
    """Return the value that so many percent of these do not exceed."""
    return once(quantiles(values, n=1000, method="inclusive")[round(10 * percent) - 1])


def interleave(rounds: int, arms: Mapping[str, Arm], *, warm_up: bool = True) -> dict[str, Sample]:
    """Let the arms take turns, A B then B A, so that neither always comes first; the first round does not count.

    A round or two say nothing about speed, and go without that one.
    """
    of_arms: dict[str, list[float]] = {name: [] for name in arms}
    names = list(arms)
    for number in range(-int(warm_up and rounds > _TOO_FEW), rounds):
        for name in names if number % 2 == 0 else reversed(names):
            value = arms[name]()
            if number >= 0:
                of_arms[name].append(value)
    return {name: Sample(tuple(values)) for name, values in of_arms.items()}


def seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def milliseconds(work: Callable[[], object], times: int = 1, within: float = 0.0) -> float:
    """Return how long the work takes in the median of so many times, and of as many as fit into so many seconds."""
    ends = perf_counter() + within
    taken = [seconds(work) for _ in range(times)]
    while perf_counter() < ends:
        taken.append(seconds(work))
    return 1000 * median(taken)


@contextmanager
def repeating(pause: float, work: Callable[[], object]) -> Iterator[None]:
    """Do the work again and again in a thread, so many seconds after it began; raise at the end what it has raised."""
    ended = threading.Event()

    def repeat() -> None:
        due = perf_counter()
        while not ended.wait(max(due - perf_counter(), 0.0)):
            work()
            due = max(due + pause, perf_counter())

    with ThreadPoolExecutor(1) as pool:
        repeated = pool.submit(repeat)
        try:
            yield
        finally:
            ended.set()
    repeated.result()


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ours, its baseline, and the key of its goal."""

    what: str
    unit: str
    ours: Sample
    baseline_name: str
    baseline: Sample
    goal_key: str = ""
    # What the ratio is, where it is not ours over the baseline.
    own_ratio: Sample | None = None
    note: str = ""
    # The title of the case that it is of.
    case: str = ""

    @property
    def goal(self) -> Goal | None:
        return GOALS[self.goal_key] if self.goal_key else None

    @property
    def ratio(self) -> Sample:
        return self.own_ratio or self.ours.over(self.baseline)

    @property
    def is_met(self) -> bool | None:
        """Return whether the goal is met; None if there is none."""
        return None if self.goal is None else self.goal.is_met(self.value_for(self.goal))

    def value_for(self, goal: Goal) -> float:
        return (self.ours if goal.unit else self.ratio).median

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": asdict(self.ratio), "met": self.is_met}
