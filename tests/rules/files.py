"""The files that the rules read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "projector")
_GENERATED = {"__pycache__", ".venv", ".git"}


def python_files(*packages: str) -> list[Path]:
    """The Python files of these packages, or of both."""
    return _files(packages or PACKAGES, "*.py")


def product_files() -> list[Path]:
    """Every text file of the product: Python, SQL, texts and examples."""
    found = _files((*PACKAGES, "sql"), "*")
    return [*found, ROOT / "schema.sql"]


def documents() -> list[Path]:
    """The documents that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]


def name_of(path: Path) -> str:
    """The path as a message shows it."""
    return path.relative_to(ROOT).as_posix()


def _files(folders: tuple[str, ...], pattern: str) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob(pattern))
        if path.is_file() and not _GENERATED & set(path.parts)
    ]
