"""A snapshot is one moment of one tenant, on a connection that is given back."""

from typing import NamedTuple

import psycopg
import pytest
from sqlalchemy import Text, func, literal_column, select

from api.config import Config
from api.database.errors import UnavailableError
from api.database.snapshot import Snapshot
from api.database.statement import BoundStatement
from api.plan.sql import USER, leads
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from tests.support.running import write_conversations, write_source
from tests.support.server import Database


class CountRow(NamedTuple):
    leads: int


class TextRow(NamedTuple):
    text: bytes


COUNT = select(func.count().label("leads")).select_from(leads).where(leads.c.user_id == USER)


@pytest.fixture
def filled(database: Database) -> Database:
    """Two leads of a tenant, and one of another."""
    with database.connect() as conn:
        write_source(conn)
        write_conversations(conn, 1, first=2)
        write_source(conn, "v")
        refresh(conn, retry_failed=False, progress=QUIET)
    return database


def test_row_security_shows_its_tenant_alone(filled: Database) -> None:
    """Whatever a statement asks for: this one asks for another tenant."""
    snapshot = Snapshot(Config(filled.url), "u")
    assert snapshot.fetch(BoundStatement(COUNT, CountRow, {"user_id": "v"})) == (0,)
    snapshot.close()


def test_it_may_only_read(filled: Database) -> None:
    with filled.connect() as conn:
        conn.execute("CREATE SEQUENCE public.numbers")
        conn.execute("GRANT USAGE ON SEQUENCE public.numbers TO leads_api")
    snapshot = Snapshot(Config(filled.url), "u")
    made = select(func.nextval("public.numbers").label("leads"))
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        snapshot.fetch(BoundStatement(made, CountRow, {}))
    snapshot.close()


def test_failures_are_those_that_a_caller_may_see(filled: Database) -> None:
    with pytest.raises(UnavailableError, match="does not exist"):
        Snapshot(Config(filled.url, role="leads_no_such_role"), "u")
    broken = psycopg.conninfo.make_conninfo(filled.url, port=1)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        Snapshot(Config(broken), "u")
    snapshot = Snapshot(Config(filled.url), "u")
    missing = select(literal_column("no_such()", Text).label("text"))
    with pytest.raises(psycopg.errors.UndefinedFunction):
        snapshot.open(BoundStatement(missing, TextRow, {"user_id": "u"}))
    snapshot.close()
