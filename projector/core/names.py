"""The names of the tenants: read_model.tenant_names. No lead depends on them.

A refresh writes the names that its changes concern. A rebuild, a heal and a first build write all that differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from projector.core.pipeline import test_point
from projector.core.source_reads import read_source
from projector.database import locks
from projector.database.rows import Connection, values
from projector.database.sql import query, statement

NAMES_PER_TRANSACTION = 1000
"""How many names a rebuild writes in one transaction."""


@dataclass(frozen=True, slots=True)
class NameDifference:
    """A name that differs from the source (None means no name), and whether a change of it `waits`."""

    user_id: str
    expected: str | None
    found: str | None
    waits: bool


def write_taken(conn: Connection) -> None:
    """Write the names that the taken changes concern, in the caller's transaction."""
    _lock(conn)
    _write(conn, values(conn, query("tenants", "read_taken_names")))


def write_all(conn: Connection, tenants: Sequence[str] | None) -> None:
    """Write the names of these tenants, or of all, that differ from the source."""
    differing = [name.user_id for name in read_source(conn, lambda: find_differing(conn, tenants))]
    for start in range(0, len(differing), NAMES_PER_TRANSACTION):
        read_source(conn, partial(_write, conn, differing[start : start + NAMES_PER_TRANSACTION]))


def find_differing(conn: Connection, tenants: Sequence[str] | None) -> list[NameDifference]:
    """Return the names of these tenants, or of all, that differ from the source.

    The transaction has one snapshot, or the lock of names. Citus cannot read both tables in one statement.
    """
    parameters = {"user_ids": None if tenants is None else list(tenants)}
    stored: dict[str, str] = dict(conn.execute(query("tenants", "read_names"), parameters).fetchall())
    current: dict[str, str] = dict(conn.execute(query("tenants", "read_source_names"), parameters).fetchall())
    differing = [tenant for tenant in stored | current if stored.get(tenant) != current.get(tenant)]
    waiting = {*values(conn, query("tenants", "find_waiting_names"), {"user_ids": differing})}
    return [
        NameDifference(tenant, current.get(tenant), stored.get(tenant), waits=tenant in waiting)
        for tenant in differing
    ]


def _lock(conn: Connection) -> None:
    """Let transactions write names one after another, so that each sees what the previous one has written."""
    conn.execute(query("tenants", "lock_names"), {"key": locks.NAMES})


def _write(conn: Connection, user_ids: Sequence[str]) -> None:
    _lock(conn)
    differing = find_differing(conn, user_ids)
    conn.execute(statement("refresh/8_write_leads/99_note_swapped_source"))
    test_point("names")
    new = {name.user_id: name.expected for name in differing if name.expected is not None}
    if new:
        parameters = {"user_ids": list(new), "names": list(new.values())}
        conn.execute(query("tenants", "write_names"), parameters)
    gone = [name.user_id for name in differing if name.expected is None]
    if gone:
        conn.execute(query("tenants", "delete_names"), {"user_ids": gone})
