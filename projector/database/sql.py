"""Loads the SQL of the project.

- `NAME.sql` in `sql/definition/`, or in a folder there, defines a row of the read model: one SELECT, or the functions
  that it calls. `source_rows.sql` has the body of a function for each relation of the mapping.
- `sql/FOLDER/NN_name.sql` is a step: one statement, run in the order of the numbers. Its header may have these lines:
  `-- when: NAME`           the step runs only where this condition holds, which may have {table} in it;
  `-- unless: NAME`         the step does not run where this condition holds;
  `-- returns: conditions`  its row names conditions, for the `when` of later steps, and numbers;
  `-- for: TABLE TABLE`     the step runs once for each of these tables, as {table};
  `-- point: NAME`          tests may stop a run after this step, or where it is skipped.
- `sql/queries/MODULE.sql` holds named queries.

Texts in braces are replaced:

- `{definition.NAME}`: a definition. It reads relations of fixed names: staging tables, or those in the WITH of the
  statement.
- `{columns.TABLE}`, `{columns.TABLE of ALIAS}`: the columns of a table. `{key.TABLE}` and `{values.TABLE}` are those of
  its key and the others, `{updates.TABLE}` is `column = excluded.column` for the others. `_LISTS` has the rest. So no
  statement depends on the order in which the table of an installation has its columns.
- `{relation.NAME of ALIAS except COLUMN, COLUMN}`: the columns of a relation of the mapping except these. So a
  statement reads each column that `source_rows.sql` gives.
- `{kinds.NAME}`: names of kinds, see `lists` of projector/database/kinds.py.
- `{fence}`: the end of a look-up in the platform's tables, and `{stored_fence}` of one in the read model; `{tenants}`:
  the condition that `stored` belongs to a tenant of the batch. They depend on the dialect of the connection:
  projector/database/dialect.py.

The files are in `sql/` next to this package in a checkout, and inside the package when it is installed.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import LiteralString

from projector.database import kinds
from projector.database.dialect import FENCE, ONE_SERVER, Dialect
from projector.database.schema import ROOT, Table, table

_QUERY = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_HEADER = re.compile(r"^-- (when|unless|returns|for|point): (.+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)
_SOURCE_ROWS = re.compile(r"^SELECT [^;]+FROM \{(?P<table>\w+)\} AS t;", re.MULTILINE)
_READ = re.compile(r"projector\.(?:source|current)_(\w+)\(\)")
_OF_KEY = re.compile(r"projector\.(?:leads_of|current)_key\(")
_REQUIRED = re.compile(r"^-- required: (.+)\nSELECT [^;]+FROM \{(\w+)\} AS t;", re.MULTILINE)
_COLUMN = re.compile(r"t\.(\w+)::([\w{}]+)")
_KINDS = re.compile(r"\{(?:kinds\.\w+|definition\.kinds)\}")
_RELATION = re.compile(r"\{relation\.(\w+) of (\w+) except ([\w, ]+)\}")
_PLACEHOLDER = re.compile(r"\{(\w+)(?:\.(\w+))?(?: of (\w+))?\}")

# The names of loaded steps and queries by their texts. Two steps may have the same text.
_names: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a run. `name` is its path below `sql/`, with the table if it runs for several."""

    name: str
    text: bytes
    when: str | None
    unless: str | None
    returns_conditions: bool
    point: str | None
    takes_parameters: bool
    takes_tenants: bool


@cache
def steps(name: str, dialect: Dialect = ONE_SERVER) -> tuple[Step, ...]:
    """Return the steps of `sql/<name>/` in order, or the step `sql/<name>.sql`. Raises LookupError if there is neither.

    The dialect has the texts for some placeholders.
    """
    path = ROOT / "sql" / name
    files = sorted(path.glob("*.sql")) if path.is_dir() else [path.with_suffix(".sql")]
    if not files or not files[0].is_file():
        raise LookupError(f"There is no step sql/{name}.sql, nor a folder of that name.")
    words = {"fence": dialect.fence, "stored_fence": dialect.stored_fence, "tenants": dialect.tenants}
    loaded = tuple(step for file in files for step in _read_steps(file, words))
    for step in loaded:
        _names.setdefault(step.text.decode(), step.name)
    return loaded


