"""What a test does when a run of the product comes to a point."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from projector.core.pipeline import AT_POINT


@contextmanager
def at_points(do: Callable[[str], object]) -> Iterator[None]:
    """Do something at each point to which this thread comes in the block."""
    token = AT_POINT.set(do)
    try:
        yield
    finally:
        AT_POINT.reset(token)
