"""Chance, from `random()` alone: of what `Random` offers, only that stays the same in every Python."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def happens(rng: Random, probability: float) -> bool:
    """Whether something happens this time."""
    return rng.random() < probability


def pick(rng: Random, pool: Sequence[T]) -> T:
    """One of a pool; what stands in it several times is met as often."""
    return pool[int(rng.random() * len(pool))]
