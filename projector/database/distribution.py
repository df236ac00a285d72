"""The read model on Citus, which distributes its tables over several servers by tenant.

The statements are those of PostgreSQL, except for the texts of the dialect. Citus commits differently: a transaction
that wrote on several servers is prepared on each of them, then committed here, and then finished there. So its queue
rows can be gone while readers do not see its other rows yet.
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
# A function or a DO block is one statement, whatever is between its dollar quotes.
_STATEMENT = re.compile(r"(?:\$(\w*)\$.*?\$\1\$|'[^']*'|--[^\n]*|[^;])+;?", re.DOTALL)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


def recognize(conn: Connection) -> None:
    """Prepare a new session for a read model on Citus, which the database itself shows."""
    conn.has_citus = conn.execute(query("distribution", "has_citus")).fetchone() == (True,)
    if not conn.has_citus:
        return
    if conn.execute(query("distribution", "is_distributed")).fetchone() == (True,):
        conn.dialect = CITUS
    # Send staged keys to the servers of their tenants, instead of fetching the rows from there.
    conn.execute("SELECT set_config('citus.local_table_join_policy', 'prefer-local', false)")


def staged_tenants(conn: Connection) -> list[str]:
    """Return the parameter of `{tenants}`: the tenants in the staging tables."""
    return [user_id for (user_id,) in _ask(conn, "read_staged_tenants")]


def prepare_to_change(conn: Connection) -> None:
    """Let the caller's transaction change tables on the servers of Citus one by one, if there is Citus."""
    if conn.has_citus:
        conn.execute(query("distribution", "prepare_to_change"))


def statements(conn: Connection, text: str) -> Iterator[str]:
    """Return the whole text, or on Citus, which takes no other DDL, its statements one by one."""
    if not conn.has_citus:
        yield text
        return
    for match in _STATEMENT.finditer(text):
        statement = _COMMENT.sub("", match[0]).strip()
        if statement:
            yield statement


def kept_here(conn: Connection, texts: Sequence[str]) -> Sequence[str]:
    """Return the texts so that their objects stay on the coordinator: a role without login reaches no worker."""
    if not conn.has_citus:
        return texts
    return ["SET citus.enable_ddl_propagation = off;", *texts, "RESET citus.enable_ddl_propagation;"]


def distribute(conn: Connection) -> None:
    """Distribute the rows of each table by their tenant. Raises ConfigurationError without Citus."""
    if not conn.has_citus:
        raise ConfigurationError(_NO_CITUS)
    conn.execute(query("distribution", "distribute_tables"), prepare=False)
    conn.dialect = CITUS


def grant(conn: Connection) -> None:
    """Grant the roles of readers what they need on Citus besides their views, in the caller's transaction."""
    if conn.dialect is CITUS:
        conn.execute(query("distribution", "grant_tables"), prepare=False)


def shards(conn: Connection) -> list[str]:
    """Return the names of the shards of the read model, and make the local ones visible to the session."""
    _ask(conn, "show_shards")
    return [name for (name,) in _ask(conn, "find_shards")]


def sizes(conn: Connection) -> dict[str, tuple[int, int]]:
    """Return the approximate numbers of rows and of bytes of the distributed tables on all servers of Citus."""
    return {name: (rows, size) for name, rows, size in _ask(conn, "measure_tables")}


def unprotected_shard(conn: Connection) -> str | None:
    """Return a shard whose policies differ from those of its table, or None: row security works on the shards alone."""
    return next((name for (name,) in _ask(conn, "find_unprotected_shard")), None)


def is_finished(conn: Connection) -> bool:
    """Return whether the servers have finished every transaction that was committed before, of any session.

    Citus notes each with its commit here, and removes the note only when it is asked to recover prepared transactions.
    The note stays if a server does not answer. Freshness advances only after this check, which runs outside of a
    transaction. Raises ProjectorError if the login may not recover.
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
    """Return the transactions that were committed here, and may not be finished on a server."""
    return set(_ask(conn, "find_unfinished"))


def _ask(conn: Connection, name: str) -> list[TupleRow]:
    """Return the rows of a query; none if the read model is not distributed."""
    return conn.execute(query("distribution", name)).fetchall() if conn.dialect is CITUS else []
