"""The files that the rules read."""

from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "projector")


def python_files(*folders: str) -> list[Path]:
    """Return the Python files of these folders, or of both packages."""
    return [path for folder in folders or PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))]


def sql_files() -> list[Path]:
    return [*sorted((ROOT / "sql").rglob("*.sql")), ROOT / "schema.sql"]


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]


def name_of(path: Path) -> str:
    """Return the path as a message shows it."""
    return path.relative_to(ROOT).as_posix()


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def check(offenders: Iterable[str], advice: str) -> None:
    """Fail with all offenders and what to do about them, if there are any."""
    lines = list(offenders)
    if lines:
        pytest.fail("\n".join([advice, *lines]), pytrace=False)
