"""What only a read model on Citus needs, which keeps its tables on several servers, by tenant.

The statements are those of PostgreSQL, but for `{fence}` and `{tenants}`. What Citus does otherwise is how it commits:
a transaction that wrote on several servers is prepared on each of them, then committed here, and then finished there.
So its queue rows can be gone while readers do not see its rows yet.
"""

import re
from collections.abc import Iterator

import psycopg
from psycopg import sql as composing
from psycopg.rows import TupleRow

from projector.database.sql import FENCE, query
from projector.report.errors import ConfigurationError, RightsError

Connection = psycopg.Connection[TupleRow]

_FIRST = "read_model.tenants"
_NO_CITUS = (
    "The database has no Citus: connect to the coordinator, and have a superuser run CREATE EXTENSION citus there, and"
    " citus_add_node() for each server."
)
_NO_RIGHT = (
    "The login {login} may not ask Citus to finish what its servers have prepared. On the coordinator, have a superuser"
    " run GRANT EXECUTE ON FUNCTION pg_catalog.recover_prepared_transactions() TO {login};"
)
# A function or a DO block is one piece, whatever it has between its quotes.
_STATEMENT = re.compile(r"(?:\$(\w*)\$.*?\$\1\$|'[^']*'|--[^\n]*|[^;])+;?", re.DOTALL)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


class OwnConnection(psycopg.Connection[TupleRow]):
    """A connection that knows whether the database has Citus, and whether the read model is distributed by it."""

    has_citus = False
    on_citus = False


def own_connection(conn: Connection) -> OwnConnection:
    """Return the connection; raises TypeError for one that projector.database.connect has not made."""
    if not isinstance(conn, OwnConnection):
        raise TypeError(
            "This connection does not know whether there is Citus: use projector.database.connect.connect()."
        )
    return conn


def recognize(conn: OwnConnection) -> None:
    """Prepare a new session where Citus holds the read model: the database says so, and no setting."""
    row = conn.execute(query("citus", "has_citus")).fetchone()
    conn.has_citus = row == (True,)
    if not conn.has_citus:
        return
    conn.on_citus = conn.execute(query("citus", "is_distributed")).fetchone() == (True,)
    # Staged keys go to the servers that hold their tenants, never the rows of these to the keys.
    conn.execute("SELECT set_config('citus.local_table_join_policy', 'prefer-local', false)")


def on_citus(conn: psycopg.Connection[TupleRow]) -> bool:
    """Return whether Citus holds the read model."""
    return own_connection(conn).on_citus


def fence(conn: psycopg.Connection[TupleRow]) -> str:
    """Return what `{fence}` means in the statements of this connection: Citus takes no OFFSET in a LATERAL."""
    return "" if on_citus(conn) else FENCE


def tenants(conn: psycopg.Connection[TupleRow]) -> str:
    """Return what `{tenants}` means: Citus asks only the servers of the tenants that a statement names."""
    return "AND stored.user_id = any(%(staged_tenants)s::text[])" if on_citus(conn) else ""


def prepare_to_change(conn: Connection) -> None:
    """Let the caller's transaction change tables on the servers of Citus one by one, if there is Citus."""
    if own_connection(conn).has_citus:
        conn.execute("SELECT set_config('citus.multi_shard_modify_mode', 'sequential', true)")
        # With it, Citus would take the schema for that of a tenant.
        conn.execute("SELECT set_config('citus.enable_schema_based_sharding', 'off', true)")


def statements(conn: Connection, text: str) -> Iterator[str]:
    """Return the statements of a text one by one where there is Citus, which takes no DDL otherwise; else the text."""
    if not own_connection(conn).has_citus:
        yield text
        return
    for found in _STATEMENT.finditer(text):
        statement = _COMMENT.sub("", found[0]).strip()
        if statement:
            yield statement


def distribute(conn: Connection) -> None:
    """Place the rows of each table by their tenant, and copy those without one to each server.

    A table that is distributed already stays as it is. Raises ConfigurationError where there is no Citus.
    """
    own = own_connection(conn)
    if not own.has_citus:
        raise ConfigurationError(_NO_CITUS)
    for name, is_by_tenant in conn.execute(query("citus", "find_undistributed")).fetchall():
        if is_by_tenant:
            beside = "none" if name == _FIRST else _FIRST
            conn.execute(query("citus", "distribute"), {"name": name, "beside": beside})
        else:
            conn.execute(query("citus", "copy_everywhere"), {"name": name})
        conn.execute(query("citus", "drop_local_rows"), {"name": name})
        # The servers have this of the table, and not of the one beside it that has its long values.
        keep_pages = composing.SQL("ALTER TABLE {} SET (toast.vacuum_truncate = off)")
        conn.execute(keep_pages.format(composing.Identifier(*name.split("."))), prepare=False)
    own.on_citus = True


def complete(conn: Connection) -> None:
    """Change what a read model on Citus has otherwise, in the caller's transaction."""
    if on_citus(conn):
        conn.execute(query("citus", "place_versions"), prepare=False)
        conn.execute(query("citus", "grant_tables"), prepare=False)


def shards(conn: Connection) -> list[str]:
    """Return the names of the shards of the read model, and let the session see those that are here."""
    if not on_citus(conn):
        return []
    conn.execute(query("citus", "show_shards"))
    return [name for (name,) in conn.execute(query("citus", "find_shards")).fetchall()]


def sizes(conn: Connection) -> dict[str, tuple[int, int]]:
    """Return about how many rows, and how many bytes, the distributed tables have on all servers of Citus."""
    found = conn.execute(query("citus", "measure_tables")).fetchall() if on_citus(conn) else []
    return {name: (rows, size) for name, rows, size in found}


def unprotected_shard(conn: Connection) -> str | None:
    """Return a shard whose policies are not those of its table: row security holds on the servers, or nowhere."""
    row = conn.execute(query("citus", "find_unprotected_shard")).fetchone() if on_citus(conn) else None
    return row[0] if row else None


def is_finished(conn: Connection) -> bool:
    """Return whether the servers have finished every transaction that was committed before, whichever session did it.

    Citus notes each with what it commits here, and forgets it only when asked to end what servers have prepared. Where
    a server cannot be asked, the note stays. Whoever moves freshness asks this first, in no transaction. Raises
    RightsError where the login may not recover.
    """
    before = _unfinished(conn)
    if before:
        try:
            conn.execute(query("citus", "recover_prepared_transactions"))
        except psycopg.errors.InsufficientPrivilege as error:
            raise RightsError(_NO_RIGHT.format(login=conn.info.user)) from error
        before &= _unfinished(conn)
    return not before


def require_finished(conn: Connection) -> None:
    """Raise OperationalError where a server of Citus has not finished what was committed before."""
    if on_citus(conn) and not is_finished(conn):
        raise psycopg.OperationalError(
            "a server of Citus cannot be reached, or has not finished what was committed"
        )


def _unfinished(conn: Connection) -> set[tuple[int, str]]:
    """What was committed here, and for all that is known not on a server."""
    return set(conn.execute(query("citus", "find_unfinished")).fetchall())
