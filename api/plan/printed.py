"""The printed lead: its document, and the keys that a request includes."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import JSON, ColumnElement, FromClause, Select, Text, and_, case, cast, column, func, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from api.database import tables
from api.plan.sql import TIME_FORMAT, constant, constant_text, json_members, lookup_by_key, same_lead
from api.request.attributes import CONVERSATION, LEAD, name_read
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
        document = _with_attributes_of_conversations(document, table, included)
    if "attributes" in included:
        profile = tables.lead_profiles.alias("q")
        own = _filled(profile.c.attributes, LEAD, included)
        attributes = lookup_by_key(cast(own, Text), table, profile)
        further.append(_ATTRIBUTES + func.coalesce(attributes, _NONE))
    for word in ("waiting", "status_since"):
        if word in included:
            moments = {key: printed_time(table.c[key]) for key in INCLUDES[word]}
            further.append(constant_text(",") + json_members(**moments))
    if not further:
        return document
    return reduce(add, [_without_end(document), *further, _END])


def printed_time(moment: ColumnElement[Any]) -> ColumnElement[str]:
    """Return a moment in its printed form, without quotation marks."""
    return func.to_char(moment, TIME_FORMAT, type_=Text)


def printed_leads_of(keys: FromClause, included: Sequence[str]) -> Select[Any]:
    """Return the leads with these keys as JSON text, by a look-up for each row of the page instead of a join."""
    leads = tables.leads.alias("o")
    return select(lookup_by_key(printed_lead(leads, included), keys, leads)).select_from(keys)


def _without_end(document: ColumnElement[str]) -> ColumnElement[str]:
    return func.left(document, constant(-1))


def _filled(attributes: ColumnElement[Any], level: str, included: Sequence[str]) -> ColumnElement[Any]:
    """Return the attributes of a level that a build has filled, or null."""
    kept, left_out = (
        [constant_text(word[len(start) :]) for word in included if word.startswith(start)]
        for start in (f"+{name_read(level, '')}", f"-{name_read(level, '')}")
    )
    if not left_out:
        return attributes
    pair = func.jsonb_each(attributes).table_valued("key", column("value", JSONB)).render_derived(name="pair")
    is_open = f"-{name_read(level)}" in included
    is_filled = pair.c.key.in_(kept) if is_open else pair.c.key.not_in(left_out)
    return select(func.jsonb_object_agg(pair.c.key, pair.c.value)).where(is_filled).scalar_subquery()


def _with_attributes_of_conversations(
    document: ColumnElement[str], table: FromClause, included: Sequence[str]
) -> ColumnElement[str]:
    """Return a document in which each conversation that has attributes has them as its last key.

    The conversations are the last key of the document. PostgreSQL keeps the text of a value of type json.
    """
    printed = cast(document, JSON).op("->", return_type=JSON)(_CONVERSATIONS)
    item = (
        func.json_array_elements(printed)
        .table_valued(column("value", JSON), with_ordinality="place")
        .render_derived(name="item")
    )
    own = tables.lead_conversations.alias("k")
    text = cast(item.c.value, Text)
    attributes = _filled(own.c.attributes, CONVERSATION, included)
    extended = _without_end(text) + _ATTRIBUTES + cast(attributes, Text) + _END
    printed_id = item.c.value.op("->>", return_type=Text)(constant_text("conversation_id"))
    same = and_(*same_lead(own, table), own.c.conversation_id == printed_id)
    part = case((attributes.is_(None), text), else_=extended)
    joined = func.string_agg(part, aggregate_order_by(constant_text(","), item.c.place), type_=Text)
    conversations = (
        select(func.coalesce(joined, constant_text("")))
        .select_from(item.outerjoin(own, same))
        .correlate(table)
    )
    head = func.left(document, func.length(document) - func.length(cast(printed, Text)) - constant(1))
    return head + constant_text("[") + conversations.scalar_subquery() + constant_text("]") + _END
