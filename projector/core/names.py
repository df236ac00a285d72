"""The names of the tenants, which no lead depends on: read_model.tenant_names.

A refresh writes those that its changes name. A rebuild, a heal and a first build write all that differ.
"""

from collections.abc import Sequence
from functools import partial

from projector.core.pipeline import reach
from projector.core.source_reads import read_source
from projector.database import locks
from projector.database.rows import Connection, Row, values
from projector.database.sql import query, statement

NAMES_PER_TRANSACTION = 1000
"""Names that a rebuild writes in one transaction."""


def write_taken(conn: Connection) -> None:
    """Write the names that the taken changes concern, in the caller's transaction."""
    _lock(conn)
    _write(conn, values(conn, query("tenants", "read_taken_names")))


def write_all(conn: Connection, tenants: Sequence[str] | None) -> None:
    """Write the names of these tenants, or of all, that are not those of the source."""
    differing = [one.user_id for one in read_source(conn, lambda: find_differing(conn, tenants))]
    for start in range(0, len(differing), NAMES_PER_TRANSACTION):
        read_source(conn, partial(_write, conn, differing[start : start + NAMES_PER_TRANSACTION]))


def find_differing(conn: Connection, tenants: Sequence[str] | None) -> list[Row]:
    """Return the names of these tenants, or of all, that are not those of the source.

    Each has user_id, expected and found, the two names, None for none; and waits, whether a change of it waits. The
    transaction has one snapshot, or the lock of names. Citus takes no statement that reads both tables.
    """
    wanted = {"user_ids": None if tenants is None else list(tenants)}
    stored: dict[str, str] = dict(conn.execute(query("tenants", "read_names"), wanted).fetchall())
    current: dict[str, str] = dict(conn.execute(query("tenants", "read_source_names"), wanted).fetchall())
    differing = [one for one in stored | current if stored.get(one) != current.get(one)]
    waiting = {*values(conn, query("tenants", "find_waiting_names"), {"user_ids": differing})}
    return [
        Row(user_id=one, expected=current.get(one), found=stored.get(one), waits=one in waiting)
        for one in differing
    ]


def _lock(conn: Connection) -> None:
    """Let one transaction after the other write names: a later statement sees what the one before has written."""
    conn.execute(query("tenants", "lock_names"), {"key": locks.NAMES})


def _write(conn: Connection, user_ids: Sequence[str]) -> None:
    _lock(conn)
    differing = find_differing(conn, user_ids)
    conn.execute(statement("refresh/8_write_leads/99_note_swapped_source"))
    reach("names")
    known = [one for one in differing if one.expected is not None]
    if known:
        names = {"user_ids": [one.user_id for one in known], "names": [one.expected for one in known]}
        conn.execute(query("tenants", "write_names"), names)
    gone = [one.user_id for one in differing if one.expected is None]
    if gone:
        conn.execute(query("tenants", "delete_names"), {"user_ids": gone})
