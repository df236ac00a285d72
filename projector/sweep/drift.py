"""Drift: how a verify reports what differs from the definition, and the table that lists it.

A verify notes each differing item in projector.drift, and ends the row when the item is right again. A row
that has not ended needs a person: `status` reports it until the item is healed, rebuilt, or found right by a
later verify of this very item.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from psycopg.rows import dict_row

from projector.core.pipeline import tenants_parameter
from projector.database import rows
from projector.database.rows import Connection
from projector.database.sql import query
from projector.report.log import Personal, digest

LEAD, STATISTICS = "lead", "statistics"
"""The kinds of items other than keys."""

SHOWN_CHARACTERS = 80
"""A longer value is cut in a message."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """What a verify compares: a lead, the key of a source row, or the statistics of a tenant.

    `kind` is `lead`, `statistics`, or the kind of a key as in projector.source_keys. Only a key has a `key`.
    """

    kind: str
    user_id: str = ""
    customer_phone: str = ""
    key: str = ""


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
        """Return what differs as a whole: the lead, the key, or the statistics of the tenant."""
        return Item(self.kind, self.user_id, self.customer_phone, self.key)


@dataclass(slots=True)
class Comparison:
    """What one comparison, which began `at`, found.

    `compared` and `left_out` are items. `checked` is the number of leads among those compared, without keys
    whose rows make no lead. If everything waits because a table was truncated, nothing was compared.
    """

    at: datetime
    checked: int = 0
    compared: list[Item] = field(default_factory=list)
    left_out: list[Item] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    everything_waits: bool = False

    @property
    def fields(self) -> dict[Item, list[str]]:
        """Return the differing items, in order, each with its differing fields."""
        fields: dict[Item, list[str]] = {}
        for drift in sorted(self.drifts, key=lambda drift: drift.item):
            fields.setdefault(drift.item, []).append(drift.field)
        return fields

    def __add__(self, other: "Comparison") -> "Comparison":
        """Return the sum of both comparisons; `other` began later."""
        return Comparison(
            self.at,
            self.checked + other.checked,
            self.compared + other.compared,
            self.left_out + other.left_out,
            self.drifts + other.drifts,
            self.everything_waits or other.everything_waits,
        )


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """A row of a lead that differs, as sql/sweep/3_report/20_read_differing_rows.sql returns it."""

    table_name: str
    user_id: str
    customer_phone: str
    row_key: str | None
    expected: dict[str, Any] | None
    found: dict[str, Any] | None


def differing_fields(row: DifferingRow) -> Iterator[Drift]:
    """Yield the fields in which a row differs. A row that is not the lead's own is named before the field."""
    lead = row.user_id, row.customer_phone
    own = {"leads": "", "lead_profiles": "profile."}
    other_rows = f"{row.table_name.removeprefix('lead_').removesuffix('s')} {row.row_key}."
    prefix = own.get(row.table_name, other_rows)
    if row.expected is None or row.found is None:
        texts = ["no row" if values is None else "a row" for values in (row.expected, row.found)]
        yield Drift(*lead, prefix.rstrip(".") or "lead", *texts)
        return
    for name, value, other in _differing_values(row.expected, row.found):
        yield Drift(*lead, f"{prefix}{name}", shorten(value), shorten(other))


def shorten(value: object) -> str:
    """Return the value as a text of at most SHOWN_CHARACTERS."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _differing_values(
    expected: dict[str, Any], stored: dict[str, Any]
) -> Iterator[tuple[str, object, object]]:
    """Yield the name and both values of each field that differs; for a document, of each field in it."""
    for name in {**expected, **stored}:
        value, other = expected.get(name), stored.get(name)
        if value == other:
            continue
        parts: list[tuple[str, object, object]] = []
        if name == "document":
            # A text that is no document, or says the same in another form, differs as a whole.
            with suppress(ValueError, TypeError):
                parts = list(_differing_values(json.loads(str(value)), json.loads(str(other))))
        yield from ((f"document.{part}", value, other) for part, value, other in parts)
        if not parts:
            yield name, value, other


def record(conn: Connection, comparison: Comparison) -> None:
    """Record a comparison, in the caller's transaction: what differs is noted, what is right again is ended.

    What was compared and does not differ any more is right, but what was left out stays as it was.
    """
    fields = comparison.fields
    new = 0
    if fields:
        parameters = {
            **item_arrays(list(fields)),
            "fields": [len(names) for names in fields.values()],
            "first_fields": [names[0] for names in fields.values()],
            "at": comparison.at,
        }
        new = rows.value(conn, query("sweep", "note_drift"), parameters)
    # The drift that was just noted has this very moment, so `before` leaves it open.
    end(conn, comparison.compared, before=comparison.at, at=comparison.at, outcome="right")
    publish(conn, new)


def end(conn: Connection, items: Sequence[Item], *, before: datetime, at: datetime, outcome: str) -> None:
    """End what differed of these items and was last seen before a moment. `outcome` is `healed` or `right`."""
    if items:
        parameters = {**item_arrays(items), "before": before, "at": at, "outcome": outcome}
        conn.execute(query("sweep", "end_items"), parameters, prepare=False)


def end_all(
    conn: Connection,
    tenants: Sequence[str] | None,
    before: datetime,
    *,
    outcome: str,
    kind: str | None = None,
) -> None:
    """End the drift of these tenants or all, of one kind or all, that was last seen `before` a moment."""
    parameters = {**tenants_parameter(tenants), "kind": kind, "before": before, "outcome": outcome}
    with conn.transaction():
        conn.execute(query("sweep", "end_all"), parameters, prepare=False)
        publish(conn)


def end_pass(conn: Connection, tenants: Sequence[str] | None, began_at: datetime) -> list[Item]:
    """End the drift of statistics of these tenants, or of all, that a pass since a moment did not find again.

    Returns the leads and keys that differed before and that the pass did not reach, such as a deleted lead.
    """
    end_all(conn, tenants, began_at, outcome="right", kind=STATISTICS)
    parameters = {**tenants_parameter(tenants), "before": began_at}
    return rows.rows(conn, Item, query("sweep", "read_open_drift"), parameters)


def publish(conn: Connection, new: int = 0) -> None:
    """Publish the present numbers of drift for the metrics, with the number of `new` items."""
    with conn.cursor(row_factory=dict_row) as cursor:
        verified = cursor.execute(query("sweep", "read_verified"), prepare=False).fetchone() or {}
    conn.execute(query("sweep", "publish_drift"), {**verified, "found": new}, prepare=False)


def item_arrays(items: Sequence[Item]) -> dict[str, object]:
    """Return the items as the parameters kinds, user_ids, customer_phones and keys."""
    return {
        "kinds": [item.kind for item in items],
        "user_ids": [item.user_id for item in items],
        "customer_phones": [item.customer_phone for item in items],
        "keys": [item.key for item in items],
    }


def log_drifts(drifts: Iterable[Drift]) -> None:
    """Log each field that differs."""
    for drift in drifts:
        _log.error(
            "drift",
            tenant=drift.user_id,
            lead=Personal(drift.customer_phone, drift.customer_phone and digest(drift.customer_phone)),
            field=drift.field,
            expected=Personal(drift.expected),
            found=Personal(drift.found),
        )
