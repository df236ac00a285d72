"""The embedded server: a PostgreSQL server of our own, for a trial of the product and for its tests.

The server listens on 127.0.0.1 only, on a port that it keeps between runs. It accepts only logins with the password
in its folder.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.pq import PGconn, Ping

from projector.database.sql import query
from projector.report.errors import EmbeddedServerError
from projector.trial.postgres.binaries import Binaries, find_binaries
from projector.trial.postgres.cluster import SUPERUSER, Cluster, last_line, tail
from projector.trial.postgres.runner import Runner, find_runner, is_zombie, may_access, run_program

DATABASE = "leads"

# Where the data go when the user who runs PostgreSQL cannot reach the state folder, such as one below /root.
_REACHABLE = Path("/var/lib/leads-read-model")
# Messages of PostgreSQL while a killed server still has shared memory, or another program our port.
_STILL_HELD = ("pre-existing shared memory block", "lock file", "Address already in use")
_START_SECONDS = 60
_STOP_SECONDS = 60
_LOG_BYTES = 10_000_000


@dataclass(slots=True)
class EmbeddedServer:
    """The server whose files are in `state`.

    `bin_folder` is LEADS_PG_BIN. `settings` go into its configuration at each start. `notices` are sentences for the
    operator about the last start.
    """

    state: Path
    bin_folder: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the folder absolute, since every program is started in `/`."""
        self.state = Path(os.path.abspath(self.state))  # noqa: PTH100  # resolve() would follow our own link.

    @property
    def folder(self) -> Path:
        """Where the data, the log, the port and the password are."""
        return self._place.resolve() if self._place.is_symlink() else self._place

    @property
    def _place(self) -> Path:
        """Its place in the state folder: the folder itself, or a link to it."""
        return self.state / "postgres"

    @property
    def data(self) -> Path:
        """The data folder of PostgreSQL."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The log of PostgreSQL."""
        return self.folder / "postgres.log"

    @property
    def address(self) -> str:
        """Where it listens, without the password that is in the URL."""
        return self.url().rpartition("@")[2]

    def url(self, database: str = DATABASE) -> str:
        """Return the URL of a database, which contains the password.

        Raises EmbeddedServerError where there is no server.
        """
        try:
            port = (self.folder / "port").read_text().strip()
            password = (self.folder / "password").read_text().strip()
        except OSError as error:
            raise EmbeddedServerError(
                f"There is no embedded PostgreSQL in {self.state}: "
                "start one with `python -m projector server start`."
            ) from error
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}"

    def is_running(self) -> bool:
        """Return whether its postmaster is alive."""
        return self._postmaster() is not None and self._ping() != Ping.NO_RESPONSE

    def start(self) -> str:
        """Start it, and create its data first where there are none.

        Returns the URL of its database. Raises EmbeddedServerError where that fails; the message says why.
        """
        self._make_folder()
        with self._lock():
            if not self.is_running():
                cluster = Cluster(self.folder, self.settings, find_runner(self.data))
                binaries = self._binaries(cluster.runner)
                if not (self.data / "PG_VERSION").exists():
                    cluster.initialize(binaries)
                cluster.check_version(binaries)
                self._start(cluster, binaries)
            self._create_database()
        return self.url()

    def stop(self, *, mode: str = "fast") -> bool:
        """Stop it, in a mode of pg_ctl. Returns false where it did not run."""
        if self._postmaster() is None:
            return False
        with self._lock():
            runner = find_runner(self.data)
            binaries = self._binaries(runner)
            command = ["stop", "-w", "-t", str(_STOP_SECONDS), "-m", mode]
            done = self._pg_ctl(binaries, runner, command)
            if done.returncode == 0:
                return True
            if self.is_running():
                raise EmbeddedServerError(
                    f"The embedded PostgreSQL did not stop: {last_line(done.stdout)} Its log is {self.log}."
                )
            return False

    def remove(self) -> None:
        """Stop it and delete all its files."""
        self.stop(mode="immediate")
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._place.is_symlink():
            with suppress(OSError):
                self.folder.parent.rmdir()
            self._place.unlink()

    def _postmaster(self) -> int | None:
        """Return the process id of the postmaster; None where none is alive."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        except PermissionError as error:
            raise self._not_ours() from error
        return None if is_zombie(pid) else pid

    def _ping(self) -> Ping:
        """Ask whether a server answers on its port; one that starts or stops answers too."""
        return Ping(PGconn.ping(f"{self.url('postgres')}?connect_timeout=5".encode()))

    def _binaries(self, runner: Runner | None) -> Binaries:
        return find_binaries(self.bin_folder, runner, copies=self.folder)

    def _not_ours(self) -> EmbeddedServerError:
        return EmbeddedServerError(
            f"{self.folder} belongs to another user: continue as that user, "
            "or set LEADS_STATE_DIR to another folder."
        )

    def _make_folder(self) -> None:
        """Create the folder, in a place that the user who runs PostgreSQL can reach."""
        runner = find_runner(self.data)
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            reachable = runner is None or may_access(runner, "x", self.state)
            if not reachable and not self._place.is_symlink() and not self._place.exists():
                _REACHABLE.mkdir(parents=True, exist_ok=True)
                _REACHABLE.chmod(0o755)
                name = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
                self._place.symlink_to(_REACHABLE / name)
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EmbeddedServerError(
                f"The folder {self.folder} cannot be made ({error.strerror}): "
                "set LEADS_STATE_DIR to one that can be written."
            ) from error
        if runner is not None:
            os.chown(self.folder, runner.uid, runner.gid)
            if not may_access(runner, "w", self.folder):
                raise EmbeddedServerError(
                    f"PostgreSQL runs as user {runner.name}, who cannot reach {self.folder}: "
                    "set LEADS_STATE_DIR to a folder that this user can reach."
                )
            if self._place.is_symlink():
                self.notices.append(
                    f"PostgreSQL runs as user {runner.name}, who cannot reach {self.state}: "
                    f"its data are in {self.folder}."
                )
        elif not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            raise self._not_ours()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Start and stop the server in one process at a time."""
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _start(self, cluster: Cluster, binaries: Binaries) -> None:
        """Start the server, again for a while where a killed one still has shared memory."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        deadline = time.monotonic() + _START_SECONDS / 2
        while True:
            cluster.configure()
            if self._postmaster() is None:
                # PostgreSQL counts a killed postmaster whose parent has not waited for it as alive.
                (self.data / "postmaster.pid").unlink(missing_ok=True)
            done = self._pg_ctl(
                binaries, cluster.runner, ["start", "-w", "-t", str(_START_SECONDS), "-l", str(self.log)]
            )
            if done.returncode == 0:
                return
            said = tail(self.log)
            if time.monotonic() > deadline or not any(words in said for words in _STILL_HELD):
                reason = last_line(said) or last_line(done.stdout)
                raise EmbeddedServerError(
                    f"The embedded PostgreSQL did not start: {reason} Its log is {self.log}."
                )
            time.sleep(0.2)

    def _pg_ctl(
        self, binaries: Binaries, runner: Runner | None, command: Sequence[str]
    ) -> subprocess.CompletedProcess[str]:
        return run_program([binaries.folder / "pg_ctl", "-D", self.data, *command], runner)

    def _create_database(self) -> None:
        """Create the database of the URL, once the server is ready."""
        deadline = time.monotonic() + _START_SECONDS
        while self._ping() == Ping.REJECT and time.monotonic() < deadline:
            time.sleep(0.1)
        try:
            with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10) as conn:
                found = conn.execute(query("postgres", "has_database"), {"database": DATABASE}).fetchone()
                if found == (False,):
                    conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg.Error as error:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL runs but refuses connections: {last_line(str(error))} "
                f"Its log is {self.log}."
            ) from error
