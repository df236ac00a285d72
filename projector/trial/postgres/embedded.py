"""The embedded server: a PostgreSQL server for a trial of the product and for its tests.

The server listens on 127.0.0.1 only, on a port that it keeps between runs. It accepts only logins with the password
in its folder.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import psycopg
from psycopg import sql
from psycopg.pq import PGconn, Ping

from projector.report.errors import ProjectorError
from projector.trial.postgres.programs import Programs, find_programs, find_runner, is_zombie, run_program

SUPERUSER = "postgres"
DATABASE = "leads"

# The newest locale with Unicode's rules that the operating system has; `C` knows ASCII only.
_LOCALES = ("C.UTF-8", "en_US.UTF-8", "C")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
}

# Where the data go when the user who runs PostgreSQL cannot reach the state folder, such as one below /root.
_REACHABLE = Path("/var/lib/leads-read-model")
# Messages of PostgreSQL while a killed server still has shared memory, or another program its port.
_STILL_HELD = ("pre-existing shared memory block", "lock file", "Address already in use")
_START_SECONDS = 60
_STOP_SECONDS = 60
_ANSWER_SECONDS = 5
_LOG_BYTES = 10_000_000


@dataclass(slots=True)
class EmbeddedServer:
    """The server whose files are in `state`, an absolute path: every program is started in `/`.

    `bin_folder` is LEADS_PG_BIN. `settings` go into its configuration at each start.
    """

    state: Path
    bin_folder: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    _runs: TextIO | None = field(default=None, init=False, repr=False)

    @property
    def folder(self) -> Path:
        """Where the data, the log, the port and the password are."""
        return self._entry.resolve() if self._entry.is_symlink() else self._entry

    @property
    def _entry(self) -> Path:
        """The entry of the state folder: the server's folder itself, or a link to it."""
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

        Raises ProjectorError where there is no server.
        """
        try:
            port = (self.folder / "port").read_text().strip()
            password = (self.folder / "password").read_text().strip()
        except OSError as error:
            raise ProjectorError(
                f"There is no embedded PostgreSQL in {self.state}: "
                "start one with `python -m projector server start`."
            ) from error
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}"

    def is_running(self) -> bool:
        """Return whether its postmaster is alive and answers, as one that starts or stops does too."""
        if not self._has_postmaster():
            return False
        return (
            PGconn.ping(f"{self.url('postgres')}?connect_timeout={_ANSWER_SECONDS}".encode())
            != Ping.NO_RESPONSE
        )

    def start(self) -> str:
        """Start it, and create its data first where there are none.

        Return the URL of its database. Raises ProjectorError where that fails; the message says why.
        """
        self._make_folder()
        with self._lock():
            if not self.is_running():
                programs = self._find_programs()
                if not (self.data / "PG_VERSION").exists():
                    self._initialize(programs)
                made_by = (self.data / "PG_VERSION").read_text().strip()
                if made_by != str(programs.major):
                    raise ProjectorError(
                        f"The data in {self.folder} were made by PostgreSQL {made_by}, and {programs.folder} is "
                        f"{programs.major}: set LEADS_PG_BIN to a PostgreSQL {made_by}, "
                        "or LEADS_STATE_DIR to a new folder."
                    )
                self._start(programs)
            self._create_database()
        return self.url()

    def stop(self, *, mode: str = "fast") -> bool:
        """Stop it, in a mode of pg_ctl. Return false where it did not run."""
        if not self._has_postmaster():
            return False
        with self._lock():
            programs = self._find_programs()
            done = programs.run("pg_ctl", "-D", self.data, "stop", "-w", "-t", str(_STOP_SECONDS), "-m", mode)
        if done.returncode != 0 and self.is_running():
            raise ProjectorError(
                f"The embedded PostgreSQL did not stop: {_last_line(done.stdout)}. Its log is {self.log}."
            )
        return done.returncode == 0

    def join(self) -> bool:
        """Start it, and keep it for this process until `leave`. Return whether another process has joined before."""
        self._make_folder()
        self._runs = runs = (self.folder / "runs").open("w")
        is_shared = not _try_to_lock(runs)
        # A process that leaves at this moment stops the server first.
        fcntl.flock(runs, fcntl.LOCK_SH)
        self.start()
        return is_shared

    def leave(self) -> bool:
        """Stop it, unless another process has joined. Return whether one has."""
        if self._runs is None:
            return False
        with self._runs as runs:
            # Two processes that leave at once both let go before they look, so one of them finds itself the last.
            fcntl.flock(runs, fcntl.LOCK_UN)
            is_shared = not _try_to_lock(runs)
            if not is_shared:
                self.stop()
        return is_shared

    def remove(self) -> None:
        """Stop it and delete all its files."""
        self.stop(mode="immediate")
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._entry.is_symlink():
            with suppress(OSError):
                self.folder.parent.rmdir()
            self._entry.unlink()

    def _has_postmaster(self) -> bool:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return False
        except PermissionError as error:
            raise self._not_ours() from error
        return not is_zombie(pid)

    def _find_programs(self) -> Programs:
        return find_programs(self.bin_folder, find_runner(self.data), copies=self.folder)

    def _not_ours(self) -> ProjectorError:
        return ProjectorError(
            f"{self.folder} belongs to another user: continue as that user, "
            "or set LEADS_STATE_DIR to another folder."
        )

    def _make_folder(self) -> None:
        """Create the folder where the user who runs PostgreSQL can reach it."""
        runner = find_runner(self.data)
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            # Only that user can tell whether it may enter each folder above, too.
            asked = ["/bin/sh", "-c", 'cd "$1"', "sh", str(self.state)]
            if runner and not os.path.lexists(self._entry) and run_program(asked, runner).returncode:
                _REACHABLE.mkdir(parents=True, exist_ok=True)
                _REACHABLE.chmod(0o755)
                name = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
                self._entry.symlink_to(_REACHABLE / name)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if runner is not None:
                os.chown(self.folder, *runner)
        except OSError as error:
            raise ProjectorError(
                f"The folder {self.folder} cannot be made ({error.strerror}): "
                "set LEADS_STATE_DIR to one that can be written."
            ) from error
        if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            raise self._not_ours()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Start and stop the server in one process at a time."""
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _initialize(self, programs: Programs) -> None:
        """Create the data folder, with Unicode's rules for upper and lower case, and a password.

        Raises ProjectorError where initdb fails.
        """
        password = self.folder / "password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        new = self.folder / "data.new"
        arguments = [
            f"--pgdata={new}",
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        if self.settings.get("fsync") == "off":
            arguments.append("--no-sync")
        if programs.major >= 16:  # noqa: PLR2004  # The version that brought the options.
            # Many rounds protect a password that can be guessed; this one cannot.
            arguments.append("--set=scram_iterations=1")
        if programs.major >= 17:  # noqa: PLR2004  # As above.
            arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if programs.runner is not None:
            os.chown(password, *programs.runner)
        output = ""
        for locale in _LOCALES:
            shutil.rmtree(new, ignore_errors=True)
            done = programs.run("initdb", *arguments, f"--locale={locale}")
            if done.returncode == 0:
                with (new / "postgresql.conf").open("a") as file:
                    file.write("include_if_exists 'leads.conf'\n")
                new.rename(self.data)
                return
            output = done.stdout
        raise ProjectorError(f"PostgreSQL could not make its data folder {new}: {_last_line(output)}.")

    def _configure(self, programs: Programs) -> None:
        """Write the settings and the port; a new port where the last one is in use."""
        port_file, file = self.folder / "port", self.data / "leads.conf"
        port = int(port_file.read_text()) if port_file.exists() else 0
        if not port or listen_error("127.0.0.1", port):
            port = free_port()
            port_file.write_text(f"{port}\n")
        settings = {**_SETTINGS, **self.settings, "port": str(port)}.items()
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings]
        file.write_text("# Written at each start.\n" + "".join(lines))
        if programs.runner is not None:
            os.chown(file, *programs.runner)

    def _start(self, programs: Programs) -> None:
        """Start the server, again for a while where a killed one still has shared memory."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        deadline = time.monotonic() + _START_SECONDS / 2
        while True:
            self._configure(programs)
            if not self._has_postmaster():
                # PostgreSQL counts a killed postmaster whose parent has not waited for it as alive.
                (self.data / "postmaster.pid").unlink(missing_ok=True)
            done = programs.run(
                "pg_ctl", "-D", self.data, "start", "-w", "-t", str(_START_SECONDS), "-l", self.log
            )
            if done.returncode == 0:
                return
            said = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            if time.monotonic() > deadline or not any(words in said for words in _STILL_HELD):
                reason = _last_line(said) or _last_line(done.stdout)
                raise ProjectorError(
                    f"The embedded PostgreSQL did not start: {reason}. Its log is {self.log}."
                )
            time.sleep(0.2)

    def _create_database(self) -> None:
        """Create the database of the URL."""
        with (
            psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10) as conn,
            suppress(psycopg.errors.DuplicateDatabase),
        ):
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _try_to_lock(file: TextIO) -> bool:
    """Return whether nobody else held a lock of this file, and lock it for this process alone."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_line(text: str) -> str:
    """Return the last line that is not blank, without the full stop."""
    return text.strip().rpartition("\n")[2].strip().rstrip(".")


def listen_error(host: str, port: int) -> OSError | None:
    """Return why a server could not listen on this port now; None where it could."""
    try:
        family, _, _, _, (address, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server((address, port), family=family).close()
    except OSError as error:
        return error
    return None


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as candidate:
        port: int = candidate.getsockname()[1]
        return port