def statement(name: str) -> LiteralString:
    """Return the text of one step by its path below `sql/`. Raises LookupError if there is none."""
    [step] = steps(name)
    return step.text.decode()


def definition(name: str) -> str:
    """Return the text of a definition, without comments."""
    return _fill(f"{{definition.{name}}}", {"fence": FENCE})


@cache
def query(module: str, name: str, **names: str) -> LiteralString:
    """Return the query `name` of `sql/queries/<module>.sql`. Raises LookupError if there is none.

    `names` are the texts for placeholders of the query.
    """
    queries = _queries(module)
    if name not in queries:
        raise LookupError(f"sql/queries/{module}.sql has no query named {name}.")
    text = _fill(queries[name], {"fence": FENCE, **names})
    _names.setdefault(text, f"queries/{module}/{name}")
    return text


def document(module: str, names: Sequence[str], **texts: str) -> str:
    """Return the statement whose one value is an object with the row of each of these queries under its name.

    `texts` are for placeholders of the queries. Raises LookupError as `query` does.
    """
    # Citus does not take them as sub-selects of one SELECT.
    read = (
        query("database", "row_as_json", text=query(module, name, **texts).rstrip(";")).rstrip(";")
        for name in names
    )
    groups = [f"{name} AS MATERIALIZED ({text})" for name, text in zip(names, read, strict=True)]
    members = [f"'{name}', (TABLE {name})" for name in names]
    return f"WITH {', '.join(groups)} SELECT json_build_object({', '.join(members)})::text"


def query_names(module: str) -> list[str]:
    """Return the names of the queries of `sql/queries/<module>.sql`, in order."""
    return [*_queries(module)]


def file_text(name: str) -> LiteralString:
    """Return the unchanged text of `sql/<name>.sql`."""
    return _read(ROOT / "sql" / f"{name}.sql")


@cache
def all_texts() -> tuple[str, ...]:
    """Return the unchanged texts of `schema.sql` and of all files of `sql/`."""
    return tuple(map(_read, (ROOT / "schema.sql", *sorted((ROOT / "sql").rglob("*.sql")))))


@cache
def functions(folder: str) -> dict[str, LiteralString]:
    """Return the texts of `sql/<folder>/` by their files, in order: they create functions and views."""
    files = sorted((ROOT / "sql" / folder).glob("*.sql"))
    return {
        f"sql/{folder}/{file.name}": _KINDS.sub(lambda match: _fill(match[0], {}), _read(file))
        for file in files
    }


def definitions() -> dict[str, LiteralString]:
    """Return the statements that create the functions of the definition, by their file.

    They have placeholders for the relations of the mapping and for the types of the platform's ids, which
    projector/capture/fit.py fills in.
    """
    normalize, attributes, rows = (
        f"definition/{name}" for name in ("normalize", "attributes", "source_rows")
    )
    of_tables = _SOURCE_ROWS.sub(_source_function, _COMMENT.sub("", file_text(rows)))
    of_ids = "\n".join(
        query("database", "id_function", id=name, type=f"{{of_{name}}}", cast=f"{{as_{name}}}")
        for name in source_ids()
    )
    return {
        f"sql/{normalize}.sql": file_text(normalize),
        f"sql/{attributes}.sql": file_text(attributes),
        f"sql/{rows}.sql": f"{of_ids}\n{of_tables}",
        **functions("definition/source"),
    }


@cache
def source_columns() -> dict[str, dict[str, str]]:
    """Return the columns of each relation of the mapping, and the type as which each is read.

    It is `text`, `timestamptz`, `boolean`, `integer`, `interval`, `jsonb`, or a kind of id such as `agent_id`.
    """
    selects = _SOURCE_ROWS.finditer(_COMMENT.sub("", file_text("definition/source_rows")))
    return {
        select["table"]: {name: kind.strip("{}") for name, kind in _COLUMN.findall(select[0])}
        for select in selects
    }


