"""Rebuilds beside a real standby that tells of its readers (hot_standby_feedback)."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from projector import locks, pipeline
from projector.install import migrate
from projector.postgres.embedded import EmbeddedServer
from projector.postgres.ports import free_port
from projector.progress import QUIET
from projector.rebuild import rebuild
from projector.refresh import refresh_with_backoff
from tests.benchmarks.pgbench import find
from tests.exactness.feed_copy import Copy, serving
from tests.exactness.platform import Platform, refresh_now, value
from tests.support.patience import PATIENCE
from tests.support.running import wait_for
from tests.support.server import Database, connect


@contextmanager
def standby(primary: EmbeddedServer, folder: Path) -> Iterator[str]:
    """A standby of that server, which tells of its readers each second; the URL of its database."""
    binaries = Path(find()).parent
    data = folder / "standby"
    owner = primary.data.stat()
    shutil.chown(folder, owner.st_uid, owner.st_gid)

    def run(name: str, *arguments: str) -> None:
        command = [str(binaries / name), *arguments]
        user = {"user": owner.st_uid, "group": owner.st_gid}
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **user)  # type: ignore[call-overload]

    url = primary.url("postgres")
    run("pg_basebackup", "-d", url, "-D", str(data), "-R", "-c", "fast", "-X", "stream")
    port = free_port()
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write(
            f"port = {port}\nunix_socket_directories = ''\n"
            "hot_standby_feedback = on\nwal_receiver_status_interval = 1s\n"
        )
    run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "start")
    try:
        there = primary.url("leads")
        parts = psycopg.conninfo.conninfo_to_dict(there)
        yield psycopg.conninfo.make_conninfo(there, port=port, host=parts["host"])
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")


@contextmanager
def own_folder() -> Iterator[Path]:
    """One that the server's user may enter."""
    made = Path("/dev/shm") / f"leads-tests-{os.getpid()}-standby"
    made.mkdir(mode=0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@pytest.fixture
def folder() -> Iterator[Path]:
    with own_folder() as made:
        yield made


def test_the_readers_of_a_standby_keep_their_rows_during_rebuilds(
    start_server: Callable[..., EmbeddedServer], folder: Path
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
        with standby(server, folder) as replica, _busy(url, conversation):
            wait_for(
                lambda: bool(value(conn, "SELECT count(backend_xmin) FROM pg_stat_replication")), "feedback"
            )
            with psycopg.connect(replica) as reader:
                reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                reader.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'".encode())
                assert reader.execute("SELECT count(*) FROM read_model.leads").fetchone() == (1,)
                for _ in range(3):
                    conn.execute("UPDATE read_model.leads SET document = document || ' '")
                    rebuild(conn, tenants=None, progress=QUIET)
                    # Another reader, which comes while this one holds its table, does not wait for the rebuild
                    # either.
                    with psycopg.connect(replica, autocommit=True) as other:
                        other.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'".encode())
                        assert other.execute("SELECT count(*) FROM read_model.leads").fetchone() == (1,)
                    assert reader.execute("SELECT count(*) FROM read_model.leads").fetchone() == (1,)
        refresh_now(conn)


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


def test_a_failover_ends_the_tokens_of_the_change_feed(
    start_server: Callable[..., EmbeddedServer], folder: Path
) -> None:
    """The standby may lack what the primary had already reported."""
    server = start_server(fast=True, wal_level="replica", max_wal_senders="5")
    with connect(server.url("leads")) as conn:
        migrate(conn, create_source=True)
        platform = Platform(conn)
        platform.tenant("one")
        platform.message(platform.conversation(platform.agent("one"), "4915"))
        rebuild(conn, tenants=None, progress=QUIET)
        with (
            standby(server, folder) as replica,
            serving(Database(server.url("leads"), "leads")) as primary_api,
            serving(Database(replica, "leads")) as standby_api,
        ):
            copy = Copy(primary_api.test_client())
            copy.begin()
            # As long as it follows, it tells the same history.
            copy.client = standby_api.test_client()
            assert copy.follow() == []
            with psycopg.connect(replica, autocommit=True) as there:
                assert value(there, "SELECT pg_promote()")
            assert copy.ask()[0] == 410
            copy.begin()
            assert copy.leads == copy.list() != {}
            assert copy.follow() == []
