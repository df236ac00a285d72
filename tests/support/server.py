"""Real PostgreSQL servers for the tests: one for the session, more for tests that stop theirs.

Where several processes share the tests, the first one that needs a server runs initdb, and makes the databases that are
only copied. The others copy its files.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

from psycopg import sql

from projector.database import connect as db
from projector.database.connect import normalize
from projector.database.rows import Connection
from projector.database.schema import sections
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial.postgres.embedded import EmbeddedServer
from projector.trial.postgres.programs import OLDEST_MAJOR, find_programs
from tests.support.log_watch import WATCH

# Nothing that a test writes has to survive a crash of the machine.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Some tests apply changes by logical replication; this takes effect at a start only.
ALWAYS = {"wal_level": "logical", "max_connections": "200", "shared_buffers": "128MB"}

GIVEN_SERVER = "LEADS_TEST_DATABASE_URL"
"""The variable that names a server, on which a session makes its databases instead of starting one."""

CLUSTERS = "TESTS_CLUSTERS"
"""The variable that names the folder with the files of servers that all processes of a test run copy."""

SOURCE_TEMPLATE, TEMPLATE, BUILT_TEMPLATE = "source_template", "template", "built_template"
"""Databases to copy: source tables only, then with the installed read model, then with a built one."""

_FOLDER = "leads-tests-"
_PREFIX = "leads_test_"
# Copying a template takes 5 ms there, and 60 on a disk.
_MEMORY = Path("/dev/shm")
# How long to wait for sessions that are leaving a database before they are terminated.
_FAREWELL_SECONDS = 0.1


def connect(url: str, **parameters: Any) -> Connection:  # noqa: ANN401  # Whatever psycopg takes.
    """Return a new connection as the projector makes it; the caller closes it.

    It may be idle in a transaction for as long as a test wants. Unlike one of the projector it has the search_path of
    its login, because tests also write to the platform's tables.
    """
    conn = db.connect(url, **{"application_name": "test", **parameters})
    conn.execute("SET idle_in_transaction_session_timeout = 0")
    conn.execute("RESET search_path")
    return conn


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    name: str

    def connect(self, **parameters: Any) -> Connection:  # noqa: ANN401  # Whatever psycopg takes.
        """Return a new connection to it, for the projector and for the platform; the caller closes it."""
        return connect(self.url, **parameters)

    def by(self, role: str) -> "Database":
        """Return the same database for another login, whose password is x."""
        return Database(re.sub(r"//[^@]*@", f"//{role}:x@", self.url), self.name)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, a connection to it, and the first part of the names of the databases made on it."""

    url: str
    conn: Connection
    prefix: str

    def create(self, name: str, *, template: str | None = None) -> Database:
        full = f"{self.prefix}{name}"
        # PostgreSQL would write each page of the copy to the WAL, too.
        query = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy ENCODING 'UTF8'").format(
            sql.Identifier(full), sql.Identifier(template or "template0")
        )
        self.conn.execute(query)
        return self.database(name)

    def database(self, name: str) -> Database:
        """Return a database that was created under this name."""
        full = f"{self.prefix}{name}"
        return Database(urlsplit(self.url)._replace(path=f"/{full}").geturl(), full)

    def drop(self, database: Database) -> None:
        """Delete a database, whoever is still connected to it, and search the logs of the test for its customers."""
        WATCH.forbid_rows(database.url)
        # PostgreSQL checks every 100 ms whether the others have left, and sessions whose connections were closed leave
        # much sooner.
        deadline = monotonic() + _FAREWELL_SECONDS
        query = "SELECT FROM pg_stat_activity WHERE datname = %s LIMIT 1"
        while self.conn.execute(query, (database.name,)).rowcount and monotonic() < deadline:
            sleep(0.002)
        self.conn.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name))
        )


def older_postgresql() -> Path | None:
    """Return the programs of an installed PostgreSQL that is older than that of the package; None if there is none."""
    newest = find_programs(None, None, Path()).major
    folders = Path("/usr/lib/postgresql").glob("*/bin/pg_upgrade")
    return next(
        (program.parent for program in folders if OLDEST_MAJOR <= int(program.parts[-3]) < newest), None
    )


def given_programs() -> Path | None:
    """Return the folder that LEADS_PG_BIN names; None for the programs of the package."""
    folder = os.environ.get("LEADS_PG_BIN")
    return Path(folder) if folder else None


@cache
def postgresql(program: str) -> str:
    """Return the path of a program of PostgreSQL that is beside those of the tests' server."""
    return str(find_programs(given_programs(), None, Path()).folder / program)


