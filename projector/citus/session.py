"""The sessions of a read model on Citus."""

from typing import Any

import psycopg
from psycopg.rows import scalar_row

from projector.errors import RightsError
from projector.source_names import SourceConnection, own_connection
from projector.sql import query

_WARNINGS = ("WARNING", "ERROR")

_NO_RIGHT = (
    "The login {login} may not ask Citus to end what its servers have prepared. On the coordinator, have a superuser"
    " run GRANT EXECUTE ON FUNCTION pg_catalog.recover_prepared_transactions() TO {login};"
)


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
    own = conn.merging
    if own is None:
        raise AssertionError

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized in _WARNINGS:
            own.in_doubt = True

    for one in (conn.read_model, own):
        # The staged keys of one tenant go to the server that holds it, never its rows to the keys.
        one.execute("SELECT set_config('citus.local_table_join_policy', 'prefer-local', false)")
        # A role or a database can have a setting that hides the warnings.
        one.execute("SELECT set_config('client_min_messages', 'notice', false)")
        one.add_notice_handler(note)
        one.prepare_threshold = None
    own.in_doubt = True
    recover_prepared(conn)


def recover_prepared(conn: psycopg.Connection[Any]) -> None:
    """Have the servers of Citus end what they have prepared and were not told to commit.

    A server that is lost while a transaction commits has done its part of it only after that. Until then its rows are
    as before, and a batch that reads them would count their changes twice; freshness would vouch for changes that
    nobody sees.

    Raises OperationalError where a server cannot be reached, and RightsError where the login may not do that.
    """
    own = own_connection(conn).merging
    if own is None or not own.in_doubt:
        return
    own.in_doubt = False
    try:
        own.execute(query("citus", "recover_prepared_transactions"))
    except BaseException as error:
        own.in_doubt = True
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            raise RightsError(_NO_RIGHT.format(login=own.info.user)) from error
        raise
    # Citus warns of a server that it cannot reach.
    if own.in_doubt:
        raise psycopg.OperationalError(
            "a server of Citus cannot be reached, and may have prepared what it was not told to commit"
        )
