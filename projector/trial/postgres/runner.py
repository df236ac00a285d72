"""The operating system user that runs PostgreSQL, and its programs run as that user."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from projector.config import environment_for_postgresql
from projector.report.errors import EmbeddedServerError

# PostgreSQL refuses to run as root. The first of these users that exists runs it instead.
_PLAIN_USERS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Runner:
    """The user that runs PostgreSQL when we are root."""

    name: str
    uid: int
    gid: int


def find_runner(data: Path) -> Runner | None:
    """Return the user that runs PostgreSQL on a data folder; None where we run it ourselves.

    When we are root, that is the owner of the data, or a plain user while there are none. Raises EmbeddedServerError
    where the system has no plain user.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return Runner(_user_name(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in _PLAIN_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Runner(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it: "
        "create one of them, or continue as a plain user."
    )


def run_program(command: Sequence[str | Path], runner: Runner | None) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL as that user, without the PG… variables of its clients.

    Returns its exit code, and its output with errors in `stdout`.
    """
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
        # Ctrl-C reaches the whole process group, and the database has to stop last.
        start_new_session=True,
        user=None if runner is None else runner.uid,
        group=None if runner is None else runner.gid,
        extra_groups=None if runner is None else [],
        umask=0o077,
    )


def may_access(runner: Runner, access: str, path: Path) -> bool:
    """Return whether a user may read (r), write (w) or enter (x) a path, every folder above it included."""
    try:
        return run_program(["/bin/sh", "-c", 'test -"$1" "$2"', "sh", access, path], runner).returncode == 0
    except OSError:
        return False


def _user_name(uid: int) -> str:
    """Return the name of a user; its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended and its parent has not waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
