"""The tenants of the read model with their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len

from projector.core.preconditions import require_built
from projector.database.rows import Connection, rows, value
from projector.database.sql import query
from projector.report.counted import counted, escape_hidden

_HEADINGS = ("Tenant", "Name", "Leads", "Messages", "As of", "Dead letters")
_NUMBERS = (2, 3, 5)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant with its numbers. Every change up to `as_of` is in the read model."""

    user_id: str
    name: str | None
    leads: int
    messages: int
    as_of: datetime | None
    dead_letters: int


def read_tenants(conn: Connection) -> tuple[list[Tenant], int]:
    """Return the tenants of the read model, and the number of dead letters without a tenant, as of one moment.

    Raises NotInstalledError, which says what to run, if the read model is not installed or was never built.
    """
    require_built(conn)
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        without_tenant: int = value(conn, query("tenants", "count_dead_letters_without_tenant"))
        return rows(conn, Tenant, query("tenants", "read_tenants")), without_tenant


def render(tenants: Sequence[Tenant], dead_letters_without_tenant: int) -> str:
    """Return the tenants for people: a line each, in columns, and a sum."""
    cells = [
        (
            escape_hidden(tenant.user_id),
            escape_hidden(tenant.name or ""),
            f"{tenant.leads:,}",
            f"{tenant.messages:,}",
            "" if tenant.as_of is None else f"{tenant.as_of:%Y-%m-%d %H:%M:%S} UTC",
            f"{tenant.dead_letters:,}",
        )
        for tenant in tenants
    ]
    lines = _in_columns([_HEADINGS, *cells]) if cells else []
    leads = sum(tenant.leads for tenant in tenants)
    sums = f"{counted(len(tenants), 'tenant')}, {counted(leads, 'lead')}."
    lines += ["", sums] if tenants else ["The read model has no tenants: no lead exists yet."]
    if dead_letters_without_tenant:
        letters = counted(dead_letters_without_tenant, "dead letter")
        belong = "belongs" if dead_letters_without_tenant == 1 else "belong"
        lines.append(f"{letters} {belong} to no known tenant: see `status`.")
    return "\n".join(lines)


def _in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows in aligned columns, numbers to the right, with the real width of wide characters."""
    widths = [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            blanks = " " * (width - cell_len(cell))
            cells.append(blanks + cell if number in _NUMBERS else cell + blanks)
        lines.append("  ".join(cells).rstrip())
    return lines
