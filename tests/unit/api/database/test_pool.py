"""The API comes back by itself when the database does."""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, cast

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.conninfo import make_conninfo
from sqlalchemy import Integer, event, literal_column, select
from sqlalchemy import cast as cast_to

from api.database.pool import SESSION, SessionPool
from api.database.statement import BoundStatement
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.patience import PATIENCE
from tests.support.running import write_source
from tests.support.server import Database, connect
from tests.unit.api.conftest import Library, MakeApp


def wait_for(client: FlaskClient, path: str, status: int) -> None:
    """Ask until the answer has the status."""
    ends = monotonic() + PATIENCE
    while (answer := client.get(path)).status_code != status:
        assert monotonic() < ends, answer.get_json()


# Over a socket of the file system the first write already fails, and over TCP the read after it.
@pytest.mark.parametrize("by_socket", [True, False])
def test_a_server_that_stops_at_once_while_sessions_are_idle(
    start_server: Callable[..., EmbeddedServer], make_app: MakeApp, *, by_socket: bool
) -> None:
    """It says a word to each session before it closes the connection."""
    server = start_server(fast=True, synchronous_commit="on", unix_socket_directories=".")
    host = str(server.data) if by_socket else "127.0.0.1"
    with connect(server.url()) as conn:
        migrate(conn, create_source=True)
        write_source(conn)
        rebuild(conn, tenants=None, progress=QUIET)
    app = make_app(Database(make_conninfo(server.url(), host=host), ""), threads=3, log_level="CRITICAL")
    engine, client = app.extensions["leads"].database.engine, app.test_client()
    lead = "/users/u/leads/49151000001"
    # The same statement for the same tenant and for another one, and a statement that is not prepared yet.
    for path in (lead, "/users/nobody/leads", f"{lead}/messages"):
        assert client.get("/users/nobody/leads").status_code == 200
        assert client.get(lead).status_code == 200
        held = [engine.raw_connection() for _ in range(3)]
        for connection in held:
            connection.close()
        server.stop(mode="immediate")
        server.start()
        assert client.get(path).status_code == 200
        server.stop(mode="immediate")
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["message"]) == (503, "The database cannot be reached")
        server.start()
        wait_for(client, path, 200)


def test_a_first_connection_that_ends_before_its_first_query(library: Library, make_app: MakeApp) -> None:
    """SQLAlchemy asks some of its own, and wraps what they raise."""
    app = make_app(library.database, log_level="CRITICAL")
    engine = app.extensions["leads"].database.engine
    ended: list[int] = []

    def end(connection: "psycopg.Connection[object]", _record: object) -> None:
        if not ended:
            ended.append(connection.info.backend_pid)
            with library.database.connect() as conn:
                conn.execute("SELECT pg_terminate_backend(%s, %s)", (ended[0], int(PATIENCE * 1000)))

    event.listen(engine, "connect", end, insert=True)
    client = app.test_client()
    answer = client.get(library.base)
    assert (answer.status_code, answer.get_json()["message"]) == (503, "The database cannot be reached")
    wait_for(client, library.base, 200)


def test_connections_that_were_closed_meanwhile(library: Library, make_app: MakeApp) -> None:
    """A restart or a failover leaves a pool of dead connections; no caller sees that."""
    app = make_app(library.database, threads=3)
    engine = app.extensions["leads"].database.engine
    held = [engine.raw_connection() for _ in range(3)]
    backends = [connection.driver_connection.info.backend_pid for connection in held]
    for connection in held:
        connection.close()
    with library.database.connect() as conn:
        for pid in backends:
            conn.execute("SELECT pg_terminate_backend(%s, %s)", (pid, int(PATIENCE * 1000)))
    client = app.test_client()
    for _ in range(6):
        assert client.get(library.base).status_code == 200


def test_more_requests_at_once_than_connections(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database.pool.POOL_TIMEOUT_SECONDS", 0.05)
    app = make_app(library.database, threads=1, log_level="ERROR")
    # One more than its threads, for API keys.
    held = [app.extensions["leads"].database.engine.raw_connection() for _ in range(2)]
    answer = app.test_client().get(library.base)
    assert answer.status_code == 503
    assert "busy" in answer.get_json()["message"]
    assert answer.headers["Retry-After"]
    for connection in held:
        connection.close()
    assert app.test_client().get(library.base).status_code == 200


def test_a_request_does_not_wait_long_for_a_table(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database.connect.LOCK_TIMEOUT_MS", 100)
    client = make_app(database, log_level="CRITICAL", statement_timeout_ms=3_600_000).test_client()
    assert client.get("/users/a/leads").status_code == 200
    with database.connect() as conn, conn.transaction():
        conn.execute("LOCK TABLE read_model.leads")
        answer = client.get("/users/a/leads")
    assert (answer.status_code, answer.get_json()["message"]) == (
        503,
        "Another session holds a table of the read model",
    )
    assert client.get("/users/a/leads").status_code == 200


class Number(NamedTuple):
    """The row of a statement that fails."""

    number: int


def test_an_error_that_means_a_bug_is_not_its_own_cause(database: Database, make_app: MakeApp) -> None:
    """The log would follow its causes for ever, and the request would never end."""
    statement = select(cast_to(literal_column("'x'"), Integer).label("number"))
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as raised:
        make_app(database).extensions["leads"].database.fetch(BoundStatement(statement, Number, {}))
    assert raised.value.__cause__ is None


@pytest.fixture
def pool(library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> SessionPool:
    monkeypatch.setattr("api.database.pool.POOL_TIMEOUT_SECONDS", 0.05)
    app = make_app(library.database, threads=2)
    return cast("SessionPool", app.extensions["leads"].database.engine.pool)


def test_a_connection_that_was_given_up_is_not_idle_and_is_opened_anew(pool: SessionPool) -> None:
    lent = pool.lend()
    session = lent.info[SESSION]
    lent.invalidate()
    pool.give_back(lent)
    assert pool.lend_idle() is None
    assert pool.lend() is lent
    assert lent.info[SESSION] is not session
    pool.give_back(lent)


def test_one_that_cannot_be_opened_takes_no_place(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(library.database, threads=1)
    pool = cast("SessionPool", app.extensions["leads"].database.engine.pool)
    lent = pool.lend()
    lent.invalidate()
    pool.give_back(lent)

    def refuse(*_: object) -> None:
        raise OSError("no route to the host")

    connect = pool._creator  # noqa: SLF001
    for _ in range(5):
        monkeypatch.setattr(pool, "_invoke_creator", refuse)
        with pytest.raises(OSError, match="no route"):
            pool.lend()
    monkeypatch.undo()
    assert connect is pool._creator  # noqa: SLF001
    lent = pool.lend()
    pool.give_back(lent)
    assert pool.checkedin() == 1
