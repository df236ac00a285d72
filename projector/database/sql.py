"""Loads the SQL of the project: the definition of the read model, the steps that use it, and named queries.

- `NAME.sql` in `sql/definition/`, or a folder there, says what a row of the read model is: one SELECT, or the
  functions that it calls.
- `sql/FOLDER/NN_name.sql` is a step: one statement, run in the order of the numbers. projector/database/steps.py says
  what the lines of its header mean.
- `sql/queries/MODULE.sql` holds the named queries of a module.

A step or a definition may say `{definition.NAME}` for the text of a definition, `{columns.TABLE}` for the columns
of a table as schema.sql has them, `{columns.TABLE of ALIAS}` for the same with an alias, `{types.TABLE}` for the same
with their types, `{key.TABLE}` and `{values.TABLE}` for the columns of its key and the others, and `{updates.TABLE}`
for `column = excluded.column` of the others. So no statement depends on the order in which a table of an installation
has its columns.

`{source.TABLE}` names a table of the platform. The loader leaves it as it is: projector/database/source_names.py puts
the schema in.

The files are in `sql/` next to this package in a checkout, and inside the package when it is installed.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import LiteralString

from projector.database.placeholders import fill
from projector.database.steps import Step, read_steps

_PACKAGE = Path(__file__).parents[1]
ROOT = _PACKAGE if (_PACKAGE / "sql").is_dir() else _PACKAGE.parent
"""The folder that holds `sql/` and `schema.sql`."""

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


@cache
def steps(name: str, **relations: str) -> tuple[Step, ...]:
    """Return the steps of `sql/<name>/` in their order, or the step `sql/<name>.sql`; raises LookupError for neither.

    `relations` say what placeholders mean that the headers of the steps leave open.
    """
    path = ROOT / "sql" / name
    files = sorted(path.glob("*.sql")) if path.is_dir() else [path.with_suffix(".sql")]
    if not files or not files[0].is_file():
        raise LookupError(f"There is no step sql/{name}.sql, nor a folder of that name.")
    return tuple(
        found
        for file in files
        for found in read_steps(
            str(file.relative_to(ROOT / "sql").with_suffix("")), _read(file), relations, _define
        )
    )


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
    for file in sorted((ROOT / "sql" / "definition").rglob("*.sql")):
        text = re.sub(r"--.*", "", file.read_text("utf-8"))
        text = re.sub(r"\{source\.(\w+)\}", r"\1", text)
        digest.update(f"{file.stem}\0{' '.join(text.split())}\0".encode())
    return digest.hexdigest()[:12]


PROJECTION_VERSION = _digest()
"""Identifies the rule from source rows to read model. A read model that another version built has to be rebuilt."""


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
    folder = ROOT / "sql" / "definition"
    return _read(next(folder.rglob(f"{name}.sql"), folder / f"{name}.sql"))


@cache
def _queries(module: str) -> dict[str, LiteralString]:
    file = ROOT / "sql" / "queries" / f"{module}.sql"
    _, *pieces = _NAME.split(_read(file))
    names, texts = pieces[::2], pieces[1::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{file} has two queries of one name.")
    return {name: _COMMENT.sub("", text).strip() for name, text in zip(names, texts, strict=True)}
