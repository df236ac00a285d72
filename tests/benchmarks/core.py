"""The measuring core: arms that take turns, samples with median and spread, and the row that they become."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import exp, log, sqrt
from statistics import NormalDist, mean, median, stdev
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

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest."""
        return min(self.values), max(self.values)

    def over(self, other: "Sample") -> "Sample":
        """The ratios, round by round: what slows a whole round slows both arms of it."""
        return Sample(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def minus(self, other: "Sample") -> "Sample":
        """The differences, round by round."""
        return Sample(tuple(a - b for a, b in zip(self.values, other.values, strict=True)))

    def times(self, factor: float) -> "Sample":
        """Every value multiplied."""
        return Sample(tuple(value * factor for value in self.values))

    def interval(self) -> tuple[float, float]:
        """Where the mean ratio lies with 95 % confidence, by its logarithms."""
        logs = [log(value) for value in self.values]
        half = _student(len(logs) - 1) * stdev(logs) / sqrt(len(logs))
        return exp(mean(logs) - half), exp(mean(logs) + half)


def interleave(rounds: int, arms: Mapping[str, Arm], *, warm_up: bool = True) -> dict[str, Sample]:
    """Let the arms take turns, A B then B A, so that neither always comes first; the first round does not count.

    A round or two say nothing about speed, and go without that one.
    """
    found: dict[str, list[float]] = {name: [] for name in arms}
    names = list(arms)
    for number in range(-int(warm_up and rounds > _TOO_FEW), rounds):
        for name in names if number % 2 == 0 else reversed(names):
            value = arms[name]()
            if number >= 0:
                found[name].append(value)
    return {name: Sample(tuple(values)) for name, values in found.items()}


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    began = perf_counter()
    work()
    return perf_counter() - began


def milliseconds(work: Callable[[], object], times: int = 1, within: float = 0.0) -> float:
    """How long the work takes in the median of so many times, and of as many as fit into so many seconds."""
    ends = perf_counter() + within
    taken = [seconds(work) for _ in range(times)]
    while perf_counter() < ends:
        taken.append(seconds(work))
    return 1000 * median(taken)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ours, its baseline, and what was wanted."""

    area: str
    what: str
    unit: str
    ours: Sample
    baseline_name: str
    baseline: Sample
    goal: Goal | None = None
    # The goal is on the ratio, or on our own value where it says so.
    absolute: bool = False
    # What the ratio is, where it is not ours over the baseline.
    own_ratio: Sample | None = None
    note: str = ""

    @property
    def ratio(self) -> Sample:
        if self.own_ratio is not None:
            return self.own_ratio
        return self.ours.over(self.baseline)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.goal.is_met(self.ours.median if self.absolute else self.ratio.median)

    def as_dict(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "area": self.area,
            "what": self.what,
            "unit": self.unit,
            "ours": _summary(self.ours),
            "baseline": self.baseline_name,
            "baseline_values": _summary(self.baseline),
            "ratio": _summary(self.ratio),
            "goal": None if self.goal is None else asdict(self.goal),
            "goal_on": "value" if self.absolute else "ratio",
            "met": self.is_met,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """An area that could not be measured, and why."""

    area: str
    reason: str


def goal(key: str) -> Goal:
    """The goal of that name."""
    return GOALS[key]


def _summary(sample: Sample) -> dict[str, Any]:
    least, greatest = sample.spread
    return {"median": sample.median, "min": least, "max": greatest, "values": list(sample.values)}


def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, by the usual expansion around the normal one."""
    z = NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
