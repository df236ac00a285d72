"""The record of what a verify found to differ: an item is noted when it is found, and ended when it is right again.

An item that ended is history. One that did not needs a person: `status` says so until it is healed, rebuilt, or found
right by a later verify that looked at this very item.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import dict_row

from projector.core.pipeline import Connection, tenants_parameter
from projector.database.sql import query

LEAD, STATISTICS = "lead", "statistics"
"""The kinds of items that are no keys."""


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """What a verify compares: a lead, the key of a source row, or the statistics of a tenant.

    `kind` is `lead`, `statistics`, or the kind of a key as in projector.source_keys; `key` is empty but for a key.
    """

    kind: str
    user_id: str = ""
    customer_phone: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """An item that differs, the number of its fields that do, and the first of them."""

    item: Item
    fields: int
    first_field: str


def note(conn: Connection, differences: Sequence[Difference], at: datetime) -> int:
    """Note what a comparison that began `at` found; return how many of the items did not differ before."""
    if not differences:
        return 0
    parameters = {
        **item_arrays([one.item for one in differences]),
        "fields": [one.fields for one in differences],
        "first_fields": [one.first_field for one in differences],
        "at": at,
    }
    row = conn.execute(query("drift_log", "note"), parameters, prepare=False).fetchone()
    return row[0] if row else 0


def end(conn: Connection, items: Sequence[Item], *, before: datetime, at: datetime, outcome: str) -> None:
    """End what differed of these items and was last seen before a moment. `outcome` is `healed` or `right`."""
    if items:
        parameters = {**item_arrays(items), "before": before, "at": at, "outcome": outcome}
        conn.execute(query("drift_log", "end_items"), parameters, prepare=False)


def end_statistics(
    conn: Connection, tenants: Sequence[str] | None, *, before: datetime, at: datetime
) -> None:
    """End the statistics that a comparison of all statistics, of these tenants or of all, has not found again."""
    parameters = {**tenants_parameter(tenants), "before": before, "at": at}
    conn.execute(query("drift_log", "end_statistics"), parameters, prepare=False)


def end_rebuilt(conn: Connection, tenants: Sequence[str] | None, before: datetime) -> None:
    """End what was last seen before a rebuild of these tenants, or of everything, began."""
    with conn.transaction():
        conn.execute(query("drift_log", "end_rebuilt"), {**tenants_parameter(tenants), "before": before})
        publish(conn)


def read_open(conn: Connection, tenants: Sequence[str] | None, before: datetime) -> list[Item]:
    """Return the leads and keys of these tenants, or of all, that differ and were last seen before a moment."""
    parameters = {**tenants_parameter(tenants), "before": before}
    return [Item(*row) for row in conn.execute(query("drift_log", "read_open"), parameters).fetchall()]


def publish(conn: Connection, found: int = 0) -> None:
    """Let the metrics show how it is now; `found` items are new."""
    with conn.cursor(row_factory=dict_row) as cursor:
        verified = cursor.execute(query("drift_log", "read_verified"), prepare=False).fetchone() or {}
    conn.execute(query("drift_log", "publish"), {**verified, "found": found}, prepare=False)


def item_arrays(items: Sequence[Item]) -> dict[str, object]:
    """Return the items as the parameters kinds, user_ids, customer_phones and keys."""
    return {
        "kinds": [item.kind for item in items],
        "user_ids": [item.user_id for item in items],
        "customer_phones": [item.customer_phone for item in items],
        "keys": [item.key for item in items],
    }
