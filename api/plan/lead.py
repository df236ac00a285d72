"""The statements of one lead: the printed lead, and its messages in order."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    SelectBase,
    Text,
    any_,
    bindparam,
    case,
    cast,
    collate,
    func,
    literal_column,
    null,
    select,
    tuple_,
)

from api.database.statement import BoundStatement, Freshness
from api.plan.printed import printed_lead
from api.plan.sql import (
    LIMIT,
    OFFSET,
    TIME_FORMAT,
    WHITE_SPACE,
    ZERO,
    Condition,
    PageRow,
    bounds_of,
    constant_text,
    freshness_columns,
    json_members,
    lead_conversations,
    lead_messages,
    lead_profiles,
    leads,
    lookup_by_key,
    moment,
    of_lead,
    sum_of,
    with_page,
    within,
)
from api.plan.time_buckets import DAYS, ago, first_leave, once, stands_until
from api.request.parameters import Parameters

_MAX_CACHED_STATEMENTS = 256
# A sequence_no is an integer of PostgreSQL.
_AFTER_ALL_NUMBERS = 2**31
# The message after which a page begins.
_CURSOR_PLACE = (
    moment("cursor_sent_at"),
    bindparam("cursor_conversation_id", type_=Text),
    bindparam("cursor_sequence_no", type_=BigInteger),
    bindparam("cursor_message_id", type_=Text),
)


@dataclass(slots=True)
class LeadRow(Freshness):
    """A lead as the API prints it; None if the tenant has no such lead."""

    document: bytes | None


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _lead(included: tuple[str, ...]) -> SelectBase:
    printed = select(printed_lead(leads, included)).where(*of_lead(leads))
    return select(*freshness_columns(), printed.scalar_subquery().label("document"))


def single_lead(user_id: str, customer_phone: str, included: tuple[str, ...] = ()) -> BoundStatement[LeadRow]:
    """Return the statement of one lead with the keys that are included."""
    values = {"user_id": user_id, "customer_phone": customer_phone}
    return BoundStatement(_lead(included), LeadRow, values)


_asked = func.unnest(bindparam("phones", type_=ARRAY(Text))).table_valued("customer_phone").render_derived()
# A function scan keeps the order of the array.
_phones = select(collate(_asked.c.customer_phone, "C").label("customer_phone")).subquery("asked")


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _lookup(included: tuple[str, ...]) -> SelectBase:
    printed = lookup_by_key(printed_lead(leads, included), _phones, leads)
    return with_page(
        freshness_columns(), [select(func.coalesce(printed, constant_text("null"))).select_from(_phones)]
    )


def leads_of_phones(
    user_id: str, phones: Sequence[str], included: tuple[str, ...] = ()
) -> BoundStatement[PageRow]:
    """Return the statement of the leads with these phones, in the same order; `null` for an unknown phone."""
    return BoundStatement(_lookup(included), PageRow, {"user_id": user_id, "phones": list(phones)})


@dataclass(slots=True)
class MessagesRow(Freshness):
    """A page of messages; `lead_info` is None if the tenant has no such lead."""

    lead_info: bytes | None
    total: int
    # The name of a parameter whose message does not belong to the lead.
    unknown: bytes | None
    # Until when the messages of the last `days` stay the same if no message changes; None means for ever.
    stands_until: datetime | None
    page: list[bytes]


def messages_of_lead(
    user_id: str, customer_phone: str, parameters: Parameters
) -> BoundStatement[MessagesRow]:
    """Return the statement of a page of messages."""
    page = parameters.page
    values: dict[str, object] = {
        "platform": None if parameters.platform is None else list(parameters.platform),
        "sender": parameters.sender,
        "conversation_id": parameters.conversation_id,
        "days": parameters.days,
        **bounds_of(parameters),
        "before": parameters.before,
        "after": parameters.after,
        "offset": page.offset or None,
    }
    if page.position is not None:
        sent_at, conversation_id, sequence_no, message_id = page.position
        values |= {
            "cursor_sent_at": sent_at,
            "cursor_conversation_id": conversation_id,
            "cursor_sequence_no": _AFTER_ALL_NUMBERS if sequence_no is None else sequence_no,
            "cursor_message_id": message_id,
        }
    values = {name: value for name, value in values.items() if value is not None}
    statement = _statement(frozenset(values), parameters.sort_order)
    keys = {"user_id": user_id, "customer_phone": customer_phone, "limit": page.rows_to_read}
    return BoundStatement(statement, MessagesRow, {**keys, **values})


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _statement(bound: frozenset[str], sort_order: str) -> SelectBase:
    """Return the page in the order of the index, and the total from the conversations where they have it."""
    message, conversations = lead_messages.c, _conversations(bound)
    named: dict[str, CTE] = {name: _named_message(name) for name in ("before", "after") if name in bound}
    chosen = _conditions(bound, conversations)
    for parameter, place in named.items():
        columns = [select(column).scalar_subquery() for column in place.c]
        chosen += _is_beyond(columns, forwards=parameter == "after")
    limit: ColumnElement[Any] = LIMIT
    if bound & {"sender", "days", "start", "end", "before", "after"}:
        total = select(func.count()).select_from(lead_messages).where(*chosen).scalar_subquery()
    else:
        total = select(sum_of(conversations.c.message_count)).scalar_subquery()
        if bound:
            # A limit of 0, so that PostgreSQL reads no message to find that the page is empty.
            limit = case((total > (OFFSET if "offset" in bound else ZERO), LIMIT), else_=ZERO)

    order = (message.sent_at, message.conversation_id, message.sequence_no, message.message_id)
    printed = (*order, message.sender, message.status, message.text)
    # PostgreSQL sorts nulls last when ascending and first when descending, so each order is the reverse of the other.
    in_order = [column.asc() if sort_order == "asc" else column.desc() for column in order]
    if "cursor_sent_at" in bound:
        chosen = [*chosen, *_is_beyond(_CURSOR_PLACE, forwards=sort_order == "asc")]
    page = select(*printed).where(*chosen).order_by(*in_order).limit(limit)
    if "offset" in bound:
        page = page.offset(OFFSET)
    rows = page.subquery("rows")

    profile = lead_profiles.c
    info = (
        select(profile.name, profile.email, profile.company, profile.lead_status, profile.total_score)
        .where(*of_lead(lead_profiles))
        .subquery("info")
    )
    lead_info = select(cast(func.row_to_json(info.table_valued()), Text)).select_from(info).scalar_subquery()
    missing = [
        (select(func.count()).select_from(place).scalar_subquery() == ZERO, constant_text(parameter))
        for parameter, place in named.items()
    ]
    unknown = case(*missing, else_=cast(null(), Text)) if missing else cast(null(), Text)
    until: list[ColumnElement[Any]] = []
    if "days" in bound:
        until.append(first_leave(message.sent_at, DAYS, *of_lead(lead_messages)))
    return with_page(
        [
            *freshness_columns(),
            lead_info.label("lead_info"),
            total.label("total"),
            unknown.label("unknown"),
            stands_until(*until),
        ],
        [select(_printed_message(rows, conversations)).select_from(rows)],
    )


def _conditions(bound: AbstractSet[str], conversations: CTE) -> list[Condition]:
    """Return the filters as conditions on `lead_messages`."""
    message = lead_messages.c
    conditions = of_lead(lead_messages)
    if bound & {"platform", "conversation_id"}:
        of_these = func.array(select(conversations.c.conversation_id).scalar_subquery())
        conditions.append(message.conversation_id == any_(of_these))
    if "sender" in bound:
        conditions.append(message.sender == bindparam("sender", type_=Text))
    if "days" in bound:
        conditions.append(message.sent_at >= once(ago(DAYS)))
    return [*conditions, *within(message.sent_at, bound)]


def _conversations(bound: AbstractSet[str]) -> CTE:
    """Return the requested conversations of the lead, each with its part of a printed message."""
    conversation = lead_conversations.c
    chosen = of_lead(lead_conversations)
    if "platform" in bound:
        word = func.lower(func.btrim(conversation.platform, WHITE_SPACE))
        chosen.append(word == any_(bindparam("platform", type_=ARRAY(Text))))
    if "conversation_id" in bound:
        chosen.append(conversation.conversation_id == bindparam("conversation_id", type_=Text))
    printed = json_members(
        conversation_id=conversation.conversation_id,
        agent_id=conversation.agent_id,
        agent_name=conversation.agent_name,
        platform=conversation.platform,
        phone_number_id=conversation.phone_number_id,
    )
    columns = (conversation.conversation_id, conversation.message_count, printed.label("printed"))
    return select(*columns).where(*chosen).cte("c").prefix_with("MATERIALIZED")


def _printed_message(rows: FromClause, conversations: CTE) -> ColumnElement[str]:
    """Return a message as JSON text. row_to_json would look up the type of every column for every row."""
    message = rows.c
    in_conversation = select(conversations.c.printed).where(
        conversations.c.conversation_id == message.conversation_id
    )
    parts = (
        json_members(message_id=message.message_id),
        in_conversation.scalar_subquery(),
        json_members(
            sender=message.sender,
            text=message.text,
            timestamp=func.to_char(message.sent_at, TIME_FORMAT, type_=Text),
            status=message.status,
            sequence_no=message.sequence_no,
        ),
    )
    opening, comma, closing = map(constant_text, "{,}")
    return opening + parts[0] + comma + parts[1] + comma + parts[2] + closing


def _place_of(columns: Any) -> tuple[ColumnElement[Any], ...]:  # noqa: ANN401  # A table's columns by name.
    """Return the values that the order compares; a message without a number comes after all others."""
    number = func.coalesce(
        cast(columns.sequence_no, BigInteger), literal_column(str(_AFTER_ALL_NUMBERS), BigInteger)
    )
    return columns.sent_at, columns.conversation_id, number, columns.message_id


def _is_beyond(place: Sequence[ColumnElement[Any]], *, forwards: bool) -> list[Condition]:
    """Return the conditions for the messages after, or before, a place.

    The first condition is a range of the index, the second decides among messages of the same time.
    """
    own = _place_of(lead_messages.c)
    if forwards:
        return [own[0] >= place[0], tuple_(*own) > tuple_(*place)]
    return [own[0] <= place[0], tuple_(*own) < tuple_(*place)]


def _named_message(parameter: str) -> CTE:
    """Return the message of the lead that a parameter names."""
    message = lead_messages.c
    is_named = message.message_id == bindparam(parameter, type_=Text)
    names = ("sent_at", "conversation_id", "number", "message_id")
    columns = (column.label(name) for column, name in zip(_place_of(message), names, strict=True))
    return select(*columns).where(*of_lead(lead_messages), is_named).cte(f"{parameter}_message")
