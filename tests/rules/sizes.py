"""How many lines of code each folder has, and the table of how many it may have.

`python -m tests.rules.sizes --write` writes the table anew.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.rules.files import ROOT, name_of

TABLE = Path(__file__).with_name("sizes.txt")
_HEAD = """\
# How many lines of code each folder may have, without blank lines, comments and docstrings.
# A commit that needs more raises the number, and its message says why. To write this table anew:
#     python -m tests.rules.sizes --write
"""
# Folders that are counted as a whole. Of all others each folder of the first level has a line of its own.
_WHOLE = ("api/page", "tests")
_COUNTED = ("api", "projector", "sql", "tests")
_PAGE = (".js", ".css", ".html")
_COMMENTS = {
    ".sql": re.compile(r"/\*.*?\*/|^\s*--[^\n]*", re.DOTALL | re.MULTILINE),
    ".js": re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE),
    ".css": re.compile(r"/\*.*?\*/", re.DOTALL),
    ".html": re.compile(r"<!--.*?-->", re.DOTALL),
}


def code_lines(text: str, suffix: str) -> int:
    """Return the lines of a text that are neither blank, nor a comment, nor part of a docstring."""
    if suffix == ".py":
        without = set(_docstring_lines(text))
        lines = [line for number, line in enumerate(text.splitlines(), 1) if number not in without]
        return sum(not line.strip().startswith("#") for line in lines if line.strip())
    return sum(bool(line.strip()) for line in _COMMENTS[suffix].sub("", text).splitlines())


def _docstring_lines(text: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def measure() -> dict[str, int]:
    """Return the lines of code of each folder."""
    sizes: Counter[str] = Counter()
    files = [path for root in _COUNTED for path in (ROOT / root).rglob("*") if path.is_file()]
    for path in [ROOT / "schema.sql", *files]:
        if path.suffix in {".py", ".sql"} or (path.suffix in _PAGE and "api/page/" in name_of(path)):
            sizes[folder_of(name_of(path))] += code_lines(path.read_text("utf-8"), path.suffix)
    return dict(sorted(sizes.items()))


def folder_of(name: str) -> str:
    """Return the folder under which the lines of a file are counted."""
    for whole in _WHOLE:
        if name.startswith(f"{whole}/"):
            return whole
    return "/".join(name.split("/")[:-1][:2]) or name


def allowed() -> dict[str, int]:
    """Return the table: how many lines of code each folder may have."""
    rows = [line.split() for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#")]
    return {name: int(number.replace(",", "")) for name, number in rows}


def write() -> None:
    """Write the table anew."""
    rows = [f"{name:<22}{number:>8,}\n" for name, number in measure().items()]
    TABLE.write_text(_HEAD + "".join(rows), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    write()
