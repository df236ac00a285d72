"""The SQL of the project: every statement is a file, found by its kind and its name.

The files stand in `sql/<kind>/<n>_<verb>_<object>.sql` beside this package in a checkout, inside it when installed.
"""

import re
from functools import cache
from pathlib import Path
from typing import LiteralString

_PACKAGE = Path(__file__).parent
_ROOT = _PACKAGE if (_PACKAGE / "sql").is_dir() else _PACKAGE.parent
_SECTION = re.compile(r"^-- section: (\w+)$", re.MULTILINE)


@cache
def steps(kind: str) -> dict[str, LiteralString]:
    """All statements of a kind by name, in the order of their numbers."""
    files = sorted((_ROOT / "sql" / kind).glob("*.sql"))
    if not files:
        raise LookupError(f"There is no SQL of the kind {kind}.")
    return {file.stem.split("_", 1)[1]: file.read_text("utf-8") for file in files}


def statement(kind: str, name: str) -> LiteralString:
    """One statement; raises LookupError where there is none."""
    return steps(kind)[name]


@cache
def schema_sections() -> dict[str, LiteralString]:
    """The sections of schema.sql by name, in order."""
    pieces = _SECTION.split((_ROOT / "schema.sql").read_text("utf-8"))
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))
