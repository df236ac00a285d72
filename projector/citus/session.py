"""The sessions of a read model on Citus."""

from typing import Any

import psycopg
from psycopg.rows import scalar_row

from projector.source_names import SourceConnection, own_connection
from projector.sql import query

_WARNINGS = ("WARNING", "ERROR")


def is_on_citus(read_model: psycopg.Connection[Any]) -> bool:
    """Return whether Citus holds the read model.

    The database says so, and no setting: a statement for one server can delete rows of other tenants there.
    """
    if not has_citus(read_model):
        return False
    with read_model.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(query("citus", "is_distributed")).fetchone())


def has_citus(read_model: psycopg.Connection[Any]) -> bool:
    """Return whether the database has the extension."""
    with read_model.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(query("citus", "has_citus")).fetchone())


def prepare_for_citus(conn: SourceConnection) -> None:
    """Set what the statements count on, and end what a session before has left in doubt."""
    for one in (conn.read_model, conn.merging):
        if one is None:
            raise AssertionError
        # The staged keys of one tenant go to the server that holds it, never its rows to the keys.
        one.execute("SELECT set_config('citus.local_table_join_policy', 'prefer-local', false)")
        one.prepare_threshold = None
    own = conn.merging

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if own is not None and diagnostic.severity_nonlocalized in _WARNINGS:
            own.in_doubt = True

    if own is not None:
        own.add_notice_handler(note)
        own.in_doubt = True
    recover_prepared(conn)


def recover_prepared(conn: psycopg.Connection[Any]) -> None:
    """Have the servers of Citus end what they have prepared and were not told to commit.

    A server that is lost while a transaction commits has done its part of it only after that. Until then its rows are
    as before, and a batch that reads them would count their changes twice; freshness would vouch for changes that
    nobody sees. Raises an error of PostgreSQL where a server cannot be reached.
    """
    own = own_connection(conn).merging
    if own is not None and own.in_doubt:
        own.execute(query("citus", "recover_prepared_transactions"))
        own.in_doubt = False