@cache
def required_columns() -> dict[str, list[str]]:
    """Return the required columns of each relation of a mapping. The first one is its key."""
    return {
        relation: columns.split()
        for columns, relation in _REQUIRED.findall(file_text("definition/source_rows"))
    }


def with_columns_of_relations(text: str) -> str:
    """Return the text with `{relation.NAME of ALIAS except COLUMN, COLUMN}` replaced by columns."""

    def columns(match: re.Match[str]) -> str:
        name, alias, left_out = match.groups()
        kept = [column for column in source_columns()[name] if column not in left_out.split(", ")]
        return ", ".join(_prefixed(kept, alias))

    return _RELATION.sub(columns, text)


def source_ids() -> list[str]:
    """Return the kinds of ids by which rows are looked up: those of extractions are not."""
    types = {of for columns in source_columns().values() for of in columns.values()}
    return sorted(of for of in types if of.endswith("_id") and of != "extraction_id")


def texts_of_keys() -> dict[str, str]:
    """Return the texts for the placeholders of sql/definition/source/current_keys.sql, with a part for each kind."""
    owners = kinds.key_kinds()

    def union(name: str) -> str:
        texts = (
            query("database", name, kind=key_kind, relation=own.kind, id=own.id, phone=str(own.phone))
            for key_kind, own in owners.items()
        )
        return "\nUNION ALL\n".join(text.rstrip(";") for text in texts)

    def check(own: kinds.Kind) -> str:
        same = [f"'{kind.kind}'" for kind in kinds.kinds().values() if kind.key_kind == own.key_kind]
        is_valid = f'projector.{own.id}(of_key COLLATE "default") IS NOT NULL'
        return f"(of_kind NOT IN ({', '.join(same)}) OR {is_valid})"

    return {
        "rows_of_keys": union("rows_of_keys"),
        "rows_of_key": union("rows_of_key"),
        "checks_of_key": "\n    AND ".join(map(check, owners.values())),
    }


def name_of_text(text: str) -> str | None:
    """Return the name of a loaded step or query by its text; None for another text."""
    return _names.get(text)


def _source_function(select: re.Match[str]) -> str:
    """Return the commands that create the function of the rows of a relation."""
    columns = ", ".join(f'"{column}" {kind}' for column, kind in _COLUMN.findall(select[0]))
    body = select[0].removesuffix(";")
    return query("database", "source_function", source=select["table"], columns=columns, body=body)


def _files(part: Path) -> list[Path]:
    return [*part.rglob("*.sql")] if part.is_dir() else [part]


def _digest(*parts: str) -> str:
    """Return 12 hexadecimal digits of the SQL of these files and folders, without comments and white space."""
    digest = hashlib.sha256()
    for file in sorted(file for part in parts for file in _files(ROOT / part)):
        text = re.sub(r"--.*", "", file.read_text("utf-8"))
        digest.update(f"{file.parent.name}/{file.stem}\0{' '.join(text.split())}\0".encode())
    return digest.hexdigest()[:12]


PROJECTION_VERSION = _digest("sql/definition", "sql/mapping")
"""Identifies the rule from source rows to read model. A read model of another version has to be rebuilt."""

OBJECTS_VERSION = _digest("sql/install", "sql/capture", "schema.sql")
"""Identifies the tables, views and functions that `migrate` installs beside those of the projection version."""


def failing_step(error: BaseException) -> str | None:
    """Return the file of the step that failed, which a run has noted in the error; None for other errors."""
    name: str | None = getattr(error, "_leads_step", None)
    return None if name is None else f"sql/{name.partition(' ')[0]}.sql"


