"""What the feed of changes of statuses has to tell of a lead, by its extractions and by what it told before.

It knows what the documents say of a history, and no code of the product.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import inf
from typing import Any, NamedTuple

Extraction = Sequence[Any]
"""Its id, its time without a zone or None, whether it is the latest, and the status."""

Change = tuple[str, str | None]
"""What identifies a change of the status of a lead: an extraction and a status."""

Changes = dict[Change, str]
"""Those of a lead, with the time of each as it is printed."""


def changes_of(extractions: Iterable[Extraction]) -> Changes:
    """Return the changes that the extractions of a lead make.

    None counts that is newer than the winner, and none that another one follows within its millisecond.
    """
    in_order = sorted(extractions, key=_place)
    winner = max(in_order, key=lambda extraction: (extraction[2], _place(extraction)), default=None)
    counted = in_order[: in_order.index(winner) + 1] if winner else []
    changes: Changes = {}
    before = None
    for extraction, following in zip_longest(counted, counted[1:]):
        changed_at, status = _printed(extraction), extraction[3]
        if following is not None and _printed(following) == changed_at:
            continue
        if status != before:
            changes[str(extraction[0]), status] = changed_at
        before = status
    return changes


def _place(extraction: Extraction) -> tuple[str, bool, str]:
    return extraction[1] or "", bool(extraction[2]), str(extraction[0])


def _printed(extraction: Extraction) -> str:
    """Return the time of an extraction in milliseconds; without one it is of 1970."""
    seconds, _, fraction = (extraction[1] or "1970-01-01T00:00:00").partition(".")
    return f"{seconds}.{fraction[:3]:0<3}Z"


class State(NamedTuple):
    """The changes of a lead after a write, and when that write began."""

    number: int
    began: float
    changes: Changes


class Told(NamedTuple):
    """What was last told of a change: in which state it was so, its time or None if withdrawn, and its place.

    `was_told`: whether it was ever told, and not withdrawn only.
    """

    number: float
    changed_at: str | None
    place: int
    was_told: bool


@dataclass
class Reader:
    """What a follower was told of the changes of statuses since it began."""

    told: dict[tuple[str, Change], Told] = field(default_factory=dict)
    """By the phone of the lead, and the change."""
    numbers: dict[str, float] = field(default_factory=dict)
    """The least state of each lead that the next change can be of."""
    places: dict[str, int] = field(default_factory=dict)
    """How many changes were told before each token."""
    count: int = 0

    def tell(
        self, phone: str, change: Change, changed_at: str | None, states: Sequence[State], least: float
    ) -> str:
        """Take what is told of a change; return the promise that it breaks, or nothing.

        `states` are those of the lead that there may be already, and `least` is the number of the first that counts.
        """
        before, least = self.told.get((phone, change)), max(least, self.numbers.get(phone, 0))
        after = _meanwhile(states, before, change, changed_at)
        number = _first(states, max(least, after), change, changed_at, after)
        was_told = changed_at is not None or (before is not None and before.was_told)
        self.count += 1
        found = max(least, number if number < inf else 0)
        self.told[phone, change] = Told(found, changed_at, self.count, was_told)
        if number < inf:
            self.numbers[phone] = number
            return ""
        if not any(change in state.changes for state in states):
            return "true"
        if _first(states, least, change, changed_at) < inf:
            return "once"
        return "order" if _first(states, 0, change, changed_at) < inf else "true"

    def may_come_again(self, phone: str, change: Change, states: Sequence[State]) -> bool:
        """Return whether a change may be told once more, after what was told of it last."""
        before = self.told[phone, change]
        return _meanwhile(states, before, change, before.changed_at) < inf


def _meanwhile(states: Sequence[State], before: Told | None, change: Change, changed_at: str | None) -> float:
    """Return from which state on a change can be told: it has to have been otherwise since it was told last."""
    since = before.number if before is not None else 0
    if (None if before is None else before.changed_at) == changed_at:
        # It went, or was moved; or it came, and is gone again.
        return next(
            (state.number for state in _since(states, since) if state.changes.get(change) != changed_at), inf
        )
    return since if changed_at is None else 0


def _first(
    states: Sequence[State], least: float, change: Change, changed_at: str | None, since: float = 0
) -> float:
    """Return the number of the first state from `least` on in which a change was at a time, or infinity.

    For None it is the first in which it was withdrawn: because it is gone, or is not where it was in a state from
    `since` on.
    """
    were: set[str] = set()
    for state in _since(states, since):
        at = state.changes.get(change)
        if state.number >= least and (at == changed_at or (changed_at is None and were - {at})):
            return state.number
        were |= {at} if at is not None else set()
    return inf


def _since(states: Sequence[State], number: float) -> Iterator[State]:
    return (state for state in states if state.number >= number)
