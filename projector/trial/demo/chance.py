"""Chance, from `random()` alone: of the methods of `Random` only that returns the same numbers in every Python."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def happens(rng: Random, probability: float) -> bool:
    """Return true with a probability between 0 and 1."""
    return rng.random() < probability


def pick(rng: Random, pool: Sequence[T]) -> T:
    """Return one element of a pool, with the same probability for each place in it."""
    return pool[int(rng.random() * len(pool))]
