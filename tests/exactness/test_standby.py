"""Rebuilds beside a real standby that tells of its readers (hot_standby_feedback)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

from projector.capture import switch_off, switch_on
from projector.core import pipeline
from projector.core.refresh import refresh_with_backoff
from projector.database import locks
from projector.operate.erase import rewrite_files
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.feed_copy import Copy, serving
from tests.exactness.platform import Platform, refresh_now, value
from tests.support.patience import PATIENCE
from tests.support.running import wait_for
from tests.support.server import Database, connect
from tests.support.standby import running_standby


def test_the_readers_of_a_standby_keep_their_rows_during_rebuilds(
    start_server: Callable[..., EmbeddedServer],
) -> None:
    server = start_server(fast=True, wal_level="replica", max_wal_senders="5")
    url = server.url("leads")
    with connect(url) as conn:
        migrate(conn, create_source=True)
        platform = Platform(conn)
        platform.tenant("one")
        conversation = platform.conversation(platform.agent("one"), "4915")
        platform.message(conversation)
        rebuild(conn, tenants=None, progress=QUIET)
        with (
            running_standby(server, hot_standby_feedback="on") as replica,
            _busy(url, conversation),
        ):
            wait_for(
                lambda: bool(value(conn, "SELECT count(backend_xmin) FROM pg_stat_replication")), "feedback"
            )
            with psycopg.connect(replica.url) as reader:
                reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                reader.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'".encode())
                assert reader.execute("SELECT count(*) FROM read_model.leads").fetchone() == (1,)
                for _ in range(3):
                    conn.execute("UPDATE read_model.leads SET document = document || ' '")
                    rebuild(conn, tenants=None, progress=QUIET)
                    # Another reader, which comes while this one holds its table, does not wait for the rebuild
                    # either.
                    with replica.connect() as other:
                        other.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'".encode())
                        assert other.execute("SELECT count(*) FROM read_model.leads").fetchone() == (1,)
                    assert reader.execute("SELECT count(*) FROM read_model.leads").fetchone() == (1,)
        refresh_now(conn)


def test_which_commands_lock_what_a_standby_reads(start_server: Callable[..., EmbeddedServer]) -> None:
    """docs/scaling.md lists them. A standby replays each ACCESS EXCLUSIVE lock, and no other."""
    server = start_server(fast=True, synchronous_commit="on")
    with connect(server.url()) as conn:
        conn.execute("CREATE EXTENSION pg_walinspect")
        migrate(conn, create_source=True)
        platform = Platform(conn)
        platform.tenant("one")
        conversation = platform.conversation(platform.agent("one"), "4915")
        everything = "read_model.leads"

        def first_build() -> None:
            rebuild(conn, tenants=None, progress=QUIET)

        assert everything in _locked_by(conn, first_build)

        def ordinary_work() -> None:
            platform.message(conversation)
            refresh_now(conn)
            conn.execute("UPDATE read_model.leads SET document = document || ' '")
            rebuild(conn, tenants=None, progress=QUIET)
            verify(conn, tenants=None, sample=None, heal=True, progress=QUIET)
            _vacuum_emptied_tables(conn)
            switch_off(conn, "a test")
            switch_on(conn)
            refresh_now(conn)

        assert _locked_by(conn, ordinary_work) == set()
        assert _locked_by(conn, lambda: migrate(conn, create_source=False)) != set()
        # What `erase --vacuum` does.
        assert everything in _locked_by(conn, lambda: rewrite_files(conn, QUIET))


def _vacuum_emptied_tables(conn: psycopg.Connection[TupleRow]) -> None:
    """Empty a table and its TOAST table, and vacuum both as autovacuum does: each by itself."""
    conn.execute(
        "INSERT INTO leads_access.api_keys (prefix, key_hash, all_tenants, label)"
        " SELECT 'gone-' || n, sha256(n::text::bytea), true,"
        "  (SELECT string_agg(sha256((n * 1000 + i)::text::bytea)::text, '') FROM generate_series(1, 200) AS i)"
        " FROM generate_series(1, 100) AS n"
    )
    toast = value(
        conn,
        "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'leads_access.api_keys'::regclass",
    )
    pages = f"SELECT pg_relation_size('{toast}') / 8192"
    assert value(conn, pages) > 50
    conn.execute("DELETE FROM leads_access.api_keys")
    for table in ("leads_access.api_keys", toast):
        conn.execute(f"VACUUM {table}".encode())
    assert value(conn, pages) > 50


def _locked_by(conn: psycopg.Connection[TupleRow], work: Callable[[], object]) -> set[str]:
    """The tables of the API on which some work took an ACCESS EXCLUSIVE lock, by what it wrote into the WAL."""

    def position() -> str:
        # The commit of a transaction with an id flushes all that was written before.
        conn.execute("SELECT pg_current_xact_id()")
        return str(value(conn, "SELECT pg_current_wal_flush_lsn()::text"))

    begin = position()
    work()
    rows = conn.execute(
        "SELECT DISTINCT coalesce(t.oid, c.oid)::regclass::text"
        " FROM pg_get_wal_records_info(%s, %s) AS w"
        " CROSS JOIN regexp_matches(w.description, 'rel ([0-9]+)', 'g') AS found (names)"
        " INNER JOIN pg_class AS c ON c.oid = found.names[1]::oid"
        " LEFT JOIN pg_class AS t ON t.reltoastrelid = c.oid"
        " WHERE w.resource_manager = 'Standby' AND w.record_type = 'LOCK'"
        "  AND coalesce(t.relnamespace, c.relnamespace)"
        "   IN ('read_model'::regnamespace, 'leads_access'::regnamespace)",
        (begin, position()),
    ).fetchall()
    return {name for (name,) in rows}


@contextmanager
def _busy(url: str, conversation: str) -> Iterator[None]:
    """A platform that never stops to write, and a projector beside it."""
    stop = threading.Event()

    def work() -> None:
        with connect(url, application_name="busy") as conn:
            pipeline.prepare_session(conn)
            platform = Platform(conn, 500)
            while not stop.wait(0.05):
                platform.message(conversation, "more")
                refresh_with_backoff(conn, locks.SHARDS, size=1000, limit=1000)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def test_a_failover_ends_the_tokens_of_the_change_feed(start_server: Callable[..., EmbeddedServer]) -> None:
    """The standby may lack what the primary had already reported."""
    server = start_server(fast=True, wal_level="replica", max_wal_senders="5")
    with connect(server.url("leads")) as conn:
        migrate(conn, create_source=True)
        platform = Platform(conn)
        platform.tenant("one")
        platform.message(platform.conversation(platform.agent("one"), "4915"))
        rebuild(conn, tenants=None, progress=QUIET)
        with (
            running_standby(server, hot_standby_feedback="on") as replica,
            serving(Database(server.url("leads"), "leads")) as primary_api,
            serving(Database(replica.url, "leads")) as standby_api,
        ):
            copy = Copy(primary_api.test_client())
            copy.begin()
            # As long as it follows, it tells the same history.
            copy.client = standby_api.test_client()
            assert copy.follow() == []
            replica.promote()
            assert copy.ask()[0] == 410
            copy.begin()
            assert copy.leads == copy.list() != {}
            assert copy.follow() == []
