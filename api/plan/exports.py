"""The statement of an export: its size, and then its lines one by one.

The size has to be known before the first line is sent. PostgreSQL measures a stored line without reading it. It makes
other lines once, and keeps all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import add
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    SelectBase,
    Text,
    and_,
    cast,
    column,
    false,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONPATH

from api.database import tables
from api.database.statement import BoundStatement, Freshness
from api.plan.history import members_of_change, with_from_status
from api.plan.list.filters import conditions
from api.plan.list.plan import ListPlan, plan_list
from api.plan.printed import printed_lead, printed_time
from api.plan.sql import (
    USER,
    Condition,
    bounds_of,
    constant,
    constant_text,
    freshness_columns,
    json_object,
    lead_profiles,
    leads,
    message_lines,
    same_lead,
    status_changes,
    sum_of,
    with_page,
    within,
)
from api.request.lead import LEAD_FIELDS
from api.request.parameters import INCLUDES, Parameters

CSV_COLUMNS = tuple(LEAD_FIELDS)
"""The fields of a lead without its conversations, as `csv_functions` of sql/queries/operate.sql prints them."""

_MAX_CACHED_STATEMENTS = 256

_LINE_FEED = literal_column("E'\\n'", Text)
_LINE_END = literal_column("E'\\r\\n'", Text)


@dataclass(slots=True)
class ExportRow(Freshness):
    """How many lines an export has, and how many bytes these are. The later rows print the lines, with their ends."""

    total: int
    size: int
    page: None


Export = BoundStatement[ExportRow]


def leads_as_ndjson(user_id: str, parameters: Parameters) -> Export:
    """Return the statement of all leads that match, each as it is printed."""
    plan, values = plan_list(parameters)
    return BoundStatement(_documents(plan), ExportRow, {"user_id": user_id, **values})


def leads_as_csv(user_id: str, parameters: Parameters) -> Export:
    """Return the statement of all leads that match, as rows of CSV below its header."""
    plan, values = plan_list(parameters)
    columns = parameters.lead_attributes if "attributes" in plan.included else ()
    statement = _csv(plan, columns, of_excel=parameters.reader == "excel")
    return BoundStatement(statement, ExportRow, {"user_id": user_id, **values})


def messages_as_ndjson(user_id: str, parameters: Parameters) -> Export:
    """Return the statement of all messages of a time range, by lead and then in their order."""
    bounds = bounds_of(parameters)
    return BoundStatement(_messages(frozenset(bounds)), ExportRow, {"user_id": user_id, **bounds})


def status_history_as_ndjson(user_id: str, _parameters: Parameters) -> Export:
    """Return the statement of all changes of statuses, by lead and then by time."""
    return BoundStatement(_status_history(None), ExportRow, {"user_id": user_id})


def status_history_as_csv(user_id: str, parameters: Parameters) -> Export:
    """Return the statement of all changes of statuses as rows of CSV below a header."""
    return BoundStatement(_status_history(parameters.reader or "csv"), ExportRow, {"user_id": user_id})


@lru_cache(maxsize=3)
def _status_history(reader: str | None) -> SelectBase:
    changes = with_from_status(select(status_changes).where(status_changes.c.user_id == USER)).subquery("c")
    members = {"customer_phone": changes.c.customer_phone, **members_of_change(changes)}
    line = json_object(**members) + _LINE_FEED
    header = ""
    if reader is not None:
        for_excel = true() if reader == "excel" else false()
        cells: dict[str, ColumnElement[Any]] = {
            key: func.coalesce(cast(value, Text), constant_text("")) for key, value in members.items()
        }
        cells["customer_phone"] = func.read_model.csv_cell(changes.c.customer_phone, for_excel)
        cells["changed_at"] = func.read_model.csv_time(members["changed_at"], for_excel)
        for key in ("from_status", "lead_status", "extraction_id", "conversation_id"):
            cells[key] = func.read_model.csv_cell(changes.c[key], for_excel)
        line = reduce(lambda before, after: before + constant_text(",") + after, cells.values()) + _LINE_END
        header = _header(cells, reader)
    made = select(line.label("line")).order_by(changes.c.customer_phone, changes.c.changed_at).cte("made")
    return _export(_sizes_of(made), made, header)


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _documents(plan: ListPlan) -> SelectBase:
    if plan.included:
        printed = _lines_of(plan, printed_lead(leads, plan.included) + _LINE_FEED, leads).cte("made")
        return _export(_sizes_of(printed), printed)
    document = leads.c.document
    lines = _lines_of(plan, document + _LINE_FEED, leads)
    # PostgreSQL need not read a stored text for its length.
    size = select((func.octet_length(document) + constant(1)).label("size")).where(*_chosen(plan))
    return _export(size.subquery("sizes"), lines.subquery("lines"))


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _csv(plan: ListPlan, columns: tuple[tuple[str, str], ...], *, of_excel: bool) -> SelectBase:
    csv = (
        func.read_model.csv_line(leads.c.document, true() if of_excel else false())
        .table_valued(column("line", Text))
        .render_derived(name="csv")
    )
    source: FromClause = leads.join(csv, true())
    line: ColumnElement[Any] = csv.c.line
    moments = [key for word in ("waiting", "status_since") if word in plan.included for key in INCLUDES[word]]
    names = (*CSV_COLUMNS, *(f"attributes.{name}" for name, _ in columns), *moments)
    cells: list[ColumnElement[str]] = []
    if columns:
        profile = tables.lead_profiles.alias("q")
        source = source.outerjoin(profile, and_(*same_lead(profile, leads)))
        cells += [_cell(profile.c.attributes, name, kind, of_excel=of_excel) for name, kind in columns]
    if moments:
        reader = true() if of_excel else false()
        cells += [func.read_model.csv_time(printed_time(leads.c[name]), reader) for name in moments]
    if cells:
        # A line ends in a carriage return and a line feed.
        line = func.left(line, constant(-2)) + reduce(add, (constant_text(",") + cell for cell in cells))
        line += _LINE_END
    # It is read twice, so PostgreSQL keeps its rows.
    made = _lines_of(plan, line, source).cte("made")
    return _export(_sizes_of(made), made, _header(names, "excel" if of_excel else None))


def _header(names: Iterable[str], reader: str | None) -> str:
    """Return the first line of a table of CSV. A byte order mark tells Excel that the file is in UTF-8."""
    return ("\ufeff" if reader == "excel" else "") + ",".join(names) + "\r\n"


def _cell(attributes: ColumnElement[Any], name: str, kind: str, *, of_excel: bool) -> ColumnElement[str]:
    """Return the cell of an attribute."""
    key, reader = constant_text(name), true() if of_excel else false()
    text: ColumnElement[Any] = attributes.op("->>", return_type=Text)(key)
    if kind in ("number", "boolean", "date"):
        return func.coalesce(text, constant_text(""))
    if kind == "time":
        return func.read_model.csv_time(text, reader)
    if kind == "list":
        # A row of an older version may still have a value that is not a list; it has no items.
        items = func.jsonb_path_query_array(attributes.op("->")(key), literal_column("'$[*]'", JSONPATH))
        item = (
            func.jsonb_array_elements_text(items).table_valued(column("value", Text)).render_derived(name="i")
        )
        text = (
            select(func.string_agg(item.c.value, constant_text(";"))).correlate_except(item).scalar_subquery()
        )
    return func.read_model.csv_cell(text, reader)


def _sizes_of(made: FromClause) -> FromClause:
    return select(func.octet_length(made.c.line).label("size")).subquery("sizes")


def _lines_of(plan: ListPlan, line: ColumnElement[str], source: FromClause) -> Select[Any]:
    """Return the lines of the leads that match, in the order of the list."""
    if plan.sort.table is lead_profiles:
        source = source.outerjoin(lead_profiles, and_(*same_lead(lead_profiles, leads)))
    order = plan.order(plan.sort.table.c[plan.sort.key], leads.c.customer_phone)
    return select(line.label("line")).select_from(source).where(*_chosen(plan)).order_by(*order)


def _chosen(plan: ListPlan) -> Sequence[Condition]:
    return [leads.c.user_id == USER, *conditions(plan.filters, leads)]


def _export(sizes: FromClause, lines: FromClause, header: str = "") -> SelectBase:
    """Return the number of lines and of bytes, and then the lines. A header is not counted as a line."""
    size = sum_of(sizes.c.size) + constant(len(header.encode()))
    counted = select(func.count().label("total"), size.label("size")).subquery("counted")
    above = [select(constant_text(header))] if header else []
    head = [*freshness_columns(), counted.c.total, counted.c.size]
    return with_page(head, [*above, select(lines.c.line)])


@lru_cache(maxsize=4)
def _messages(bounds: frozenset[str]) -> SelectBase:
    message = message_lines.c
    chosen = [message.user_id == USER, *within(message.sent_at, bounds)]
    order = (
        message.customer_phone,
        message.sent_at,
        message.conversation_id,
        message.sequence_no,
        message.message_id,
    )
    sizes = select(func.octet_length(message.line).label("size")).where(*chosen)
    lines = select(message.line).where(*chosen).order_by(*order)
    return _export(sizes.subquery("sizes"), lines.subquery("lines"))
