"""The statements of an export: how much there is, and its lines one by one, to be asked in one snapshot.

How much there is has to be known before the first line is sent. A stored line is measured without being read. A line
that has to be made is made once: PostgreSQL keeps all of them, and each of them says how many there are.
"""

from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    cast,
    column,
    false,
    func,
    literal_column,
    null,
    select,
    true,
)

from api.database.statement import BoundStatement, Freshness
from api.plan.list.filters import conditions
from api.plan.list.plan import ListPlan, plan_list
from api.plan.sql import (
    USER,
    ZERO,
    Condition,
    constant,
    freshness_columns,
    lead_profiles,
    leads,
    message_lines,
    moment,
    sum_of,
)
from api.request.lead import LEAD_FIELDS
from api.request.parameters import Parameters
from api.request.text import next_millisecond

CSV_COLUMNS = tuple(LEAD_FIELDS)
"""The printed lead without its conversations, as sql/install/functions/30_export.sql writes it."""

_CSV_HEADER = ",".join(CSV_COLUMNS).encode() + b"\r\n"

_MAX_CACHED_STATEMENTS = 256

_UNKNOWN = cast(null(), BigInteger)
_UNMEASURED = select(*freshness_columns(), _UNKNOWN.label("total"), _UNKNOWN.label("size"))
_LINE_FEED = literal_column("E'\\n'", Text)


@dataclass(slots=True)
class ExportRow(Freshness):
    """How many lines an export has, and how many bytes these are; None where each of its lines says it."""

    total: int | None
    size: int | None


class LineRow(NamedTuple):
    """A line with its end."""

    line: bytes


class MeasuredLineRow(NamedTuple):
    """A line with its end, and how many lines and bytes the whole export has."""

    line: bytes
    total: int
    size: int


class ExportPlan(NamedTuple):
    """What to ask for first, the lines, and what is sent before them."""

    head: BoundStatement[ExportRow]
    lines: BoundStatement[Any]
    opening: bytes = b""


def leads_as_ndjson(user_id: str, parameters: Parameters, now: datetime | None = None) -> ExportPlan:
    """Returns the statements of all leads that match, each as it is printed."""
    plan, values = plan_list(parameters, now)
    return _bound(*_document_statements(plan), {"user_id": user_id, **values})


def leads_as_csv(user_id: str, parameters: Parameters, now: datetime | None = None) -> ExportPlan:
    """Returns the statements of all leads that match, as rows of CSV below its header."""
    plan, values = plan_list(parameters, now)
    of_excel = parameters.reader == "excel"
    statement = _csv_statement(plan, of_excel=of_excel)
    lines = BoundStatement(statement, MeasuredLineRow, {"user_id": user_id, **values})
    head = BoundStatement(_UNMEASURED, ExportRow, {"user_id": user_id})
    return ExportPlan(head, lines, BOM_UTF8 + _CSV_HEADER if of_excel else _CSV_HEADER)


def messages_as_ndjson(user_id: str, parameters: Parameters, _now: datetime | None = None) -> ExportPlan:
    """Returns the statements of all messages of a time range, by lead and then in their order, whatever time it is."""
    values: dict[str, object] = {}
    if parameters.from_date is not None:
        values["start"] = parameters.from_date
    if parameters.to_date is not None:
        values["end"] = next_millisecond(parameters.to_date)
    return _bound(*_message_statements(frozenset(values)), {"user_id": user_id, **values})


def _bound(head: Select[Any], lines: Select[Any], values: dict[str, object]) -> ExportPlan:
    return ExportPlan(BoundStatement(head, ExportRow, values), BoundStatement(lines, LineRow, values))


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _document_statements(plan: ListPlan) -> tuple[Select[Any], Select[Any]]:
    document, chosen = leads.c.document, _chosen(plan)
    lines = select((document + _LINE_FEED).label("line")).select_from(_with_key(plan, leads)).where(*chosen)
    head = _head(func.octet_length(document) + constant(1), leads, chosen)
    return head, lines.order_by(*plan.order(plan.sort.table.c[plan.sort.key], leads.c.customer_phone))


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _csv_statement(plan: ListPlan, *, of_excel: bool) -> Select[Any]:
    csv = (
        func.read_model.csv_line(leads.c.document, true() if of_excel else false())
        .table_valued(column("line", Text))
        .render_derived(name="csv")
    )
    key, phone = plan.sort.table.c[plan.sort.key], leads.c.customer_phone
    made = (
        select(csv.c.line, key, phone)
        .select_from(_with_key(plan, leads.join(csv, true())))
        .where(*_chosen(plan))
        .order_by(*plan.order(key, phone))
        # PostgreSQL would make each line a second time for its length.
        .offset(ZERO)
        .subquery("made")
    )
    measured = (
        made.c.line,
        func.count().over().label("total"),
        cast(func.sum(func.octet_length(made.c.line)).over(), BigInteger).label("size"),
    )
    # The order that they have: PostgreSQL sorts once.
    return select(*measured).order_by(*plan.order(made.c[plan.sort.key], made.c.customer_phone))


def _chosen(plan: ListPlan) -> Sequence[Condition]:
    return [leads.c.user_id == USER, *conditions(plan.filters, leads)]


def _with_key(plan: ListPlan, source: FromClause) -> FromClause:
    """Returns the source with the table of the key of the order."""
    if plan.sort.table is not lead_profiles:
        return source
    profile = lead_profiles.c
    same = and_(profile.user_id == USER, profile.customer_phone == leads.c.customer_phone)
    return source.outerjoin(lead_profiles, same)


def _head(size: ColumnElement[int], source: FromClause, chosen: Sequence[Condition]) -> Select[Any]:
    """Returns the number of lines and of their bytes. PostgreSQL need not read a stored text for its length."""
    counted = (
        select(func.count().label("total"), sum_of(size).label("size"))
        .select_from(source)
        .where(*chosen)
        .subquery("counted")
    )
    return select(*freshness_columns(), counted.c.total, counted.c.size)


@lru_cache(maxsize=4)
def _message_statements(given: frozenset[str]) -> tuple[Select[Any], Select[Any]]:
    message = message_lines.c
    chosen = [message.user_id == USER]
    if "start" in given:
        chosen.append(message.sent_at >= moment("start"))
    if "end" in given:
        chosen.append(message.sent_at < moment("end"))
    order = (
        message.customer_phone,
        message.sent_at,
        message.conversation_id,
        message.sequence_no,
        message.message_id,
    )
    lines = select(message.line).where(*chosen).order_by(*order)
    return _head(func.octet_length(message.line), message_lines, chosen), lines
