"""The tenants of a read model on Citus, one after the other: no statement goes from one to the next there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import psycopg
from psycopg.rows import TupleRow, scalar_row

from projector.pipeline import run_steps
from projector.sides import on_read_model
from projector.sql import query, steps

Connection = psycopg.Connection[TupleRow]

TABLES_OF_LEADS = ("leads", "lead_profiles", "lead_conversations", "lead_messages")
TABLES_OF_STATISTICS = ("leads", "lead_totals", "lead_counts", "lead_daily_counts")


def stored_tenants(conn: Connection, tables: Sequence[str], after: str | None = None) -> Iterator[str]:
    """The tenants that have rows in these tables of the read model, in order, from the first one after another on."""
    while (found := _first(_next_stored(conn, tables, after))) is not None:
        yield found
        after = found


def find_leads(
    conn: Connection, after: tuple[str, str], last_user: str | None, size: int
) -> list[tuple[str, str]]:
    """Return the next leads in the order of tenant and phone, all of one tenant."""
    user_id, phone = after
    while not (found := _leads_of(conn, user_id, phone, size)):
        keyed = conn.execute(query("citus", "find_next_keyed_tenant"), {"after": user_id}).fetchone()
        following = _first([*(keyed or ()), *_next_stored(conn, TABLES_OF_LEADS, user_id)])
        if following is None or (last_user is not None and following > last_user):
            return []
        user_id, phone = following, ""
    return found


def count_leads(conn: Connection, user_id: str) -> int:
    """Return how many leads the statistics count for a tenant."""
    with on_read_model(conn).cursor(row_factory=scalar_row) as cursor:
        return int(
            cursor.execute(query("citus", "count_leads_of_tenant"), {"user_id": user_id}).fetchone() or 0
        )


def write_dead_letters(conn: Connection, numbers: Mapping[str, int]) -> None:
    """Write how many dead letters each tenant has, in the caller's transaction, in which no merge follows."""
    read_model = on_read_model(conn)
    counted = read_model.execute(query("citus", "find_tenants_with_dead_letters")).fetchall()
    for user_id, number in sorted({**dict.fromkeys((row[0] for row in counted), 0), **numbers}.items()):
        read_model.execute(query("citus", "set_dead_letters"), {"user_id": user_id, "number": number})


def _leads_of(conn: Connection, user_id: str, phone: str, size: int) -> list[tuple[str, str]]:
    parameters = {"after_user": user_id, "after_phone": phone, "last_user": user_id, "size": size}
    found = [
        lead
        for name in ("rebuild/leads/10_find_keyed_leads", "rebuild/leads/15_find_stored_leads")
        for lead in run_steps(conn, steps(name), parameters, tenant=user_id).fetchall()
    ]
    return sorted(set(found))[:size]


def _next_stored(conn: Connection, tables: Iterable[str], after: str | None) -> list[str | None]:
    with on_read_model(conn).cursor(row_factory=scalar_row) as cursor:
        return [
            cursor.execute(query("citus", "find_next_tenant", table=table), {"after": after}).fetchone()
            for table in tables
        ]


def _first(found: Iterable[str | None]) -> str | None:
    # Texts compare here as they do in PostgreSQL under the collation "C".
    return min((one for one in found if one is not None), default=None)
