"""Loads the SQL of the project: the definition of the read model, the steps that use it, and named queries.

- `sql/definition/NAME.sql` says what a row of the read model is: one SELECT, or the functions that it calls.
- `sql/FOLDER/NN_name.sql` is a step: one statement, run in the order of the numbers. Lines of its header that
  tell the loader something:

  `-- when: NAME`           the step runs only where this condition holds;
  `-- returns: conditions`  its row names conditions, for the `when` of later steps, and numbers;
  `-- for: TABLE TABLE`     the step runs once for each of these tables, as {table};
  `-- point: NAME`          tests may stop a run after this step, or where it is skipped;
  `-- analyze: TABLE`       what follows needs statistics of this table;
  `-- with NAME = TEXT`     what {NAME} means here and in the definitions that the step includes;
  `-- on: read_model`       the step reads and writes the read model, and nothing of the platform's database;
  `-- on: both`             the step runs on either side, once where both are one database;
  `-- carries: TABLE TABLE` the step needs the rows of these staging tables, which the platform's side has filled;
  `-- brings NAME = TEXT`   {NAME} are rows of the platform's database that a step on the read model needs.

  Without `-- on:` a step reads and writes the platform's database alone: source tables, queue, keys, and what else is
  in the schema `projector`. The staging tables are on both sides.

- `sql/queries/MODULE.sql` holds the named queries of a module.

A step or a definition may say `{definition.NAME}` for the text of a definition, `{columns.TABLE}` for the columns
of a table as schema.sql has them, `{columns.TABLE of ALIAS}` for the same with an alias, `{types.TABLE}` for the same
with their types, `{key.TABLE}` and `{values.TABLE}` for the columns of its key and the others, and `{updates.TABLE}`
for `column = excluded.column` of the others. So no statement depends on the order in which a table of an installation
has its columns.

`{source.TABLE}` names a table of the platform. The loader leaves it as it is: projector/source_names.py puts the schema
in, which is another one on another connection.

The files are in `sql/` next to this package in a checkout, and inside the package when it is installed.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import LiteralString

from projector.placeholders import fill

_PACKAGE = Path(__file__).parent
ROOT = _PACKAGE if (_PACKAGE / "sql").is_dir() else _PACKAGE.parent
"""The folder that holds `sql/` and `schema.sql`."""

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_HEADER = re.compile(r"^-- (when|returns|for|point|analyze|on|carries): (.+)\n", re.MULTILINE)
_WITH = re.compile(r"^-- with (\w+) =(.*(?:\n--  .+)*)\n", re.MULTILINE)
_BRINGS = re.compile(r"^-- brings (\w+) =(.*(?:\n--  .+)*)\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


READ_MODEL, BOTH, ONE_SERVER = "read_model", "both", "one_server"
"""The sides that a header can name. What is for one server only brings over what version 0.1 left there."""


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


@cache
def steps(name: str, **relations: str) -> tuple[Step, ...]:
    """Return the steps of `sql/<name>/` in their order, or the step `sql/<name>.sql`; raises LookupError for neither.

    `relations` say what placeholders mean that the headers of the steps leave open.
    """
    path = ROOT / "sql" / name
    files = sorted(path.glob("*.sql")) if path.is_dir() else [path.with_suffix(".sql")]
    if not files or not files[0].is_file():
        raise LookupError(f"There is no step sql/{name}.sql, nor a folder of that name.")
    return tuple(step for file in files for step in _read_steps(file, relations))


def step(name: str) -> Step:
    """Return one step by its path below `sql/`; raises LookupError where there is none, or one for several tables."""
    [found] = steps(name)
    return found


def statement(name: str) -> LiteralString:
    """Return the text of one step by its path below `sql/`."""
    return step(name).text.decode()


def definition(name: str, **relations: str) -> str:
    """Return the text of a definition, with what its placeholders mean, without comments."""
    return _define(name, relations)


def query(module: str, name: str, **relations: str) -> LiteralString:
    """Return the query `name` of `sql/queries/<module>.sql`; raises LookupError where there is none.

    `relations` say what its placeholders mean, if it has any but definitions and columns.
    """
    found = _queries(module)
    if name not in found:
        raise LookupError(f"sql/queries/{module}.sql has no query named {name}.")
    return _filled(found[name], **relations)


def file_text(name: str) -> LiteralString:
    """Return the text of `sql/<name>.sql` as it is."""
    return _read(ROOT / "sql" / f"{name}.sql")


@cache
def all_texts() -> tuple[str, ...]:
    """Return the texts of all files of `sql/`, and of `schema.sql`, as they are."""
    return tuple(map(_read, (ROOT / "schema.sql", *sorted((ROOT / "sql").rglob("*.sql")))))


@cache
def functions(folder: str) -> dict[str, LiteralString]:
    """Return the texts of `sql/<folder>/` by their files, in order, as they are: they create functions and views."""
    files = sorted((ROOT / "sql" / folder).glob("*.sql"))
    return {f"sql/{folder}/{file.name}": _read(file) for file in files}


def side_of_text(text: str) -> str | None:
    """Return the side that the header of a file names; None for the platform's."""
    return dict(_HEADER.findall(text)).get("on")


