"""Statements on their way to PostgreSQL: first with named values, then compiled to numbered ones."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar, cast

from sqlalchemy import SelectBase
from sqlalchemy.dialects.postgresql import psycopg

# The last column of a statement that returns a page: see CompiledStatement.has_page.
PAGE = "page"

# The name of the parameter that is the tenant.
TENANT = "user_id"

_MAX_COMPILED = 1024
_DIALECT = psycopg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


# The class of the first row of a statement: a NamedTuple, or a Freshness.
Row = TypeVar("Row")


# The as_of of data that are as of no moment: see api/plan/sql.py.
NOTHING_CLAIMED = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Freshness:
    """What each row about a tenant begins with.

    No as_of before a first build, no version of an unknown tenant, and no name where the platform knows none.
    `unfilled` has the parts of the read model that no build has filled, as JSON that api/database/parts.py reads; None
    for none.
    """

    as_of: datetime | None
    dead_letters: int | None
    version: bytes | None
    tenant_name: bytes | None
    unfilled: bytes | None

    @property
    def state(self) -> bytes | None:
        """What decides each answer about a tenant, but for the clock: its version, and which parts are not filled."""
        return self.version if self.unfilled is None else b"%b %b" % (self.version or b"", self.unfilled)


@dataclass(slots=True)
class TenantNowRow(Freshness):
    """What every answer of a tenant begins with, and what time it is by the clock of the database."""

    clock: datetime


class BoundStatement(NamedTuple, Generic[Row]):
    """A statement with its values by name, and the class of its first row.

    Every statement of the API returns at least one row. Texts in a row are UTF-8 bytes.
    """

    statement: SelectBase
    row: type[Row]
    values: Mapping[str, object] = MappingProxyType({})


class CompiledStatement(NamedTuple, Generic[Row]):
    """A statement as PostgreSQL takes it: `$1` is the value of the first name.

    With `has_page`, each row after the first one carries a result of the page in its last column.
    """

    text: bytes
    names: tuple[str, ...]
    make_row: Callable[[Iterable[Any]], Row]
    has_page: bool
    values: Mapping[str, object]


def compile_statement(bound: BoundStatement[Row]) -> CompiledStatement[Row]:
    """Return the statement compiled, which happens once for each statement, with all its values.

    Raises TypeError if the columns of the statement are not the fields of its row.
    """
    compiled: CompiledStatement[Row] = _compiled(bound.statement, cast("Any", bound.row))
    text, names, make_row, has_page, constants = compiled
    values = {**constants, **bound.values} if constants else bound.values
    # `_replace` would take as long as all the rest.
    return CompiledStatement(text, names, make_row, has_page, values)


@lru_cache(maxsize=_MAX_COMPILED)
def _compiled(statement: SelectBase, row: type[Any]) -> CompiledStatement[Any]:
    columns = tuple(str(column.key) for column in statement.selected_columns)
    if columns != row.__match_args__:
        fields = row.__match_args__
        raise TypeError(f"{row.__name__} has the fields {fields}, its statement the columns {columns}.")
    text = statement.compile(dialect=_DIALECT)
    names = tuple(text.positiontup or ())
    constants = {name: value for name, value in text.params.items() if value is not None}
    return CompiledStatement(
        str(text).encode(), names, lambda values: row(*values), columns[-1] == PAGE, constants
    )
