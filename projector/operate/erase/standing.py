"""Rows of the source from which an erased tenant or lead would come back."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from projector.core.pipeline import Connection
from projector.database.sql import query
from projector.report.counted import counted, escape_hidden
from projector.report.errors import ErasureRefusedError


@dataclass(frozen=True, slots=True)
class Target:
    """What is erased: a tenant, or its lead with this canonical phone."""

    user_id: str
    customer_phone: str | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters user_id and customer_phone of a query."""
        return {"user_id": self.user_id, "customer_phone": self.customer_phone}

    def __str__(self) -> str:
        """Name it for the operator."""
        tenant = f"tenant {escape_hidden(self.user_id)}"
        return (
            tenant
            if self.customer_phone is None
            else f"lead {escape_hidden(self.customer_phone)} of {tenant}"
        )


@dataclass(frozen=True, slots=True)
class StandingRows:
    """A source table that has rows of a tenant or a lead: how many, and the primary key of one."""

    table_name: str
    rows: int
    example: str


def find_standing_rows(conn: Connection, target: Target) -> list[StandingRows]:
    """Return the source tables that have rows from which the tenant or the lead would come back."""
    with conn.cursor(row_factory=class_row(StandingRows)) as cursor:
        return cursor.execute(
            query("erasure", "find_standing_rows"), target.parameters, prepare=False
        ).fetchall()


def require_no_standing_rows(conn: Connection, target: Target) -> None:
    """Raise ErasureRefusedError, which lists them, while rows of the source would bring the target back."""
    found = find_standing_rows(conn, target)
    if found:
        raise ErasureRefusedError(
            f"The platform's tables still have rows of {target}, which would bring it back:\n{_in_lines(found)}\n"
            "Delete them there first, and run erase again.",
            without_values=(
                "The platform's tables still have rows of the tenant or the lead, which would bring it back: "
                f"{', '.join(counted(one.rows, 'row') + ' of ' + one.table_name for one in found)}. Delete them there"
                " first, and run erase again."
            ),
        )


def _in_lines(found: Sequence[StandingRows]) -> str:
    return "\n".join(
        f"  {one.table_name}: {counted(one.rows, 'row')}, such as {escape_hidden(one.example)}"
        for one in found
    )
