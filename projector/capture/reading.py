"""Creates a temporary view for each text of a mapping, so that PostgreSQL parses it, and rolls it back."""

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from projector.capture.texts import bare
from projector.database.rows import Connection, only_row, value
from projector.database.sql import query

_UNFOUND = re.compile(r'^(?:type "(\w+)"|function (\w+)\()')
_UNNAMED = (
    ": write FROM table AS alias, with JOIN and no comma, and give no query of WITH the name of a table"
)
_WHOLE_ROW = re.compile(r"\b\w+\.\*")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a text: its declared type, and its category, base and item as in the query `read_view`."""

    name: str
    declared: str
    category: str
    base: str
    item: str | None


@dataclass(frozen=True, slots=True)
class View:
    """The row of the query `read_view` of sql/queries/capture.sql."""

    text: str
    columns: list[dict[str, str]]
    reads: list[dict[str, Any]]
    others: list[str]
    functions: list[int]
    types: list[int]
    unsteady: list[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text of the mapping as PostgreSQL reads it.

    `text` names each table with its schema. `origins` has the table and the column that each column shows unchanged,
    and `reads` the tables that it reads, with their schemas and columns. `functions` and `types` are the ids of those
    that it uses.
    """

    text: str
    columns: list[Column]
    origins: dict[str, tuple[str, str] | None]
    reads: dict[str, tuple[str, list[str]]]
    functions: list[int]
    types: list[int]

    @property
    def changed(self) -> tuple[str, str]:
        """For a rule: the table of the changed rows, and the column that is queued."""
        table, _, column = self.columns[0].name.rpartition(".")
        return table.rpartition(".")[2], column

    @property
    def touched(self) -> str:
        """For a rule: the relation that it touches."""
        return self.columns[1].name if self.columns[1:] else ""

    @property
    def is_direct(self) -> bool:
        """For a rule: whether the queued column is the key that it touches, so that nothing has to be read."""
        return self.changed == self.origins[self.columns[0].name] == self.origins[self.touched]


def read_text(conn: Connection, text: str, place: str) -> Reading | str:
    """Return a text as PostgreSQL reads it, or in words why it cannot.

    No function or operator is taken from a schema of the platform, where it would run with the rights of the projector.
    """
    whole = query("capture", "select_text", text=text).removesuffix(";")
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(query("capture", "prepare_to_read"))
            described = _describe(conn, whole)
            conn.execute(f"CREATE TEMPORARY VIEW leads_reading AS {whole}".encode(), prepare=False)
            view = only_row(conn, View, query("capture", "read_view"))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
        raise
    except psycopg.errors.ProgrammingError as error:
        at = max(int(error.diag.statement_position or 1) - whole.index(text) - 1, 0)
        line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0].strip()
        # Tables with an alias were checked before, so this one has none.
        is_unnamed = isinstance(error, psycopg.errors.UndefinedTable)
        advice = _UNNAMED if is_unnamed else _where_it_is(conn, error)
        return f"{place}: {error.diag.message_primary} (in {line}){advice}"
    if _WHOLE_ROW.search(bare(view.text)) or view.others:
        what = f"uses {', '.join(view.others)}" if view.others else "names a whole row"
        return f"{place} {what}, so that nobody can tell which columns of which tables it reads"
    if view.unsteady:
        used = ", ".join(view.unsteady)
        return f"{place} uses {used}, whose value changes without a change of a row: nothing would tell"
    columns = {
        (column["table_id"], column["number"]): (column["table"], column["column"]) for column in view.reads
    }
    reads: dict[str, tuple[str, list[str]]] = {}
    for column in view.reads:
        reads.setdefault(column["table"], (column["schema"], []))[1].append(column["column"])
    columns_given = [Column(**column) for column in view.columns]
    origins = {column.name: columns.get(described[at]) for at, column in enumerate(columns_given)}
    return Reading(view.text, columns_given, origins, reads, view.functions, view.types)


def _where_it_is(conn: Connection, error: psycopg.Error) -> str:
    """Return the advice to write the schema of a type or a function, if a schema has it."""
    unfound = _UNFOUND.match(error.diag.message_primary or "")
    name = unfound and (unfound[1] or unfound[2])
    schema = value(conn, query("capture", "find_schema_of"), {"name": name})
    return "" if schema is None else f": a mapping writes its schema, {schema}.{name}"


def _describe(conn: Connection, text: str) -> list[tuple[int, int]]:
    """Return the table and the number of the column that each column shows, or zeros. It needs no rights."""
    for result in (conn.pgconn.prepare(b"", text.encode()), conn.pgconn.describe_prepared(b"")):
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
    return [(result.ftable(at), result.ftablecol(at)) for at in range(result.nfields)]