def failing_relations(error: BaseException) -> list[str]:
    """Return the relations of the mapping that the failed step reads."""
    name: str | None = getattr(error, "_leads_step", None)
    texts = [] if name is None else [step.text.decode() for step in steps(name.partition(" ")[0])]
    read = {relation for text in texts for relation in _READ.findall(text)}
    if any(_OF_KEY.search(text) for text in texts):
        read |= {kind.kind for kind in kinds.key_kinds().values()}
    return sorted(read & source_columns().keys())


def _read_steps(file: Path, names: Mapping[str, str]) -> list[Step]:
    """Return the steps of a file: one, or one for each table that it is for."""
    text = _read(file)
    header, body = dict(_HEADER.findall(text)), _COMMENT.sub("", text).strip()
    tables = header.get("for", "").split() or [""]
    name = str(file.relative_to(ROOT / "sql").with_suffix(""))
    return [
        Step(
            f"{name} {table}".strip(),
            (filled := _fill(body, {**names, "table": table})).encode(),
            header.get("when", "").replace("{table}", table) or None,
            header.get("unless"),
            "returns" in header,
            header.get("point") if table == tables[-1] else None,
            "%(" in filled,
            "%(staged_tenants)s" in filled,
        )
        for table in tables
    ]


def _fill(text: str, names: Mapping[str, str]) -> str:
    """Return the text with its placeholders replaced. Raises LookupError for an unknown one.

    `names` are texts for placeholders. The table of `{columns.table}` is `table` in `names`.
    """

    def meaning(match: re.Match[str]) -> str:
        kind, name, alias = match.groups()
        of = names.get("table", "") if name == "table" else name
        if name is None and kind in names:
            return names[kind]
        if of and kind == "definition":
            file = next((ROOT / "sql" / "definition").rglob(f"{of}.sql"), None)
            if file is not None:
                # A comment at the end of the last line must not swallow what follows the definition.
                return _fill(_COMMENT.sub("", _read(file)).strip() + "\n", names)
        if of and kind == "kinds":
            return ", ".join(f"'{word}'" for word in kinds.lists()[of])
        if of and kind in _LISTS:
            return ", ".join(_LISTS[kind](table(of), alias))
        raise LookupError(f"{match[0]} means nothing here: projector/database/sql.py says what does.")

    return _PLACEHOLDER.sub(meaning, with_columns_of_relations(text))


def _read(file: Path) -> str:
    return file.read_text("utf-8")


@cache
def _queries(module: str) -> dict[str, LiteralString]:
    file = ROOT / "sql" / "queries" / f"{module}.sql"
    _, *pieces = _QUERY.split(_read(file))
    names, texts = pieces[::2], pieces[1::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{file} has two queries of one name.")
    return {name: _COMMENT.sub("", text).strip() for name, text in zip(names, texts, strict=True)}


def _prefixed(columns: Sequence[str], alias: str | None) -> list[str]:
    """Return the columns, with the alias if there is one."""
    return [f"{alias}.{column}" if alias else column for column in columns]


def _of_values(pattern: str) -> Callable[[Table, str | None], list[str]]:
    """Return the pattern for each column that is not part of the key."""
    return lambda table, alias: [pattern.format(column=column, of=alias) for column in table.values]


_LISTS: dict[str, Callable[[Table, str | None], list[str]]] = {
    "columns": lambda table, alias: _prefixed(table.compared, alias),
    "types": lambda table, _alias: list(table.types),
    "key": lambda table, alias: _prefixed(table.key, alias),
    "lookup": lambda table, alias: _prefixed(table.lookup, alias),
    "values": lambda table, alias: _prefixed(table.values, alias),
    # The first number of a row of statistics, which says how many leads or messages it counts.
    "amount": lambda table, alias: _prefixed(table.values[:1], alias),
    "zeros": _of_values("0"),
    "updates": _of_values("{column} = excluded.{column}"),
    "additions": _of_values("{column} = {of}.{column} + excluded.{column}"),
    # The sums of one part of a comparison.
    "sums": _of_values("coalesce(sum(side.{column}) FILTER (WHERE side.{of}), 0)"),
    "key_texts": lambda table, alias: [f"{alias}.{column}::text" for column in table.key],
}
