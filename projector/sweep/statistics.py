"""The tables of statistics: comparing them with the leads, and correcting them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from psycopg.types.json import Jsonb

from projector.core import pipeline
from projector.database import locks
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.schema import table
from projector.database.sql import query, steps

ROWS_PER_TRANSACTION = 1000
"""Rows that are corrected in one transaction, in which no batch of the tenant runs."""

HEAL_ATTEMPTS = 3
"""How often statistics are compared and corrected: meanwhile a refresh may delete a wrong row, which changes
by how much it differs."""


@dataclass(frozen=True, slots=True)
class StatisticsDifference:
    """A row of the statistics that is not what the leads add up to.

    `key` has the columns of the table's key as texts, `expected` and `stored` the numbers of the row by name.
    """

    table: str
    key: dict[str, str | None]
    expected: dict[str, int]
    stored: dict[str, int]

    @property
    def user_id(self) -> str:
        """Return the tenant."""
        return str(self.key["user_id"])


def find_differences(conn: Connection, tenants: Sequence[str] | None) -> list[StatisticsDifference]:
    """Return the rows of the statistics of these tenants, or of all, that differ from their leads."""
    parameters = pipeline.tenants_parameter(tenants)
    differences: list[StatisticsDifference] = []
    with conn.transaction():
        pipeline.set_based(conn)
        for step in steps("sweep/5_statistics/10_find_differences"):
            name = step.name.split()[-1]
            columns = table(name)
            for key, expected, stored in pipeline.run_step(conn, step, parameters).fetchall():
                differences.append(
                    StatisticsDifference(
                        name,
                        dict(zip(columns.key, key, strict=True)),
                        dict(zip(columns.values, expected, strict=True)),
                        dict(zip(columns.values, stored, strict=True)),
                    )
                )
    return differences


def heal(conn: Connection, tenants: Sequence[str] | None) -> None:
    """Make the statistics of these tenants, or of all, what their leads add up to, writing only what differs.

    Each transaction changes leads and statistics by the same amounts, so the difference of a row stays the
    same while refreshes go on. The difference is computed without the tenant's lock, and added under it, some
    rows at a time. The two session locks ensure that it is added only once, and never to the statistics of an
    erased tenant.
    """
    with locks.session_lock(conn, locks.ERASURE, is_shared=True), locks.session_lock(conn, locks.STATISTICS):
        for _ in range(HEAL_ATTEMPTS):
            differences = sorted(find_differences(conn, tenants), key=lambda difference: difference.user_id)
            if not differences:
                return
            for user_id, rows in groupby(differences, key=lambda difference: difference.user_id):
                of_tenant = list(rows)
                for start in range(0, len(of_tenant), ROWS_PER_TRANSACTION):
                    _add(conn, user_id, of_tenant[start : start + ROWS_PER_TRANSACTION])


def _add(conn: Connection, user_id: str, differences: Sequence[StatisticsDifference]) -> None:
    rows: dict[str, list[dict[str, str | int | None]]] = {}
    for difference in differences:
        added = {name: number - difference.stored[name] for name, number in difference.expected.items()}
        rows.setdefault(difference.table, []).append({**difference.key, **added})
    parameters = {"user_id": user_id, "differences": Jsonb(rows)}

    def work() -> None:
        with conn.transaction():
            pipeline.lock_tenants(conn, [user_id])
            for name in ("20_add_differences", "30_delete_empty_statistics"):
                pipeline.run_steps(conn, f"sweep/5_statistics/{name}", parameters)
            conn.execute(query("tenants", "change_version"), parameters)

    retry(work, *BATCH)
