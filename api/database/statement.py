"""Statements with named values, and their compiled form with numbered values."""

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


# The as_of of data whose moment is not known: see api/plan/sql.py.
NOTHING_CLAIMED = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Freshness:
    """The first values of each row about a tenant.

    `as_of` is None before the first build, `version` for an unknown tenant, and `tenant_name` if the platform has no
    name. `unfilled` has the parts of the read model that no build has filled, as JSON for api/database/parts.py, or is
    None.
    """

    as_of: datetime | None
    dead_letters: int | None
    version: bytes | None
    tenant_name: bytes | None
    unfilled: bytes | None

    @property
    def state(self) -> bytes | None:
        """The version and the unfilled parts, which together with the clock decide every answer about a tenant."""
        return self.version if self.unfilled is None else b"%b %b" % (self.version or b"", self.unfilled)


@dataclass(slots=True)
class TenantNowRow(Freshness):
    """The first values of each row about a tenant, and the time of the database's clock."""

    clock: datetime


class BoundStatement(NamedTuple, Generic[Row]):
    """A statement with its values by name, and the class of its first row.

    Every statement of the API returns at least one row. Texts in a row are UTF-8 bytes.
    """

    statement: SelectBase
    row: type[Row]
    values: Mapping[str, object] = MappingProxyType({})

    def at(self, now: datetime) -> "BoundStatement[Row]":
        """Return the statement with another present time than that of the database's clock."""
        return self._replace(values={**self.values, "now": now})


class CompiledStatement(NamedTuple, Generic[Row]):
    """A statement in the form that PostgreSQL takes: `$1` is the value of the first name.

    With `has_page`, each row after the first has a result of the page in its last column.
    """

    text: bytes
    names: tuple[str, ...]
    make_row: Callable[[Iterable[Any]], Row]
    has_page: bool
    values: Mapping[str, object]


def compile_statement(bound: BoundStatement[Row]) -> CompiledStatement[Row]:
    """Return the compiled statement with all its values; each statement is compiled once.

    Raises TypeError if the columns of the statement are not the fields of its row.
    """
    compiled: CompiledStatement[Row] = _compiled(bound.statement, cast("Any", bound.row))
    text, names, make_row, has_page, constants = compiled
    values = {**constants, **bound.values} if constants else bound.values
    # `_replace` would take as long as everything else here.
    return CompiledStatement(text, names, make_row, has_page, values)


@lru_cache(maxsize=_MAX_COMPILED)
def _compiled(statement: SelectBase, row: type[Any]) -> CompiledStatement[Any]:
    columns = tuple(str(column.key) for column in statement.selected_columns)
    if columns != row.__match_args__:
        fields = row.__match_args__
        raise TypeError(f"{row.__name__} has the fields {fields}, its statement the columns {columns}.")
    text = statement.compile(dialect=_DIALECT)
    names = tuple(text.positiontup or ())
    constants = {name: bind.value for name, bind in text.binds.items() if not bind.required}
    return CompiledStatement(
        str(text).encode(), names, lambda values: row(*values), columns[-1] == PAGE, constants
    )
