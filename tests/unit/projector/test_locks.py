"""Advisory locks of a session."""

import psycopg
from psycopg.rows import TupleRow

from projector.database import locks
from tests.support.server import Database


def test_a_lock_of_another_session_is_not_waited_for(
    database: Database, connection: psycopg.Connection[TupleRow]
) -> None:
    with database.connect() as other:
        with locks.try_session_lock(connection, locks.JOB, locks.PRUNE_JOB) as taken:
            assert taken
            with locks.try_session_lock(other, locks.JOB, locks.PRUNE_JOB) as taken_by_other:
                assert not taken_by_other
            with locks.try_session_lock(other, locks.JOB, locks.VERIFY_JOB) as taken_by_other:
                assert taken_by_other
        with locks.try_session_lock(other, locks.JOB, locks.PRUNE_JOB) as taken_by_other:
            assert taken_by_other
