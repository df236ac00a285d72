"""What only a read model on Citus needs, which keeps its tables on several servers, by tenant.

The statements are those of PostgreSQL, but for what the dialect puts in. What Citus does otherwise is how it commits:
a transaction that wrote on several servers is prepared on each of them, then committed here, and then finished there.
So its queue rows can be gone while readers do not see its rows yet.
"""

import re
from collections.abc import Iterator, Sequence

import psycopg
from psycopg.rows import TupleRow

from projector.database.dialect import CITUS
from projector.database.rows import Connection
from projector.database.sql import query
from projector.report.errors import ConfigurationError, ProjectorError

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


def recognize(conn: Connection) -> None:
    """Prepare a new session where Citus holds the read model: the database says so, and no setting."""
    conn.has_citus = conn.execute(query("distribution", "has_citus")).fetchone() == (True,)
    if not conn.has_citus:
        return
    if conn.execute(query("distribution", "is_distributed")).fetchone() == (True,):
        conn.dialect = CITUS
    # Staged keys go to the servers that hold their tenants, never the rows of these to the keys.
    conn.execute("SELECT set_config('citus.local_table_join_policy', 'prefer-local', false)")


def staged_tenants(conn: Connection) -> list[str]:
    """Return the parameter of `{tenants}`: the tenants of what is staged."""
    return [user_id for (user_id,) in _ask(conn, "read_staged_tenants")]


def prepare_to_change(conn: Connection) -> None:
    """Let the caller's transaction change tables on the servers of Citus one by one, if there is Citus."""
    if conn.has_citus:
        conn.execute(query("distribution", "prepare_to_change"))


def statements(conn: Connection, text: str) -> Iterator[str]:
    """Return the statements of a text one by one where there is Citus, which takes no DDL otherwise; else the text."""
    if not conn.has_citus:
        yield text
        return
    for match in _STATEMENT.finditer(text):
        statement = _COMMENT.sub("", match[0]).strip()
        if statement:
            yield statement


def kept_here(conn: Connection, texts: Sequence[str]) -> Sequence[str]:
    """Return the texts so that what they create stays on the coordinator: a role without a login reaches no worker."""
    if not conn.has_citus:
        return texts
    return ["SET citus.enable_ddl_propagation = off;", *texts, "RESET citus.enable_ddl_propagation;"]


def distribute(conn: Connection) -> None:
    """Distribute the rows of each table by their tenant; raises ConfigurationError where there is no Citus."""
    if not conn.has_citus:
        raise ConfigurationError(_NO_CITUS)
    conn.execute(query("distribution", "distribute_tables"), prepare=False)
    conn.dialect = CITUS


def grant(conn: Connection) -> None:
    """Give the roles of readers what they need on Citus beside their views, in the caller's transaction."""
    if conn.dialect is CITUS:
        conn.execute(query("distribution", "grant_tables"), prepare=False)


def shards(conn: Connection) -> list[str]:
    """Return the names of the shards of the read model, and let the session see those that are here."""
    _ask(conn, "show_shards")
    return [name for (name,) in _ask(conn, "find_shards")]


def sizes(conn: Connection) -> dict[str, tuple[int, int]]:
    """Return about how many rows, and how many bytes, the distributed tables have on all servers of Citus."""
    return {name: (rows, size) for name, rows, size in _ask(conn, "measure_tables")}


def unprotected_shard(conn: Connection) -> str | None:
    """Return a shard whose policies are not those of its table: row security holds on the servers, or nowhere."""
    return next((name for (name,) in _ask(conn, "find_unprotected_shard")), None)


def is_finished(conn: Connection) -> bool:
    """Return whether the servers have finished every transaction that was committed before, whichever session did it.

    Citus notes each with what it commits here, and forgets it only when asked to end what servers have prepared. Where
    a server cannot be asked, the note stays. Whoever moves freshness asks this first, in no transaction. Raises
    ProjectorError where the login may not recover.
    """
    before = _unfinished(conn)
    if before:
        try:
            conn.execute(query("distribution", "recover_prepared_transactions"))
        except psycopg.errors.InsufficientPrivilege as error:
            raise ProjectorError(_NO_RIGHT.format(login=conn.info.user)) from error
        before &= _unfinished(conn)
    return not before


def _unfinished(conn: Connection) -> set[TupleRow]:
    """What was committed here, and for all that is known not on a server."""
    return set(_ask(conn, "find_unfinished"))


def _ask(conn: Connection, name: str) -> list[TupleRow]:
    """The rows of a query; none if the read model is not distributed."""
    return conn.execute(query("distribution", name)).fetchall() if conn.dialect is CITUS else []
