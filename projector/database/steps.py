"""What a step of sql/ is: one statement, with lines in its header that the runner follows.

`-- when: NAME`           the step runs only where this condition holds;
`-- returns: conditions`  its row names conditions, for the `when` of later steps, and numbers;
`-- for: TABLE TABLE`     the step runs once for each of these tables, as {table};
`-- point: NAME`          tests may stop a run after this step, or where it is skipped;
`-- analyze: TABLE`       what follows needs statistics of this table;
`-- with NAME = TEXT`     what {NAME} means here and in the definitions that the step includes;
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from projector.database.placeholders import fill

_HEADER = re.compile(r"^-- (when|returns|for|point|analyze): (.+)\n", re.MULTILINE)
_NAMED = re.compile(r"^-- with (\w+) =(.*(?:\n--  .+)*)\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)

Define = Callable[[str, Mapping[str, str]], str]
"""Returns the text of a definition with what its placeholders mean."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a run. `name` is its path below `sql/`, with the table it is for where there are several."""

    name: str
    text: bytes
    when: str | None
    returns_conditions: bool
    point: str | None
    analyzes: str | None
    takes_parameters: bool


def read_steps(name: str, text: str, given: Mapping[str, str], define: Define) -> list[Step]:
    """Return the steps of a file: one, or one for each table that it is for.

    `given` say what placeholders mean that the header leaves open.
    """
    header, named = dict(_HEADER.findall(text)), _named(text)
    body = _COMMENT.sub("", text).strip()
    tables = header.get("for", "").split()
    return [
        _read_step(name, header, named, body, dict(given) | ({"table": table} if table else {}), define)
        for table in tables or [""]
    ]


def _read_step(  # noqa: PLR0913, PLR0917  # What a file says, taken apart.
    name: str,
    header: Mapping[str, str],
    named: dict[str, str],
    body: str,
    given: dict[str, str],
    define: Define,
) -> Step:
    meanings = given | named
    table = given.get("table", "")
    tables = header.get("for", table).split()
    text = fill(body, meanings, define)
    return Step(
        f"{name} {table}".strip(),
        text.encode(),
        header.get("when"),
        "returns" in header,
        header.get("point") if table == (tables or [""])[-1] else None,
        header.get("analyze"),
        "%(" in text,
    )


def _named(text: str) -> dict[str, str]:
    """What the lines of a header say of names, each in one line."""
    return {name: re.sub(r"\n--\s+", " ", value).strip() for name, value in _NAMED.findall(text)}
