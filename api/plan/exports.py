"""The statements of an export: how much there is, and its lines one by one, to be asked in one snapshot."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
)

from api.database.statement import BoundStatement
from api.plan.filters import conditions
from api.plan.list_plan import ListPlan, plan_list
from api.request.copy_parameters import MessageExportParameters
from api.request.parameters import ListParameters
from api.request.text import next_millisecond
from api.request.working_list import LEAD_KEYS
from api.sql_helpers import (
    TIME_FORMAT,
    USER,
    Condition,
    constant,
    freshness_columns,
    json_members,
    lead_conversations,
    lead_messages,
    lead_profiles,
    leads,
    moment,
    sum_of,
)

_MAX_CACHED_STATEMENTS = 256

# Texts that somebody may have typed: a spreadsheet would take some of them for formulas.
_TYPED = frozenset(
    {"name", "email", "company", "lead_status", "platforms", "last_message_text", "last_message_sender"}
)
CSV_COLUMNS = tuple(key for key in LEAD_KEYS if key != "conversations")
"""The printed lead without its conversations."""

CSV_HEADER = ",".join(CSV_COLUMNS).encode() + b"\r\n"

_LINE_FEED = literal_column("E'\\n'", Text)
_LINE_END = literal_column("E'\\r\\n'", Text)
_QUOTE, _TWO_QUOTES, _COMMA, _NOTHING = (
    literal_column(text, Text) for text in ("'\"'", "'\"\"'", "','", "''")
)
# OWASP names the tab and the carriage return too, before which a spreadsheet may find the sign.
_FORMULA = literal_column(r"E'^[=+@\t\r-]'", Text)
_APOSTROPHE = literal_column("''''", Text)


class ExportRow(NamedTuple):
    """How many lines an export has, and how many bytes these are."""

    as_of: datetime | None
    dead_letters: int | None
    version: bytes | None
    total: int
    size: int


class LineRow(NamedTuple):
    """A line with its end."""

    line: bytes


class ExportPlan(NamedTuple):
    """What to ask for first, and the lines."""

    head: BoundStatement[ExportRow]
    lines: BoundStatement[LineRow]


def leads_as_ndjson(user_id: str, parameters: ListParameters, now: datetime) -> ExportPlan:
    """Returns the statements of all leads that match, each as it is printed."""
    return _leads(user_id, parameters, now, is_csv=False)


def leads_as_csv(user_id: str, parameters: ListParameters, now: datetime) -> ExportPlan:
    """Returns the statements of all leads that match, as rows of CSV below CSV_HEADER."""
    return _leads(user_id, parameters, now, is_csv=True)


def messages_as_ndjson(user_id: str, parameters: MessageExportParameters) -> ExportPlan:
    """Returns the statements of all messages of a time range, by lead and then in their order."""
    values: dict[str, object] = {}
    if parameters.from_date is not None:
        values["start"] = parameters.from_date
    if parameters.to_date is not None:
        values["end"] = next_millisecond(parameters.to_date)
    head, lines = _message_statements(frozenset(values))
    return _bound(head, lines, {"user_id": user_id, **values})


def _leads(user_id: str, parameters: ListParameters, now: datetime, *, is_csv: bool) -> ExportPlan:
    plan, values = plan_list(parameters, now)
    head, lines = _lead_statements(plan, is_csv)
    return _bound(head, lines, {"user_id": user_id, **values})


def _bound(head: Select[Any], lines: Select[Any], values: dict[str, object]) -> ExportPlan:
    return ExportPlan(BoundStatement(head, ExportRow, values), BoundStatement(lines, LineRow, values))


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _lead_statements(plan: ListPlan, is_csv: bool) -> tuple[Select[Any], Select[Any]]:  # noqa: FBT001  # lru_cache.
    source: FromClause = leads
    line: ColumnElement[str] = leads.c.document + _LINE_FEED
    if is_csv:
        fields = _fields_of(leads.c.document)
        source, line = leads.join(fields, true()), _csv_line(fields)
    chosen = [leads.c.user_id == USER, *conditions(plan.filters, leads)]
    ordered = source
    if plan.sort.table is lead_profiles:
        profile = lead_profiles.c
        same = and_(profile.user_id == USER, profile.customer_phone == leads.c.customer_phone)
        ordered = source.outerjoin(lead_profiles, same)
    lines = select(line.label("line")).select_from(ordered).where(*chosen).order_by(*_order(plan))
    size = func.octet_length(line) if is_csv else func.octet_length(leads.c.document) + constant(1)
    return _head(size, source, chosen), lines


def _order(plan: ListPlan) -> Sequence[ColumnElement[Any]]:
    """Returns the order of the list, written as the index has it where the index has it."""
    sort, is_desc = plan.sort, plan.sort_order == "desc"
    phone = leads.c.customer_phone
    if not sort.nullable or plan.sort_order == sort.nulls_last:
        first, _ = sort.order(sort.table.c, plan.sort_order)
    else:
        key = sort.table.c[sort.key]
        first = (key.desc() if is_desc else key.asc()).nulls_last()
    return first, phone.desc() if is_desc else phone.asc()


def _head(size: ColumnElement[int], source: FromClause, chosen: Sequence[Condition]) -> Select[Any]:
    """Returns the number of lines and of their bytes. PostgreSQL need not read a stored text for its length."""
    counted = (
        select(func.count().label("total"), sum_of(size).label("size"))
        .select_from(source)
        .where(*chosen)
        .subquery("counted")
    )
    return select(*freshness_columns(), counted.c.total, counted.c.size)


def _fields_of(document: ColumnElement[Any]) -> FromClause:
    """Returns the fields of a printed lead as a row of texts."""
    fields = (column(name, ARRAY(Text) if name == "platforms" else Text) for name in CSV_COLUMNS)
    record = func.json_to_record(cast(document, JSON)).table_valued(*fields)
    return record.render_derived(name="r", with_types=True)


def _csv_line(fields: FromClause) -> ColumnElement[str]:
    line: ColumnElement[str] | None = None
    for name in CSV_COLUMNS:
        value: ColumnElement[str] = fields.c[name]
        if name == "platforms":
            value = func.array_to_string(value, _COMMA, type_=Text)
        if name in _TYPED:
            is_formula: Condition = value.op("~", is_comparison=True)(_FORMULA)
            value = case((is_formula, _APOSTROPHE + value), else_=value)
        if name in _TYPED or name == "customer_phone":
            value = _QUOTE + func.replace(value, _QUOTE, _TWO_QUOTES, type_=Text) + _QUOTE
        printed = func.coalesce(value, _NOTHING, type_=Text)
        line = printed if line is None else line + _COMMA + printed
    if line is None:
        raise AssertionError
    return line + _LINE_END


@lru_cache(maxsize=4)
def _message_statements(given: frozenset[str]) -> tuple[Select[Any], Select[Any]]:
    message, conversation = lead_messages.c, lead_conversations.c
    chosen = [message.user_id == USER]
    if "start" in given:
        chosen.append(message.sent_at >= moment("start"))
    if "end" in given:
        chosen.append(message.sent_at < moment("end"))
    same = and_(
        conversation.user_id == USER,
        conversation.customer_phone == message.customer_phone,
        conversation.conversation_id == message.conversation_id,
    )
    source = lead_messages.outerjoin(lead_conversations, same)
    opening, closing = literal_column("'{'", Text), literal_column("'}'", Text)
    members = json_members(
        customer_phone=message.customer_phone,
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        agent_id=conversation.agent_id,
        agent_name=conversation.agent_name,
        platform=conversation.platform,
        phone_number_id=conversation.phone_number_id,
        sender=message.sender,
        text=message.text,
        timestamp=func.to_char(message.sent_at, TIME_FORMAT, type_=Text),
        status=message.status,
        sequence_no=message.sequence_no,
    )
    line = opening + members + closing + _LINE_FEED
    order = (
        message.customer_phone,
        message.sent_at,
        message.conversation_id,
        message.sequence_no,
        message.message_id,
    )
    lines = select(line.label("line")).select_from(source).where(*chosen).order_by(*order)
    return _head(func.octet_length(line), source, chosen), lines
