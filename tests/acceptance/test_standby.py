"""The API on a real streaming standby: the answers of the primary, through conflicts with replay and a promotion."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from werkzeug.test import TestResponse

from api.database import connect as sessions
from api.database import pool
from api.database.errors import GAVE_WAY
from api.database.key_table import KeyTableError, key_table
from projector.capture.control import switch_off, switch_on
from projector.database import connect as db
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.errors import ProjectorError
from projector.report.progress import QUIET
from projector.scheduler.refresh import look
from projector.sweep.verify import verify
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.platform import rebuild_now, refresh_now
from tests.exactness.test_clock import jump, set_back_twice
from tests.exactness.test_settings import paths_of
from tests.oracle import read_model
from tests.support import edge_cases
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.running import (
    value,
    wait_for,
    wait_until,
    write_conversations,
    write_message,
    write_source,
)
from tests.support.server import FAST, Database, connect, running_server
from tests.support.standby import Standby, running_standby
from tests.unit.api.conftest import NOW, making_apps

# Of sessions that wait for another one of the test: longer than the test takes.
LONG_MS = int(UNREACHED * 1000)
LOCK = 77


@dataclass(frozen=True)
class Pair:
    """A primary with a built read model, and its standby, which never waits for readers and never hears of them."""

    server: EmbeddedServer
    conn: Connection
    standby: Standby

    def refresh(self) -> None:
        refresh_now(self.conn)


@contextmanager
def built_server() -> Iterator[tuple[EmbeddedServer, Connection]]:
    with (
        running_server(**{**FAST, "synchronous_commit": "on", "autovacuum": "off"}) as server,
        connect(server.url()) as conn,
    ):
        migrate(conn, create_source=True)
        edge_cases.write(conn, edge_cases.generate(random.Random(7), 40, now=NOW))
        write_source(conn)
        write_conversations(conn, 3, first=2)
        rebuild_now(conn)
        refresh_now(conn)
        yield server, conn


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with (
        built_server() as (server, conn),
        running_standby(server, max_standby_streaming_delay="0", hot_standby_feedback="off") as standby,
    ):
        yield Pair(server, conn, standby)


MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def ask() -> Iterator[MakeClient]:
    """Makes clients of the API on an address; their sessions are closed after the test."""
    with making_apps() as make:
        yield lambda url, **settings: make(
            Database(url, ""), log_level="CRITICAL", statement_timeout_ms=LONG_MS, **settings
        ).test_client()


def printed(answer: TestResponse) -> tuple[object, ...]:
    """An answer without its timestamp and correlation id, which come last."""
    told = (answer.headers.get(name) for name in ("X-Data-As-Of", "ETag"))
    return answer.status_code, *told, answer.get_data().rpartition(b'"timestamp"')[0] or answer.get_data()


@pytest.mark.parametrize("tenant_setting", ["session", "transaction"])
def test_a_standby_gives_the_answers_of_its_primary(pair: Pair, ask: MakeClient, tenant_setting: str) -> None:
    pair.standby.catch_up()
    there, here = (ask(url, tenant_setting=tenant_setting) for url in (pair.standby.url, pair.server.url()))
    for path in paths_of(read_model(pair.conn)):
        answer = printed(there.get(path))
        assert answer == printed(here.get(path)), path
        assert answer[0] == 200, path


def test_a_moment_that_comes_twice_is_promised_once_by_a_standby(pair: Pair, ask: MakeClient) -> None:
    client = ask(pair.standby.url)

    def promised() -> str | None:
        pair.standby.catch_up()
        return client.get("/users/u/leads").headers.get("X-Data-As-Of")

    set_back_twice(pair.conn)
    jump(pair.conn, 10.0)
    assert promised() is None
    look(pair.conn, timedelta(0))
    assert promised() is None
    pair.conn.execute("DELETE FROM projector.capture_gaps")
    pair.refresh()
    assert promised() is not None


def test_keys_are_written_to_the_primary_among_several_hosts(pair: Pair) -> None:
    primary = conninfo_to_dict(pair.server.url())
    hosts = {"host": f"{primary['host']},{primary['host']}", "port": f"{pair.standby.port},{primary['port']}"}
    with key_table(make_conninfo(pair.server.url(), **hosts)) as table:
        table.add("prefix", b"x" * 32, user_id="u", label="a test", expires_at=None)
        assert table.revoke("prefix")
    with (
        pytest.raises(KeyTableError, match="read-only server, such as a standby"),
        key_table(pair.standby.url),
    ):
        pass


def test_a_query_that_replay_cancels_is_asked_once_more(
    pair: Pair, ask: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy of the test waits for a lock, so that the statement of the request takes as long as the test wants."""
    monkeypatch.setattr(sessions, "LOCK_TIMEOUT_MS", LONG_MS)
    # Long enough that the whole VACUUM has been replayed, on a slow machine too.
    monkeypatch.setattr(pool, "PASSING_PAUSE_SECONDS", 2)
    pair.conn.execute(
        f"CREATE POLICY slow ON read_model.leads AS RESTRICTIVE FOR SELECT TO leads_api"
        f" USING ((SELECT pg_advisory_xact_lock_shared({LOCK})) IS NOT NULL)"
    )
    pair.standby.catch_up()
    client, seen = ask(pair.standby.url, answers_mb=0), set[object]()

    def reads() -> bool:
        """Whether a statement reads the lead that did not do so the last time."""
        rows = held.execute(
            "SELECT a.query_start FROM pg_locks AS l INNER JOIN pg_stat_activity AS a USING (pid)"
            " WHERE l.locktype = 'advisory' AND NOT l.granted AND l.objid = %s",
            (LOCK,),
        ).fetchall()
        new = {start for (start,) in rows} - seen
        seen.update(new)
        return bool(new)

    try:
        with ThreadPoolExecutor(1) as threads, pair.standby.connect() as held:
            for cancelled in (1, 2):
                held.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
                asking = threads.submit(client.get, "/users/u/leads/49151000002")
                for _ in range(cancelled):
                    wait_for(reads, "it reads the lead")
                    # The standby has to remove row versions that the statement may still see.
                    pair.conn.execute("UPDATE read_model.leads SET document = document || ' '")
                    pair.conn.execute("VACUUM read_model.leads")
                if cancelled == 1:
                    wait_for(reads, "it reads the lead once more")
                    held.execute("SELECT pg_advisory_unlock_all()")
                answer = asking.result(PATIENCE)
                if cancelled == 1:
                    phone = answer.get_json()["data"]["customer_phone"]
                    assert (answer.status_code, phone) == (200, "49151000002")
                else:
                    assert (answer.status_code, answer.get_json()["message"]) == (503, GAVE_WAY)
                    assert answer.headers["Retry-After"]
                held.execute("SELECT pg_advisory_unlock_all()")
    finally:
        pair.conn.execute("DROP POLICY slow ON read_model.leads")


