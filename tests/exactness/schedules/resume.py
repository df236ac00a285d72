"""Where a run of schedules begins, as LEADS_SCHEDULES_FROM wants it: what a run printed that ended before."""

import os
from collections.abc import Sequence

import pytest


def first_schedule(part: str, parts: Sequence[str]) -> int:
    """The number of the schedule with which a part begins; a part that comes before is skipped.

    The variable names a part of one test: the other tests of schedules begin with their first one.
    """
    wanted, _, number = os.environ.get("LEADS_SCHEDULES_FROM", "").rpartition(": ")
    if wanted not in parts:
        return 0
    if parts.index(part) < parts.index(wanted):
        pytest.skip("LEADS_SCHEDULES_FROM begins later")
    return int(number) if part == wanted else 0
