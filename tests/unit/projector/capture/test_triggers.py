"""The triggers as `migrate` installs them. tests/exactness/ shows what they capture."""

import psycopg
from psycopg.rows import TupleRow

from projector import capture
from projector.capture.functions import captured_tables
from tests.support.running import value

Connection = psycopg.Connection[TupleRow]

COUNT = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads\\_capture\\_%'"


def test_every_captured_table_has_five_triggers(conn: Connection) -> None:
    assert value(conn, COUNT) == 5 * len(captured_tables())
    capture.uninstall(conn)
    assert value(conn, COUNT) == 0
    capture.install(conn)
    assert value(conn, COUNT) == 5 * len(captured_tables())
    assert capture.find_gap(conn) is None