@contextmanager
def running_server(programs: Path | None = None, /, **settings: str) -> Iterator[EmbeddedServer]:
    """Run an embedded server in a folder of its own, of the tests' programs or of these; delete it at the end."""
    with _running_server(programs or given_programs(), settings, _cluster) as server:
        yield server


Make = Callable[[Path | None], Path | None]
"""Makes the initial files of a server of these programs; None if initdb makes them."""


@contextmanager
def _running_server(programs: Path | None, settings: dict[str, str], make: Make) -> Iterator[EmbeddedServer]:
    with server_folder(in_memory=settings.get("fsync") == "off") as folder:
        server = EmbeddedServer(folder, programs, {**ALWAYS, **settings})
        if files := make(programs):
            subprocess.run(["cp", "-a", str(files), str(folder / files.name)], check=True)
        try:
            server.start()
            yield server
        finally:
            server.remove()


def _cluster(programs: Path | None) -> Path | None:
    """Return the files of a server on which nothing was done."""
    return _made_once("empty", programs, lambda _: None, lambda _: None)


def _cluster_with_templates(programs: Path | None) -> Path | None:
    """Return the files of a server that has the templates."""

    def fill(server: EmbeddedServer) -> None:
        url = server.url("postgres")
        with Connection.connect(url, autocommit=True) as conn:
            make_templates(Server(url, conn, _PREFIX))

    return _made_once("templates", programs, fill, _cluster)


def _made_once(
    name: str, programs: Path | None, fill: Callable[[EmbeddedServer], None], make: Make
) -> Path | None:
    """Return the files of a stopped server, made by the first process to ask; None if one process runs all tests."""
    if CLUSTERS not in os.environ:
        return None
    of_programs = str(programs or "").replace("/", "_")
    kept = Path(os.environ[CLUSTERS]) / f"{name}{of_programs}"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with _running_server(programs, FAST, make) as server:
                fill(server)
                server.stop()
                # The copies run concurrently.
                (server.folder / "port").unlink()
                kept.mkdir()
                subprocess.run(["cp", "-a", str(server.folder), str(kept / "postgres")], check=True)
    return kept / "postgres"


def make_templates(server: Server) -> None:
    """Make the databases that are only to be copied."""
    with server.create(SOURCE_TEMPLATE).connect() as conn:
        conn.execute(sections()["source"])
    with server.create(TEMPLATE).connect() as conn:
        migrate(conn, create_source=True)
    with server.create(BUILT_TEMPLATE, template=f"{server.prefix}{TEMPLATE}").connect() as conn:
        rebuild(conn, tenants=None, progress=QUIET)


@contextmanager
def session_server() -> Iterator[Server]:
    """Give the server that LEADS_TEST_DATABASE_URL names, or an embedded one that is fast; it has the templates."""
    given_url = os.environ.get(GIVEN_SERVER)
    prefix = f"{_PREFIX}{os.getpid()}_" if given_url else _PREFIX
    with ExitStack() as stack:
        if given_url:
            url = normalize(given_url)
        else:
            _remove_left_over()
            running = _running_server(given_programs(), FAST, _cluster_with_templates)
            url = stack.enter_context(running).url("postgres")
        conn = stack.enter_context(Connection.connect(url, autocommit=True))
        server = Server(url, conn, prefix)
        try:
            if given_url or CLUSTERS not in os.environ:
                make_templates(server)
            yield server
        finally:
            # A server that was given stays.
            query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            for (name,) in conn.execute(query, [prefix]).fetchall() if given_url else ():
                conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def clusters() -> Iterator[None]:
    """Keep the files of servers for the processes that share the tests, and delete them at the end."""
    with server_folder(in_memory=True) as folder:
        os.environ[CLUSTERS] = str(folder)
        yield


@contextmanager
def server_folder(*, in_memory: bool) -> Iterator[Path]:
    """Make a folder whose name contains the id of this process."""
    parent = _MEMORY if in_memory and _is_roomy(_MEMORY) else None
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=parent))
    # The user who runs PostgreSQL has to reach the files in it.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_roomy(parent: Path) -> bool:
    """Return whether a server can use it: in containers it often has 64 MB, or forbids running programs."""
    try:
        room = os.statvfs(parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize > 4 * 2**30 and not room.f_flag & os.ST_NOEXEC


def _remove_left_over() -> None:
    """Stop the servers of test runs that were killed."""
    for folder in (
        folder for parent in (tempfile.gettempdir(), _MEMORY) for folder in Path(parent).glob(f"{_FOLDER}*-*")
    ):
        pid = int(folder.name.removeprefix(_FOLDER).partition("-")[0])
        if not _is_alive(pid):
            with suppress(Exception):
                EmbeddedServer(folder).remove()
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, signal.SIG_DFL)
        except ProcessLookupError:
            return False
    return True