def test_nothing_that_runs_by_itself_makes_the_requests_of_a_standby_wait(ask: MakeClient) -> None:
    """A reader that holds tables there, such as pg_dump, stops replay at the first strong lock, and with it everybody.

    This standby never cancels a reader, so that replay would stand still for as long as the reader stays.
    """
    with (
        built_server() as (server, conn),
        running_standby(server, max_standby_streaming_delay="-1", hot_standby_feedback="off") as standby,
        psycopg.connect(standby.url) as reader,
    ):
        client = ask(standby.url)
        # Those that the API reads.
        tables = value(
            conn,
            "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class AS c WHERE c.relkind = 'r'"
            " AND c.relnamespace IN ('read_model'::regnamespace, 'leads_access'::regnamespace)",
        )
        reader.execute(f"LOCK TABLE {tables} IN ACCESS SHARE MODE".encode())
        write_message(conn, "beside")
        refresh_now(conn)
        # Each document differs, so that the rebuild writes them all. Then a whole tenant goes, from the ends of
        # the tables, and VACUUM could truncate them.
        conn.execute("UPDATE read_model.leads SET document = document || ' '")
        rebuild_now(conn)
        verify(conn, tenants=None, sample=None, heal=True, progress=QUIET)
        switch_off(conn, "a test")
        switch_on(conn)
        fill_and_empty(conn)
        conn.execute(f"VACUUM (ANALYZE) {tables}".encode())
        standby.catch_up()
        answer = client.get("/users/u/leads/49151000001/messages")
        assert answer.get_json()["data"]["messages"][-1]["message_id"] == "beside"


def fill_and_empty(conn: Connection) -> None:
    """Leave pages without rows at the ends of tables."""
    conn.execute(
        "INSERT INTO read_model.tenants (user_id) SELECT 'gone-' || n FROM generate_series(1, 3000) AS n"
    )
    conn.execute("DELETE FROM read_model.tenants WHERE user_id LIKE 'gone-%'")
    conn.execute(
        "INSERT INTO leads_access.api_keys (prefix, key_hash, all_tenants, label)"
        " SELECT 'gone-' || n, sha256(n::text::bytea), true,"
        "  (SELECT string_agg(sha256((n * 1000 + i)::text::bytea)::text, '') FROM generate_series(1, 200) AS i)"
        " FROM generate_series(1, 100) AS n"
    )
    conn.execute("DELETE FROM leads_access.api_keys")


def test_a_promoted_standby_goes_on(ask: MakeClient) -> None:
    with (
        built_server() as (server, conn),
        running_standby(server, hot_standby_feedback="on") as standby,
    ):
        client = ask(standby.both(target_session_attrs="prefer-standby"))
        lead = "/users/u/leads/49151000001"
        assert client.get(lead).status_code == 200
        standby_sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leads-api'"
        with standby.connect() as there:
            assert there.execute(standby_sessions).fetchone() != (0,)
        before = client.get(lead).headers["X-Data-As-Of"]
        with pytest.raises(ProjectorError, match="is a standby"):
            db.connect(standby.url, application_name="test")
        # What waits when the primary is lost is drained by the one that takes its place.
        write_message(conn, "late")
        standby.catch_up()
        conn.close()
        server.stop(mode="immediate")
        assert client.get(lead).status_code == 200
        standby.promote()
        with db.connect(standby.both(), application_name="test") as promoted:
            assert promoted.info.port == standby.port
            refresh_now(promoted)
            wait_until(promoted, "NOT EXISTS (SELECT FROM projector.changes)")
            report = verify(promoted, tenants=None, sample=None, heal=False, progress=QUIET)
            assert report.drifts == []
        answer = client.get(f"{lead}/messages")
        assert answer.get_json()["data"]["messages"][-1]["message_id"] == "late"
        assert answer.headers["X-Data-As-Of"] > before
