"""What a verify reports: the fields in which the read model is not what the definition says."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from projector.sweep.drift_log import LEAD, Difference, Item

SHOWN_CHARACTERS = 80
"""A longer value is cut in a message."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One field of a lead that is not what the definition says; values are shortened texts."""

    user_id: str
    customer_phone: str
    field: str
    expected: str
    found: str
    kind: str = LEAD
    key: str = ""

    @property
    def item(self) -> Item:
        """What differs as a whole: the lead, the key, or the statistics of the tenant."""
        return Item(self.kind, self.user_id, self.customer_phone, self.key)


@dataclass(slots=True)
class Comparison:
    """What one comparison, which began `at`, found.

    `compared` and `left_out` are items, the first without those that belong to no lead at all in `checked`. Where
    everything waits, since a table was truncated, nothing was compared.
    """

    at: datetime
    checked: int = 0
    compared: list[Item] = field(default_factory=list)
    left_out: list[Item] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    everything_waits: bool = False

    @property
    def differences(self) -> list[Difference]:
        """The items that differ, in order."""
        fields: dict[Item, list[str]] = {}
        for drift in self.drifts:
            fields.setdefault(drift.item, []).append(drift.field)
        return [Difference(item, len(fields[item]), fields[item][0]) for item in sorted(fields)]

    def add(self, other: "Comparison") -> None:
        """Add what another comparison found, which began later."""
        self.checked += other.checked
        self.compared += other.compared
        self.left_out += other.left_out
        self.drifts += other.drifts
        self.everything_waits |= other.everything_waits


@dataclass(slots=True)
class VerifyReport:
    """What a verify found: leads compared, leads left out because something of theirs waits, and every drift."""

    checked: int = 0
    left_out: int = 0
    drifts: list[Drift] = field(default_factory=list)
    healed: int = 0


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """A row that differs, as the steps in sql/verify/drift/ return it."""

    user_id: str
    customer_phone: str
    row_key: str | None
    expected: dict[str, Any] | None
    found: dict[str, Any] | None


def differing_fields(table: str, row: DifferingRow) -> Iterator[Drift]:
    """Return the fields in which a row differs; a row that is not the lead's own is named before the field."""
    prefix = {"leads": "", "profiles": "profile."}.get(table, f"{table.removesuffix('s')} {row.row_key}.")
    return _fields(row.user_id, row.customer_phone, prefix, row.expected, row.found)


def shorten(value: object) -> str:
    """Return the value as a text of at most SHOWN_CHARACTERS."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _fields(
    user_id: str, phone: str, prefix: str, expected: dict[str, Any] | None, found: dict[str, Any] | None
) -> Iterator[Drift]:
    """Each field in which the two sides differ; a document is taken apart into its own fields."""
    if expected is None or found is None:
        texts = ["a row" if side is not None else "no row" for side in (expected, found)]
        yield Drift(user_id, phone, prefix.rstrip(".") or "lead", texts[0], texts[1])
        return
    for name, value in expected.items():
        if value == found.get(name):
            continue
        if name == "document":
            yield from _fields_of_document(user_id, phone, value, found.get(name))
        else:
            yield Drift(user_id, phone, f"{prefix}{name}", shorten(value), shorten(found.get(name)))


def _fields_of_document(user_id: str, phone: str, expected: str, found: object) -> Iterator[Drift]:
    try:
        sides = [json.loads(expected), json.loads(str(found))]
    except ValueError:
        sides = [{"": expected}, {"": found}]
    same = True
    for key in {**sides[0], **sides[1]}:
        if sides[0].get(key) != sides[1].get(key):
            same = False
            yield Drift(
                user_id, phone, f"document.{key}", shorten(sides[0].get(key)), shorten(sides[1].get(key))
            )
    if same:
        yield Drift(user_id, phone, "document", shorten(expected), shorten(found))
