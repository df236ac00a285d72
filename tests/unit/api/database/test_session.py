"""A session of the API can read the read model and nothing else, under the tenant that each statement names."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import BigInteger, Text, bindparam, func, literal_column, select
from sqlalchemy import cast as cast_to

from api.config import Config
from api.database.connect import conninfo
from api.database.errors import ConnectionLostError
from api.database.session import Session
from api.database.statement import BoundStatement, CompiledStatement, compile_statement
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp, failing, lent_session

SETTINGS = {
    "role": b"leads_api",
    "transaction_read_only": b"on",
    "statement_timeout": b"1234ms",
    "TimeZone": b"UTC",
    "jit": b"off",
}


def test_settings(library: Library, make_app: MakeApp) -> None:
    with lent_session(make_app(library.database, statement_timeout_ms=1234)) as session:
        for name, expected in SETTINGS.items():
            assert session.connection.execute(f"SHOW {name}".encode()).fetchone() == (expected,)
        assert session.connection.autocommit


def test_the_settings_of_the_api_come_after_those_of_the_address() -> None:
    parameters = conninfo_to_dict(
        conninfo(Config("postgresql://a@b/c?options=-c%20jit%3Don&connect_timeout=9"))
    )
    options = str(parameters["options"])
    assert options.index("-c jit=on") < options.index("-c jit=off")
    assert (parameters["connect_timeout"], parameters["application_name"]) == ("9", "leads-api")


def test_a_session_keeps_so_many_statements_and_answers_any(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database.session.MAX_PREPARED_STATEMENTS", 3)
    app = make_app(library.database, threads=1)
    client = app.test_client()
    paths = ["", "/stats", "?lead_status=Hot", "?days=7", "?sort_by=name", f"/{library.phone}"]
    first, second = (
        [client.get(f"{library.base}{path}").get_json()["data"] for path in paths] for _ in range(2)
    )
    assert first == second
    with lent_session(app) as session:
        kept = session.connection.execute(
            "SELECT count(*) FROM pg_prepared_statements", prepare=False
        ).fetchone()
    assert kept == (3,)


LOCK = 77
WAITING = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s"


class NameRow(NamedTuple):
    """The tenant that PostgreSQL has been told, and the one that the statement asks for."""

    told: bytes | None
    asked: bytes


def under(tenant: str) -> CompiledStatement[NameRow]:
    """A statement that tells which tenant it runs under."""
    told = func.current_setting(literal_column("'leads.user_id'"), literal_column("true"))
    asked = cast_to(bindparam("user_id", type_=Text), Text)
    statement = select(told.label("told"), asked.label("asked"))
    return compile_statement(BoundStatement(statement, NameRow, {"user_id": tenant}))


class AnyRow(NamedTuple):
    """The row of a statement that waits, or of one without a tenant."""

    value: object


@pytest.fixture(params=["session", "transaction"])
def session(library: Library, make_app: MakeApp, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session out of the API's pool, for each of the settings."""
    with lent_session(make_app(library.database, tenant_setting=request.param)) as session:
        yield session


NAMES = ("a", "b", "b", "a", "a", "o'neil", 'back\\slash "quoted"', "Ümit 🙂", "$1", "", "a")


def test_each_statement_runs_under_the_tenant_that_it_names(session: Session) -> None:
    for name in NAMES:
        assert session.fetch(under(name)) == NameRow(name.encode(), name.encode())
        if session.connection.begin:
            # A pooler gives the connection to somebody else after each transaction.
            assert session.connection.execute("SHOW leads.user_id").fetchone() == (b"",)
            session.connection.execute("RESET ALL")
    # And under none if it names none.
    told = func.current_setting(literal_column("'leads.user_id'"), literal_column("true"))
    nobody = compile_statement(BoundStatement(select(told.label("value")), AnyRow, {}))
    for _ in range(2):
        assert session.fetch(nobody).value == b""


@cases("before", ["a", "b"])
def test_an_error_forgets_the_tenant(session: Session, before: str) -> None:
    """PostgreSQL takes a SET back with the statement that fails after it."""
    session.fetch(under(before))
    for _ in range(2):
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            session.fetch(compile_statement(failing("b")))
        assert session.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert session.fetch(under("b")).told == b"b"
        assert session.fetch(under("a")).told == b"a"


def waiting(tenant: str) -> CompiledStatement[AnyRow]:
    """A statement that waits for LOCK."""
    taken = func.pg_advisory_xact_lock(cast_to(literal_column(str(LOCK)), BigInteger))
    statement = select(cast_to(taken, Text).label("value")).where(
        bindparam("user_id", type_=Text).is_not(None)
    )
    return compile_statement(BoundStatement(statement, AnyRow, {"user_id": tenant}))


@contextmanager
def while_waiting(
    session: Session, library: Library, tenant: str
) -> Iterator[tuple[psycopg.Connection[Any], int, "Future[AnyRow]"]]:
    """A superuser who holds LOCK, the process that waits for it, and what becomes of its statement."""
    with ThreadPoolExecutor(1) as threads, library.database.connect() as superuser:
        superuser.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        asked = threads.submit(session.fetch, waiting(tenant))
        pid = None
        # If the wait kept this thread from running, the statement would end by its timeout.
        while pid is None:
            pid = superuser.execute(WAITING, (LOCK,)).fetchone()
            assert not asked.done()
        yield superuser, pid[0], asked
        superuser.execute("SELECT pg_advisory_unlock_all()")


@pytest.mark.parametrize("tenant", ["a", "b"])
def test_other_threads_run_while_a_statement_waits_and_a_connection_that_is_lost_meanwhile_is_told(
    session: Session, library: Library, tenant: str
) -> None:
    session.fetch(under("a"))
    with while_waiting(session, library, tenant) as (_, _, asked):
        assert not asked.done()
    assert asked.result() == AnyRow(b"")
    with while_waiting(session, library, tenant) as (superuser, pid, asked):
        superuser.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))
    with pytest.raises(ConnectionLostError):
        asked.result()
    with pytest.raises(ConnectionLostError):
        session.fetch(under(tenant))


def test_an_interrupted_wait_leaves_no_result_for_the_next_statement(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.fetch(under("a"))

    def interrupted(_pgconn: object) -> list[object]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("api.database.session._results", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.fetch(under("b"))
    with pytest.raises(ConnectionLostError):
        session.fetch(under("b"))
