"""A failure of the database is a 503 that says what it means, or a mistake of ours; the API comes back by itself."""

from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from psycopg.conninfo import make_conninfo

from api.database.errors import (
    GAVE_WAY,
    NO_RIGHTS,
    NOT_INSTALLED,
    OTHER_VERSION,
    ReplayConflictError,
    UnavailableError,
    raise_for_caller,
)
from api.database.session import Session
from api.database.statement import CompiledStatement, Row
from projector.operate.install import migrate
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.platform import rebuild_now
from tests.support.cases import cases
from tests.support.patience import PATIENCE
from tests.support.running import wait_for, write_source
from tests.support.server import Database, connect
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.response.test_errors import check

PASSING = {
    GAVE_WAY: ReplayConflictError("canceling statement due to conflict with recovery"),
    "Another session holds a table of the read model": psycopg.errors.DeadlockDetected("deadlock detected"),
    "A transaction of another session came between": psycopg.errors.SerializationFailure(
        "could not serialize"
    ),
}


@cases("said", PASSING)
@cases("failures", [1, 2])
def test_a_query_that_met_others_is_asked_once_more(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, said: str, failures: int
) -> None:
    app = make_app(library.database, log_level="CRITICAL", answers_mb=0)
    assert app.test_client().get(library.base).status_code == 200
    fetch, left = Session.fetch, [PASSING[said]] * failures

    def fail_first(session: Session, statement: CompiledStatement[Row]) -> Row:
        if left:
            raise left.pop()
        return fetch(session, statement)

    monkeypatch.setattr(Session, "fetch", fail_first)
    answer = app.test_client().get(library.base)
    if failures == 1:
        assert answer.status_code == 200
    else:
        assert check(answer, 503) == said
        assert int(answer.headers["Retry-After"]) >= 1
    assert left == []


def test_what_libpq_itself_reports_means_that_the_connection_is_lost() -> None:
    """psycopg has no class for it, because there is no SQLSTATE."""
    with pytest.raises(UnavailableError, match="cannot be reached"):
        raise_for_caller(psycopg.DatabaseError("server closed the connection"))
    mistake = psycopg.ProgrammingError("cannot adapt type")
    with pytest.raises(psycopg.ProgrammingError) as raised:
        raise_for_caller(mistake)
    assert raised.value is mistake
    # The log would follow its causes for ever, and the request would never end.
    assert raised.value.__cause__ is None


def message(app: Flask, path: str) -> str:
    """What a request is answered with 503, and readiness too."""
    client = app.test_client()
    said = check(client.get(path), 503)
    assert check(client.get("/health/ready"), 503) == said
    return said


def test_a_database_without_the_read_model(source_database: Database, make_app: MakeApp) -> None:
    assert message(make_app(source_database), "/users/a/leads") == NOT_INSTALLED
    assert "`python -m projector migrate`" in NOT_INSTALLED


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        # Tables of an older version are not all there yet, which is not the same as none.
        (
            "ALTER TABLE read_model.lead_totals RENAME TO lead_span_stats",
            "/users/a/leads/stats",
            OTHER_VERSION,
        ),
        ("ALTER TABLE read_model.leads RENAME COLUMN document TO page", "/users/a/leads/1", OTHER_VERSION),
        ("REVOKE SELECT ON read_model.leads FROM leads_api", "/users/a/leads", NO_RIGHTS),
        ("REVOKE USAGE ON SCHEMA read_model FROM leads_api", "/users/a/leads", NO_RIGHTS),
    ],
)
def test_a_read_model_that_cannot_be_read(
    database: Database, make_app: MakeApp, change: str, path: str, said: str
) -> None:
    with database.connect() as conn:
        conn.execute(change.encode())
    assert message(make_app(database), path) == said


def test_a_server_that_stops_at_once_while_sessions_are_idle(
    start_server: Callable[..., EmbeddedServer], make_app: MakeApp
) -> None:
    """It says a word to each session before it closes the connection."""
    server = start_server(fast=True, synchronous_commit="on", unix_socket_directories=".")
    with connect(server.url()) as conn:
        migrate(conn, create_source=True)
        write_source(conn)
        rebuild_now(conn)
    # Over a socket of the file system the first write already fails, and over TCP the read after it.
    urls = [make_conninfo(server.url(), host=host) for host in (str(server.data), "127.0.0.1")]
    apps = [make_app(Database(url, ""), threads=3, log_level="CRITICAL") for url in urls]
    lead = "/users/u/leads/49151000001"
    # The same statement for the same tenant and for another one, and a statement that is not prepared yet.
    for path in (lead, "/users/nobody/leads", f"{lead}/messages"):
        for app in apps:
            client, database = app.test_client(), app.extensions["leads"].database
            assert client.get("/users/nobody/leads").status_code == 200
            assert client.get(lead).status_code == 200
            for session in [database.lend() for _ in range(3)]:
                database.give_back(session)
        server.stop(mode="immediate")
        server.start()
        assert [app.test_client().get(path).status_code for app in apps] == [200, 200]
        server.stop(mode="immediate")
        for app in apps:
            answer = app.test_client().get(path)
            assert (answer.status_code, answer.get_json()["message"]) == (
                503,
                "The database cannot be reached",
            )
        server.start()
        for client in (app.test_client() for app in apps):
            wait_for(lambda: client.get(path).status_code == 200, "it answers", PATIENCE)  # noqa: B023  # Now.


def test_more_requests_at_once_than_connections(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database.pool.POOL_TIMEOUT_SECONDS", 0.05)
    app = make_app(library.database, threads=1, log_level="ERROR")
    database = app.extensions["leads"].database
    # Two more than its threads, for API keys.
    held = [database.lend() for _ in range(3)]
    answer = app.test_client().get(library.base)
    assert answer.status_code == 503
    assert "busy" in answer.get_json()["message"]
    assert answer.headers["Retry-After"]
    for session in held:
        database.give_back(session)
    assert app.test_client().get(library.base).status_code == 200


def test_a_request_does_not_wait_long_for_a_table(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database.connect.LOCK_TIMEOUT_MS", 100)
    settings = {"log_level": "CRITICAL", "statement_timeout_ms": 3_600_000, "answers_mb": 0}
    client = make_app(database, **settings).test_client()
    assert client.get("/users/a/leads").status_code == 200
    with database.connect() as conn, conn.transaction():
        conn.execute("LOCK TABLE read_model.leads")
        answer = client.get("/users/a/leads")
    assert (answer.status_code, answer.get_json()["message"]) == (
        503,
        "Another session holds a table of the read model",
    )
    assert client.get("/users/a/leads").status_code == 200
