"""Parts of SQL that several statements share."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    Label,
    ScalarSelect,
    SelectBase,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.types import UserDefinedType

from api import tables

Condition = ColumnElement[bool]

# Short names keep the statements readable where an operator meets them.
leads = tables.leads.alias("l")
lead_profiles = tables.lead_profiles.alias("p")
lead_conversations = tables.lead_conversations.alias("c")
lead_messages = tables.lead_messages.alias("m")
lead_counts = tables.lead_counts.alias("s")
lead_daily_counts = tables.lead_daily_counts.alias("d")
lead_totals = tables.lead_totals.alias("n")
all_leads = tables.lead_totals.alias("a")
freshness = tables.freshness.alias("f")
tenants = tables.tenants.alias("t")


class Read(NamedTuple):
    """A statement, and the values of its parameters.

    Its first row is the answer. Of a statement with a page, the last column of the rows after it is what these print.
    """

    statement: SelectBase
    values: dict[str, object]


class _AsSent(UserDefinedType[Any]):
    """A value whose type the driver tells the server, or the column beside it, so that no cast has to be written."""

    cache_ok = True


USER = bindparam("user_id", type_=_AsSent())
PHONE = bindparam("customer_phone", type_=_AsSent())
LIMIT = bindparam("limit", type_=Integer)
OFFSET = bindparam("offset", type_=BigInteger)
NONE = literal_column("0", Integer)
UTC_NAME = literal_column("'UTC'", Text)
# The column of what is printed.
PAGE = "page"
PRINTED_TIME = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'""", Text)


class Question(NamedTuple):
    """A statement as the server takes it: its values in the order of their numbers, its row as a named tuple."""

    text: bytes
    names: tuple[str, ...]
    row: Callable[[Iterable[Any]], Any]
    has_page: bool
    values: Mapping[str, object]


_DIALECT = psycopg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1024)
def _compiled(statement: SelectBase) -> Question:
    text = statement.compile(dialect=_DIALECT)
    names = [str(column.key) for column in statement.selected_columns]
    row: Any = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024
    values = {name: value for name, value in text.params.items() if value is not None}
    return Question(str(text).encode(), tuple(text.positiontup or ()), row._make, names[-1] == PAGE, values)


def compiled(read: Read) -> Question:
    """The statement, put into words once, with all its values."""
    question = _compiled(read.statement)
    return question._replace(values={**question.values, **read.values})


def moment(name: str) -> BindParameter[Any]:
    """A moment given as a value."""
    return bindparam(name, type_=_AsSent())


def between(column: ColumnElement[Any], begins: ColumnElement[Any], ends: ColumnElement[Any]) -> Condition:
    """From a moment on, and before another."""
    return (column >= begins) & (column < ends)


def sum_of(column: ColumnElement[Any], condition: Condition | None = None) -> ColumnElement[int]:
    """A sum as an integer, 0 of no rows."""
    total = func.sum(column)
    return func.coalesce(cast(total if condition is None else total.filter(condition), BigInteger), NONE)


def in_span(counted: FromClause, span: str) -> Condition:
    """The rows of lead_totals of the tenant that count by hour, by day, or all of its leads."""
    return and_(counted.c.user_id == USER, counted.c.granularity == literal_column(f"'{span}'", Text))


def is_of_all_leads() -> Condition:
    """The one row of `all_leads` that the tenant has; none where it has no lead."""
    return and_(in_span(all_leads, "all"), all_leads.c.bucket_start == literal_column("'-infinity'"))


def as_of() -> ScalarSelect[Any]:
    """The moment up to which every change is contained; null before the first build."""
    return select(freshness.c.as_of).scalar_subquery()


def header() -> tuple[Label[Any], Label[Any]]:
    """What each answer says in its headers."""
    dead_letters = select(tenants.c.dead_letters).where(tenants.c.user_id == USER).scalar_subquery()
    return as_of().label("as_of"), dead_letters.label("dead_letters")


def members(**values: ColumnElement[Any]) -> ColumnElement[str]:
    """Members of a JSON object as text: `"key":value`, a comma between them."""
    parts: list[ColumnElement[str]] = []
    for key, value in values.items():
        parts.append(literal_column(f"""'{"," if parts else ""}"{key}":'""", Text))
        text = cast(func.to_json(value), Text)
        parts.append(func.coalesce(text, literal_column("'null'", Text)))
    return reduce(add, parts)


class Printed(NamedTuple):
    """Rows in their order, and what each of them prints."""

    rows: FromClause
    text: ColumnElement[Any]


def with_page(head: Sequence[Label[Any]], page: Sequence[Printed]) -> SelectBase:
    """One row with the head, and a row for each that is printed: as column `page`, beside nulls.

    Not put together to one text by the server, which would copy a page of leads five times. The rows come in this
    order because nothing here runs in parallel.
    """
    first = select(*head, cast(null(), Text).label(PAGE))
    nothing = [null() for _ in head]
    return union_all(first, *(select(*nothing, part.text).select_from(part.rows) for part in page))


def document_of(keys: FromClause) -> ScalarSelect[Any]:
    """The document of the key at hand: looked up once a row of the page, and never joined."""
    printed = tables.leads.alias("o")
    return looked_up(printed.c.document, keys, printed)


def looked_up(expression: ColumnElement[Any], keys: FromClause, table: FromClause) -> ScalarSelect[Any]:
    """What a table of leads says of the key at hand."""
    of_key = (table.c.user_id == USER, table.c.customer_phone == keys.c.customer_phone)
    return select(expression).where(*of_key).correlate(keys).scalar_subquery()
