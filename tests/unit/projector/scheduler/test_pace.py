"""The pace of the looks: short steps while changes arrive, and the longest pause while none do."""

from dataclasses import dataclass
from itertools import pairwise

import pytest

from projector.scheduler.pace import (
    IDLE_AFTER_SECONDS,
    IDLE_FRESHNESS_SECONDS,
    LONGEST_LOOK_SECONDS,
    SHORTEST_FRESHNESS_SECONDS,
    SHORTEST_PAUSE_SECONDS,
    Pace,
)

LONGEST = 0.25


@dataclass
class Clock:
    """A clock that a test drives."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def follow(pace: Pace, clock: Clock, seconds: float) -> tuple[list[float], list[float]]:
    """The pauses of so many seconds without a change, and the moments of the looks at everything."""
    ends, pauses, looks = clock.now + seconds, [], []
    while clock.now < ends:
        if pace.needs_look:
            pace.note_look()
            looks.append(clock.now)
        pauses.append(pace.pause)
        clock.now += pace.pause
    return pauses, looks


def test_pauses_grow_from_the_last_change_to_the_longest(clock: Clock) -> None:
    pace = Pace(LONGEST, clock)
    pace.note_changes()
    pauses, _ = follow(pace, clock, 20.0)
    assert pauses == sorted(pauses)
    assert pauses[0] == SHORTEST_PAUSE_SECONDS
    assert pauses[-1] == LONGEST
    pace.note_changes()
    assert pace.pause == SHORTEST_PAUSE_SECONDS
    # No pause is longer than the setting.
    for longest in (0.001, 60.0):
        pauses, _ = follow(Pace(longest, clock), clock, longest * 3 if longest > 5 else 6.0)
        assert max(pauses) == longest
    # A change that follows another waits for a small part of the time between.
    clock.now = 1000.0
    for between in (0.2, 1.0, 4.9):
        pace.note_changes()
        clock.now += between
        assert pace.pause <= max(between / 50, SHORTEST_PAUSE_SECONDS)


def test_an_idle_projector_looks_at_everything_each_time_and_rarely(clock: Clock) -> None:
    pace = Pace(LONGEST, clock)
    follow(pace, clock, IDLE_AFTER_SECONDS)
    began = clock.now
    pauses, looks = follow(pace, clock, 60.0)
    assert len(pauses) == len(looks)
    assert len(looks) / (clock.now - began) <= 1 / LONGEST
    assert pace.freshness_interval.total_seconds() == IDLE_FRESHNESS_SECONDS


def test_capture_is_looked_at_as_often_as_the_setting_says_whatever_comes(clock: Clock) -> None:
    pace = Pace(LONGEST, clock)
    pace.note_changes()
    _, looks = follow(pace, clock, IDLE_AFTER_SECONDS + 10.0)
    between = [later - earlier for earlier, later in pairwise(looks)]
    # A look is due between two turns, and made with the later one.
    assert max(between) <= LONGEST + IDLE_AFTER_SECONDS / 50


def test_freshness_follows_a_change_ever_more_slowly(clock: Clock) -> None:
    pace = Pace(LONGEST, clock)
    pace.note_changes()
    changed_at = clock.now
    _, looks = follow(pace, clock, 1.0)
    assert looks[0] - changed_at < SHORTEST_FRESHNESS_SECONDS + 2 * SHORTEST_PAUSE_SECONDS
    assert len(looks) < 14
    assert pace.freshness_interval.total_seconds() == 0


def test_batches_stand_in_for_looks_for_a_while_only(clock: Clock) -> None:
    pace = Pace(LONGEST, clock)
    pace.note_look()
    looks = 0
    for _ in range(1000):
        clock.now += 0.01
        looks += pace.needs_look
        if pace.needs_look:
            pace.note_look()
        pace.note_changes()
    # Ten seconds, which hundredths do not add up to.
    assert looks in (9 / LONGEST_LOOK_SECONDS, 10 / LONGEST_LOOK_SECONDS)
