"""Loads the SQL of the project: named queries, and the steps of refresh, rebuild and verify.

The files are in `sql/` beside this package in a checkout, and inside the package when it is installed.
"""

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

_PACKAGE = Path(__file__).parent
ROOT = _PACKAGE if (_PACKAGE / "sql").is_dir() else _PACKAGE.parent
"""The folder that holds `sql/` and `schema.sql`."""

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def query(module: str, name: str) -> LiteralString:
    """Return the query `name` of `sql/queries/<module>.sql`; raises LookupError where there is none."""
    found = _queries(module)
    if name not in found:
        raise LookupError(f"sql/queries/{module}.sql has no query named {name}.")
    return found[name]


@cache
def _queries(module: str) -> dict[str, LiteralString]:
    file = ROOT / "sql" / "queries" / f"{module}.sql"
    _, *pieces = _NAME.split(file.read_text("utf-8"))
    names, texts = pieces[::2], pieces[1::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{file} has two queries of one name.")
    return {name: cast("LiteralString", text.strip()) for name, text in zip(names, texts, strict=True)}
