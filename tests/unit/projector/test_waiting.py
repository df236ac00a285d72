"""A command that waits for a lock says which one, who holds it and since when."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.database import lock_waits as waiting
from projector.database import locks
from projector.database.lock_waits import AwaitedLock, find_awaited_lock, telling_waits
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.commands import environment
from tests.support.running import wait_for
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]


@pytest.fixture
def holder(database: Database) -> Iterator[Connection]:
    """A session of somebody else, in a transaction."""
    with database.connect(application_name="a long report") as conn:
        conn.execute("BEGIN")
        yield conn


@contextmanager
def waiter(database: Database, statement: str, *values: object) -> Iterator[int]:
    """A session that runs a statement and waits; its process id."""
    with database.connect() as conn:
        thread = threading.Thread(target=lambda: conn.execute(statement.encode(), values or None))
        thread.start()
        try:
            yield conn.info.backend_pid
        finally:
            with database.connect() as other:
                other.execute("SELECT pg_cancel_backend(%s)", (conn.info.backend_pid,))
            thread.join()


def awaited(conn: Connection, pid: int) -> AwaitedLock:
    found: list[AwaitedLock] = []

    def look() -> bool:
        lock = find_awaited_lock(conn, pid)
        found.extend([lock] if lock else [])
        return lock is not None

    wait_for(look, "a session that waits")
    return found[-1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("held", "wanted", "name"),
    [
        (
            "LOCK TABLE read_model.leads IN ACCESS SHARE MODE",
            "LOCK TABLE read_model.leads IN ACCESS EXCLUSIVE MODE",
            "the table read_model.leads",
        ),
        (
            f"SELECT pg_advisory_xact_lock({locks.MIGRATION}, 0)",
            f"SELECT pg_advisory_lock({locks.MIGRATION}, 0)",
            "the lock of migrate, uninstall and capture",
        ),
        (
            f"SELECT pg_advisory_xact_lock({locks.SHARD}, 2)",
            f"SELECT pg_advisory_xact_lock({locks.SHARD}, 2)",
            "the queue, whose changes a refresh takes",
        ),
        (
            "INSERT INTO users VALUES ('u')",
            "INSERT INTO users VALUES ('u')",
            "the end of a transaction",
        ),
    ],
)
def test_the_lock_and_its_holder_are_named(  # noqa: PLR0913, PLR0917  # Cases and fixtures.
    database: Database, connection: Connection, holder: Connection, held: str, wanted: str, name: str
) -> None:
    holder.execute(held.encode())
    with waiter(database, wanted if "LOCK TABLE" not in wanted else f"BEGIN; {wanted}") as pid:
        found = awaited(connection, pid)
    assert found.lock_name == name
    assert re.fullmatch(
        rf"process {holder.info.backend_pid} \(a long report, role \w+, idle in transaction\)", found.holder
    )
    assert re.fullmatch(r"its transaction has run for \d\d:\d\d:\d\d", found.age)
    assert find_awaited_lock(connection, connection.info.backend_pid) is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_holder_without_a_transaction_is_named(
    database: Database, connection: Connection, holder: Connection
) -> None:
    holder.execute("COMMIT")
    holder.execute("SELECT pg_advisory_lock(%s, 0)", (locks.MIGRATION,))
    with waiter(database, f"SELECT pg_advisory_xact_lock({locks.MIGRATION}, 0)") as pid:
        assert awaited(connection, pid).age.startswith("its session has run for ")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_prepared_transaction_is_named(start_server: Callable[..., EmbeddedServer]) -> None:
    server = start_server(fast=True, max_prepared_transactions="2")
    database = Database(server.url(), "leads")
    with database.connect() as conn:
        conn.execute("CREATE TABLE held (id integer)")
        conn.execute("BEGIN; LOCK TABLE held; PREPARE TRANSACTION 'left over'")
        with waiter(database, "SELECT FROM held") as pid:
            found = awaited(conn, pid)
        conn.execute("ROLLBACK PREPARED 'left over'")
    assert found.lock_name == "the table public.held"
    assert found.holder == "the prepared transaction 'left over'"
    assert found.age.startswith("it was prepared 00:")


def call(database: Database, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "projector", *arguments],
        cwd=folder,
        env=environment(DATABASE_URL=database.url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "held", "name"),
    [
        (["migrate"], "LOCK TABLE read_model.leads", "the table read_model.leads"),
        (
            ["migrate"],
            f"SELECT pg_advisory_xact_lock({locks.MIGRATION}, 0)",
            "the lock of migrate, uninstall and capture",
        ),
        (["uninstall", "--yes"], "LOCK TABLE messages IN SHARE MODE", "the table public.messages"),
        (["capture", "off"], "LOCK TABLE contacts IN SHARE MODE", "the table public.contacts"),
        (
            ["capture", "on"],
            f"SELECT pg_advisory_xact_lock({locks.MIGRATION}, 0)",
            "the lock of migrate, uninstall and capture",
        ),
    ],
    ids=["migrate, table", "migrate, migration", "uninstall", "capture off", "capture on"],
)
def test_a_command_says_what_it_waits_for_and_goes_on(  # noqa: PLR0913, PLR0917  # Cases and fixtures.
    database: Database, holder: Connection, tmp_path: Path, arguments: list[str], held: str, name: str
) -> None:
    holder.execute(held.encode())
    with call(database, tmp_path, *arguments) as command:
        assert command.stderr is not None
        said = command.stderr.readline()
        holder.execute("COMMIT")
        rest = command.stderr.read()
    assert said.startswith(f"Waiting for {name}: process {holder.info.backend_pid} (a long report, ")
    assert re.search(r" holds it, and its transaction has run for \d\d:\d\d:\d\d\.$", said)
    assert (rest, command.returncode) == ("", 0)


def test_a_short_wait_is_not_told(
    database: Database, holder: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is shorter than the time after which it is told, however slow this machine is."""
    monkeypatch.setattr(waiting, "TELL_AFTER_SECONDS", 3600.0)
    assert tell_of_a_wait(database, holder) == []
    monkeypatch.setattr(waiting, "TELL_AFTER_SECONDS", 0.0)
    holder.execute("BEGIN")
    [sentence] = tell_of_a_wait(database, holder, is_told=True)
    assert sentence.startswith("Waiting for the table read_model.leads: ")


def test_without_a_second_connection_the_work_goes_on(database: Database, holder: Connection) -> None:
    def refuse() -> Connection:
        raise psycopg.OperationalError("too many clients")

    assert tell_of_a_wait(database, holder, refuse) == []


def tell_of_a_wait(
    database: Database,
    holder: Connection,
    connect: Callable[[], Connection] | None = None,
    *,
    is_told: bool = False,
) -> list[str]:
    """What is told of a session that waits for a table: until it is told, or for some looks."""
    told: list[str] = []
    holder.execute("LOCK TABLE read_model.leads")
    with database.connect() as conn, database.connect() as looking:

        def release() -> None:
            awaited(looking, conn.info.backend_pid)
            if is_told:
                wait_for(lambda: bool(told), "a sentence")
            else:
                # Some looks; nothing is told of them on a fast machine or on a slow one.
                threading.Event().wait(0.5)
            holder.execute("COMMIT")

        with telling_waits(conn, connect or database.connect, told.append):
            thread = threading.Thread(target=release)
            thread.start()
            conn.execute("SELECT count(*) FROM read_model.leads")
            thread.join()
    return told
