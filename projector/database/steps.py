"""What a step of sql/ is: one statement, with lines in its header that the runner follows.

  `-- when: NAME`           the step runs only where this condition holds;
  `-- returns: conditions`  its row names conditions, for the `when` of later steps, and numbers;
  `-- for: TABLE TABLE`     the step runs once for each of these tables, as {table};
  `-- point: NAME`          tests may stop a run after this step, or where it is skipped;
  `-- analyze: TABLE`       what follows needs statistics of this table;
  `-- deletes: TABLE by COLUMNS`  the statement is a query of keys, and the rows that have them are deleted;
  `-- with NAME = TEXT`     what {NAME} means here and in the definitions that the step includes;
  `-- on: read_model`       the step reads and writes the read model, and nothing of the platform's database;
  `-- on: both`             the step runs on either side, once where both are one database;
  `-- carries: TABLE TABLE` the step needs the rows of these staging tables, which the platform's side has filled;
  `-- brings NAME = TEXT`   {NAME} are rows of the platform's database that a step on the read model needs;

Without `-- on:` a step reads and writes the platform's database alone: source tables, queue, keys, and what else is in
the schema `projector`. The staging tables are on both sides.

A step has a text for each place of the read model: beside the source tables, and in a database of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from projector.database.look_ups import delete
from projector.database.placeholders import fill

READ_MODEL, BOTH, ONE_SERVER = "read_model", "both", "one_server"
"""The sides that a header can name. What is for one server only brings over what version 0.1 left there."""

_HEADER = re.compile(r"^-- (when|returns|for|point|analyze|deletes|on|carries): (.+)\n", re.MULTILINE)
_NAMED = re.compile(r"^-- (with|brings) (\w+) =(.*(?:\n--  .+)*)\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)

Define = Callable[[str, Mapping[str, str]], str]
"""Returns the text of a definition with what its placeholders mean."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a run. `name` is its path below `sql/`, with the table it is for where there are several.

    `is_on_read_model` and `is_on_both` say on which side it runs. Where the sides are two databases, `carries` names
    the staging tables whose rows have to be there, and `brings` the rows of the platform's side that have to be in
    temporary tables, which `apart_text` reads.
    """

    name: str
    text: bytes
    when: str | None
    returns_conditions: bool
    point: str | None
    analyzes: str | None
    takes_parameters: bool
    is_on_read_model: bool = False
    is_on_both: bool = False
    carries: tuple[str, ...] = ()
    brings: tuple[tuple[str, str], ...] = ()
    apart_text: bytes = b""


def header_of(text: str) -> dict[str, str]:
    """Return what the lines of a header say that are not about a name."""
    return dict(_HEADER.findall(text))


def read_steps(name: str, text: str, given: Mapping[str, str], define: Define) -> list[Step]:
    """Return the steps of a file: one, or one for each table that it is for.

    `given` say what placeholders mean that the header leaves open.
    """
    header, named = header_of(text), _named(text)
    body = _COMMENT.sub("", text).strip()
    tables = header.get("for", "").split()
    return [
        _read_step(name, header, named, body, dict(given) | ({"table": table} if table else {}), define)
        for table in tables or [""]
    ]


def _read_step(  # noqa: PLR0913, PLR0917  # What a file says, taken apart.
    name: str,
    header: Mapping[str, str],
    named: dict[str, dict[str, str]],
    body: str,
    given: dict[str, str],
    define: Define,
) -> Step:
    relations = given | named["with"]
    brings = {key: fill(value, relations, define) for key, value in named["brings"].items()}
    brought = {key: f"pg_temp.{key}" for key in brings}
    inline = {key: f"({value})" for key, value in brings.items()}
    table = given.get("table", "")
    tables = header.get("for", table).split()

    def text(meanings: Mapping[str, str]) -> str:
        statement = body
        if "deletes" in header:
            of, _, columns = header["deletes"].partition(" by ")
            statement = delete(fill(of, meanings, define), fill(columns, meanings, define), body)
        return fill(statement, meanings, define)

    one_server = text(relations | inline)
    return Step(
        f"{name} {table}".strip(),
        one_server.encode(),
        header.get("when"),
        "returns" in header,
        header.get("point") if table == (tables or [""])[-1] else None,
        header.get("analyze"),
        "%(" in one_server,
        header.get("on") == READ_MODEL,
        header.get("on") == BOTH,
        tuple(header.get("carries", "").split()),
        tuple(brings.items()),
        text(relations | inline | brought).encode(),
    )


def _named(text: str) -> dict[str, dict[str, str]]:
    """What the lines of a header say of names, each in one line, by the kind of line."""
    found: dict[str, dict[str, str]] = {"with": {}, "brings": {}}
    for kind, name, value in _NAMED.findall(text):
        found[kind][name] = re.sub(r"\n--\s+", " ", value).strip()
    return found
