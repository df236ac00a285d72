"""The tables of statistics: comparing them with the leads, and correcting them."""

from collections.abc import Sequence
from dataclasses import dataclass

from projector.core import pipeline
from projector.core.collisions import retry_on_collision
from projector.core.pipeline import Connection
from projector.database.schema import key_columns, value_columns
from projector.database.sql import query, steps


@dataclass(frozen=True, slots=True)
class StatisticsDifference:
    """A row of the statistics that is not what the leads add up to.

    `key` has the columns of the table's key as texts, `expected` and `found` the numbers of the row by name.
    """

    table: str
    key: dict[str, str | None]
    expected: dict[str, int]
    found: dict[str, int]

    @property
    def user_id(self) -> str:
        """The tenant."""
        return str(self.key["user_id"])

    @property
    def day(self) -> str | None:
        """The UTC day that the row counts, or is a part of; None for a row that counts all leads."""
        day, start = self.key.get("day"), self.key.get("bucket_start")
        if day is not None or start is None or not start[0].isdigit():
            return day
        return start.split()[0] + (" BC" if start.endswith(" BC") else "")


def find_differences(conn: Connection, tenants: Sequence[str] | None) -> list[StatisticsDifference]:
    """Return the rows of the statistics of these tenants, or of all, that differ from their leads."""
    parameters = pipeline.tenants_parameter(tenants)
    found: list[StatisticsDifference] = []
    with conn.transaction():
        pipeline.set_based(conn)
        for one in steps("rebuild/statistics/10_find_differences"):
            table = one.name.split()[-1]
            for key, expected, counted in pipeline.run_steps(conn, [one], parameters).fetchall():
                found.append(
                    StatisticsDifference(
                        table,
                        dict(zip(key_columns(table), key, strict=True)),
                        dict(zip(value_columns(table), expected, strict=True)),
                        dict(zip(value_columns(table), counted, strict=True)),
                    )
                )
    return found


def heal(conn: Connection, tenants: Sequence[str] | None) -> None:
    """Make the statistics of these tenants, or of all, what their leads add up to, writing only what differs.

    The comparison takes no lock. What differs is corrected day by day, then for the tenant as a whole from its days,
    so that the tenant's lock is never held for long.
    """
    differences = find_differences(conn, tenants)
    for user_id, day in sorted(
        {(found.user_id, found.day) for found in differences if found.day is not None}
    ):
        _heal(conn, "rebuild/statistics/day", {"user_id": user_id, "day": day})
    for user_id in sorted({found.user_id for found in differences}):
        _heal(conn, "rebuild/statistics/tenant", {"user_id": user_id})


def _heal(conn: Connection, folder: str, parameters: dict[str, str]) -> None:
    def work() -> None:
        with conn.transaction():
            pipeline.lock_tenants(conn, [parameters["user_id"]])
            pipeline.run_steps(conn, steps(folder), parameters)
            conn.execute(query("tenants", "change_version"), parameters)

    retry_on_collision(work)
