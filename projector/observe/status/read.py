"""Reads the status from the database as one document, all of it as of one moment."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache

import psycopg

from projector.capture.source import find_missing, find_source
from projector.core.preconditions import require_migrated_version
from projector.database import connect as db
from projector.database import distribution, locks, rows
from projector.database.retry import COLLIDED, retry
from projector.database.rows import Connection
from projector.database.source_names import quoted, read_tables
from projector.database.sql import PROJECTION_VERSION, document, query, query_names
from projector.observe.status import words
from projector.operate.assess import find_warnings
from projector.operate.rights import find_further_rights
from projector.operate.roles import read_access

Document = words.Group
"""The result of sql/queries/status.sql, an object for each of its queries; empty where nothing is installed.

Times are datetimes. A group that cannot be read is None. `read_status` adds to it what is found out in Python:
`capture.missing_source`, `rights` and `warnings`.
"""

COUNTED_CHANGES = 100_000
"""The changes in the queue, and what is left out, are counted up to this number, so that `status` is fast."""

RECONNECT_SECONDS = 10.0
"""How long the lock of a scheduler may be free: if the server ends its session, the scheduler reconnects."""

SILENT_SECONDS = 60.0
"""How long a scheduler may note nothing. If its host is lost, the session remains and keeps the lock."""

_SHOWN = 5

# The purposes of the locks of the projectors: any login of the database can take them.
_LOCK_PURPOSES = {
    locks.MIGRATION: "migrate",
    locks.SHARD: "refreshes",
    locks.TENANT: "refreshes",
    locks.REBUILD: "rebuilds",
    locks.JOB: "the scheduler's verify and upkeep",
}

# The names of times that do not end with _at.
_TIMES = {"as_of", "gap_since", "since"}

# The statement fails at once, instead of waiting, while another session has locked these tables exclusively.
_LOCK_ATTRIBUTES = (
    b"LOCK TABLE read_model.lead_profiles, read_model.lead_conversations IN ACCESS SHARE MODE NOWAIT"
)


def read_status(conn: Connection, *, api_role: str = "leads_api", with_sizes: bool = True) -> Document:
    """Return the status, all of it as of one moment.

    `api_role` is the role that the API takes; an empty text says that it keeps the role of its login. Without
    `with_sizes` no table is measured, which takes most of the time.

    Raises NotInstalledError where an older version was the last to migrate.
    """
    if not rows.value(conn, query("core", "is_installed")):
        return {}
    require_migrated_version(conn)
    # A session that locks the partitions of a table for itself takes them in another order.
    return retry(lambda: _read_whole(conn, api_role, with_sizes=with_sizes), COLLIDED)


def _read_whole(conn: Connection, api_role: str, *, with_sizes: bool) -> Document:
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        access = read_access(conn)
        unread = {
            "attributes_left_out": not _can_count_attributes(conn),
            "erasures": not access.is_usable,
            "tables": not with_sizes,
        }
        document = _read_document(conn, api_role, [name for name, is_unread in unread.items() if is_unread])
        if document["projection"] is None:
            return {}
        tables = read_tables(conn)
        names = quoted({table.name: table.schema for table in tables})
        source = find_source(conn, names)
        document["capture"]["missing_source"] = find_missing(tables, source)
        document["rights"] = {
            "left": access.left,
            "further": find_further_rights(conn, names.values()),
        }
        warnings = find_warnings(conn, tables, source) if with_sizes else ()
        document["warnings"] = [
            *words.missed_beside_others(document["schedulers"]),
            *(fact.text for fact in warnings),
        ]
        _add_other_servers(conn, document)
    return document


def _read_document(conn: Connection, api_role: str, unread: Sequence[str]) -> Document:
    parameters = {
        "version": PROJECTION_VERSION,
        "bound": COUNTED_CHANGES,
        "shown": _SHOWN,
        "role": api_role,
        "application_name": db.SCHEDULER_NAME,
        "classes": [*_LOCK_PURPOSES],
        "purposes": [*_LOCK_PURPOSES.values()],
        "scheduler_class": locks.SCHEDULER,
        "reconnecting": RECONNECT_SECONDS,
        "silent": SILENT_SECONDS,
    }
    text = rows.value(conn, _statement(frozenset(unread)), parameters)
    document: Document = json.loads(text, object_hook=_with_times)
    return {**document, **dict.fromkeys(unread)}


@cache
def _statement(unread: frozenset[str]) -> bytes:
    """Return the statement that reads all groups but these, each as an object under its name."""
    names = {"feeds": query("origin", "read_feeds"), "unfed_tables": query("origin", "read_unfed_tables")}
    read = [name for name in query_names("status") if name not in unread]
    return document("status", read, **{name: text.rstrip(";") for name, text in names.items()}).encode()


def _with_times(group: Document) -> Document:
    return {
        name: datetime.fromisoformat(value)
        if isinstance(value, str) and (name.endswith("_at") or name in _TIMES)
        else value
        for name, value in group.items()
    }


def _can_count_attributes(conn: Connection) -> bool:
    with suppress(psycopg.errors.LockNotAvailable), conn.transaction():
        conn.execute(_LOCK_ATTRIBUTES)
        return True
    return False


def _add_other_servers(conn: Connection, document: Document) -> None:
    """Add what only the other servers of Citus know: sizes, and a shard without row security."""
    sizes = document["tables"]["sizes"] if document["tables"] else []
    measured = distribution.sizes(conn) if sizes else {}
    for size in sizes:
        if size["table_name"] in measured:
            size["about_rows"], size["bytes"] = measured[size["table_name"]]
    sizes.sort(key=lambda size: size["bytes"], reverse=True)
    security = document["row_security"]
    shard = distribution.unprotected_shard(conn) if security["unprotected"] is None else None
    if shard is not None:
        problem = "the policies of this shard on its server are not those of its table"
        security.update(unprotected=shard, problem=problem)