def names_of_texts() -> dict[str, str]:
    """Return the names of the steps of a refresh, and of the queries without placeholders, by their texts."""
    folders = sorted(path.name for path in (ROOT / "sql" / "refresh").iterdir())
    found: dict[str, str] = {}
    for one in (one for folder in folders for one in steps(f"refresh/{folder}")):
        # Two steps may say the same.
        found.setdefault(one.text.decode(), one.name)
    for module in sorted(path.stem for path in (ROOT / "sql" / "queries").glob("*.sql")):
        for name, text in _queries(module).items():
            if "{" not in text:
                found[text] = f"queries/{module}/{name}"
    return found


def normalizing_functions() -> dict[str, LiteralString]:
    """Return the statements that create the functions of the definition, by their file."""
    return {"sql/definition/normalize.sql": _definition_file("normalize")}


def _digest() -> str:
    """Return 12 hexadecimal digits that change with the definitions; comments and white space do not count.

    Neither does how the statements name the platform's tables, nor therefore the schema of these.
    """
    digest = hashlib.sha256()
    for file in sorted((ROOT / "sql" / "definition").glob("*.sql")):
        text = re.sub(r"--.*", "", file.read_text("utf-8"))
        text = re.sub(r"\{source\.(\w+)\}", r"\1", text)
        digest.update(f"{file.stem}\0{' '.join(text.split())}\0".encode())
    return digest.hexdigest()[:12]


PROJECTION_VERSION = _digest()
"""Identifies the rule from source rows to read model. A read model that another version built has to be rebuilt."""


def _read_steps(file: Path, given: dict[str, str]) -> list[Step]:
    text = _read(file)
    name = str(file.relative_to(ROOT / "sql").with_suffix(""))
    header = dict(_HEADER.findall(text))
    relations = {**given, **_joined(_WITH.findall(text))}
    brought = {key: fill(value, relations, _define) for key, value in _joined(_BRINGS.findall(text)).items()}
    apart = {**relations, **{key: f"pg_temp.{key}" for key in brought}}
    relations |= {key: f"({value})" for key, value in brought.items()}
    body = _COMMENT.sub("", text).strip()
    tables = header.get("for", "").split()
    made = []
    for table in tables or [""]:
        given_table = {"table": table} if table else {}
        filled = fill(body, relations | given_table, _define)
        made.append(
            Step(
                f"{name} {table}".strip(),
                filled.encode(),
                header.get("when"),
                "returns" in header,
                header.get("point") if table == (tables or [""])[-1] else None,
                header.get("analyze"),
                "%(" in filled,
                header.get("on") == READ_MODEL,
                header.get("on") == BOTH,
                tuple(header.get("carries", "").split()),
                tuple(brought.items()),
                fill(body, apart | given_table, _define).encode(),
            )
        )
    return made


def _joined(found: list[tuple[str, str]]) -> dict[str, str]:
    """What names mean, each in one line."""
    return {name: re.sub(r"\n--\s+", " ", value).strip() for name, value in found}


@cache
def _filled(text: str, **relations: str) -> str:
    return fill(text, relations, _define)


def _define(name: str, relations: Mapping[str, str]) -> str:
    """The text of a definition without comments, filled."""
    # A comment at the end of the last line must not swallow what follows the definition.
    return fill(_COMMENT.sub("", _definition_file(name)).strip() + "\n", relations, _define)


def _read(file: Path) -> str:
    return file.read_text("utf-8")


def _definition_file(name: str) -> str:
    return _read(ROOT / "sql" / "definition" / f"{name}.sql")


@cache
def _queries(module: str) -> dict[str, LiteralString]:
    file = ROOT / "sql" / "queries" / f"{module}.sql"
    _, *pieces = _NAME.split(_read(file))
    names, texts = pieces[::2], pieces[1::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{file} has two queries of one name.")
    return {name: _COMMENT.sub("", text).strip() for name, text in zip(names, texts, strict=True)}
