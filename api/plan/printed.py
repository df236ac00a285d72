"""How a lead is printed: its document, and what a request includes beside the documented keys."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import JSON, ColumnElement, FromClause, Select, Text, and_, case, cast, column, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.database import tables
from api.plan.sql import TIME_FORMAT, USER, constant, constant_text, json_members, lookup_by_key
from api.request.parameters import INCLUDES

_CONVERSATIONS = constant_text("conversations")
_ATTRIBUTES = constant_text(',"attributes":')
_NONE = constant_text("{}")
_END = constant_text("}")


def printed_lead(table: FromClause, included: Sequence[str]) -> ColumnElement[str]:
    """Return a lead of `table`, an alias of `leads`, as JSON text."""
    document: ColumnElement[str] = table.c.document
    further: list[ColumnElement[str]] = []
    if "of_conversations" in included:
        document = _with_attributes_of_conversations(document, table)
    if "attributes" in included:
        profile = tables.lead_profiles.alias("q")
        attributes = lookup_by_key(cast(profile.c.attributes, Text), table, profile)
        further.append(_ATTRIBUTES + func.coalesce(attributes, _NONE))
    for word in ("waiting", "status_since"):
        if word in included:
            moments = {key: printed_time(table.c[key]) for key in INCLUDES[word]}
            further.append(constant_text(",") + json_members(**moments))
    if not further:
        return document
    return reduce(add, [_without_end(document), *further, _END])


def printed_time(moment: ColumnElement[Any]) -> ColumnElement[str]:
    """Return a moment as it is printed, without quotation marks."""
    return func.to_char(moment, TIME_FORMAT, type_=Text)


def printed_leads_of(keys: FromClause, included: Sequence[str]) -> Select[Any]:
    """Return the leads with these keys as JSON text: a lookup for each row of the page, no join."""
    leads = tables.leads.alias("o")
    return select(lookup_by_key(printed_lead(leads, included), keys, leads)).select_from(keys)


def _without_end(document: ColumnElement[str]) -> ColumnElement[str]:
    return func.left(document, constant(-1))


def _with_attributes_of_conversations(document: ColumnElement[str], table: FromClause) -> ColumnElement[str]:
    """Return a document, in which each of the conversations that has attributes has them as its last key.

    The conversations are the last key of the document. PostgreSQL keeps the text of a value of JSON as it is.
    """
    printed = cast(document, JSON).op("->", return_type=JSON)(_CONVERSATIONS)
    item = (
        func.json_array_elements(printed)
        .table_valued(column("value", JSON), with_ordinality="place")
        .render_derived(name="item")
    )
    own = tables.lead_conversations.alias("k")
    text = cast(item.c.value, Text)
    extended = _without_end(text) + _ATTRIBUTES + cast(own.c.attributes, Text) + _END
    same = and_(
        own.c.user_id == USER,
        own.c.customer_phone == table.c.customer_phone,
        own.c.conversation_id == item.c.value.op("->>", return_type=Text)(constant_text("conversation_id")),
    )
    part = case((own.c.attributes.is_(None), text), else_=extended)
    joined = func.string_agg(part, aggregate_order_by(constant_text(","), item.c.place), type_=Text)
    conversations = (
        select(func.coalesce(joined, constant_text("")))
        .select_from(item.outerjoin(own, same))
        .correlate(table)
    )
    head = func.left(document, func.length(document) - func.length(cast(printed, Text)) - constant(1))
    return head + constant_text("[") + conversations.scalar_subquery() + constant_text("]") + _END
