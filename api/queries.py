"""What the API asks the database: pure functions of the tenant, the checked parameters and the moment.

Each answer comes from one statement, so that its rows, its total, the existence of the lead and the freshness are of
one snapshot. A statement is built once for each shape of question and kept.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    ScalarSelect,
    Select,
    SelectBase,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)

from api.expressions import (
    LIMIT,
    NONE,
    OFFSET,
    PHONE,
    PRINTED_TIME,
    USER,
    Printed,
    Read,
    all_leads,
    as_of,
    between,
    header,
    in_span,
    is_of_all_leads,
    lead_conversations,
    lead_messages,
    lead_profiles,
    lead_totals,
    leads,
    members,
    moment,
    sum_of,
    with_page,
)
from api.listing import Shape, list_statement
from api.schemas import ListParameters, MessageParameters
from api.tables import projection
from api.values import after
from api.windows import DAY, HOUR, window_of

STATISTICS_DAYS = (7, 30)


def list_leads(user_id: str, parameters: ListParameters, now: datetime) -> Read:
    """A page of leads: as_of, dead_letters, total, page, few; where few is true, few_leads has the page instead."""
    shape, values = Shape.of(parameters, now)
    return Read(list_statement(shape), {"user_id": user_id, **values})


def few_leads(user_id: str, parameters: ListParameters, now: datetime) -> Read:
    """The same where few leads among many match: these are collected, and the page is cut from them."""
    shape, values = Shape.of(parameters, now)
    return Read(list_statement(replace(shape, few=True)), {"user_id": user_id, **values})


def lead_statistics(user_id: str, now: datetime) -> Read:
    """The counts of a tenant: as_of, dead_letters, and one column a number."""
    values: dict[str, object] = {"user_id": user_id}
    for days in STATISTICS_DAYS:
        begins = now - timedelta(days=days)
        first_hour = window_of(HOUR, begins).first
        first_day = window_of(DAY, first_hour).first
        values |= {f"begins_{days}": begins, f"first_hour_{days}": first_hour, f"first_day_{days}": first_day}
    return Read(_statistics_statement(), values)


def single_lead(user_id: str, customer_phone: str) -> Read:
    """One lead: as_of, dead_letters, document (null where there is no such lead)."""
    return Read(_single_statement(), {"user_id": user_id, "customer_phone": customer_phone})


def messages_of_lead(user_id: str, customer_phone: str, parameters: MessageParameters) -> Read:
    """A page of messages: as_of, dead_letters, lead_info (null where there is no such lead), total, page."""
    values: dict[str, object] = {
        "platform": None if parameters.platform is None else list(parameters.platform),
        "sender": parameters.sender,
        "conversation_id": parameters.conversation_id,
        "begins": parameters.from_date,
        "ends": None if parameters.to_date is None else after(parameters.to_date),
        "offset": parameters.page.offset or None,
    }
    values = {name: value for name, value in values.items() if value is not None}
    statement = _messages_statement(frozenset(values))
    return Read(
        statement,
        {"user_id": user_id, "customer_phone": customer_phone, "limit": parameters.page.limit, **values},
    )


def state_of_projection() -> Read:
    """The one row that says whether the read model can be served: built_at, capture_gap."""
    return Read(select(projection.c.built_at, projection.c.capture_gap), {})


def freshness() -> Read:
    """The moment up to which every change is contained: as_of."""
    return Read(select(as_of().label("as_of")), {})


@lru_cache(maxsize=1)
def _single_statement() -> Select[Any]:
    document = (
        select(leads.c.document)
        .where(leads.c.user_id == USER, leads.c.customer_phone == PHONE)
        .scalar_subquery()
    )
    return select(*header(), document.label("document"))


@lru_cache(maxsize=1)
def _statistics_statement() -> Select[Any]:
    """The row of all leads; of each window its whole days, the hours of its first day, the leads of its first hour."""
    counted, spans = all_leads.c, lead_totals.c
    numbers = {
        "total_leads": counted.leads,
        "leads_with_extraction": counted.with_extraction,
        "hot_leads": counted.hot,
        "warm_leads": counted.warm,
        "cold_leads": counted.cold,
        "whatsapp": counted.on_whatsapp,
        "instagram": counted.on_instagram,
        "webchat": counted.on_webchat,
    }
    # The days of the longest window are read once, for all windows.
    longest = max(STATISTICS_DAYS)
    by_day = (
        select(
            *(
                sum_of(
                    spans.leads, None if days == longest else spans.bucket_start >= moment(f"first_day_{days}")
                ).label(f"days_{days}")
                for days in STATISTICS_DAYS
            )
        )
        .where(in_span(lead_totals, "day"), spans.bucket_start >= moment(f"first_day_{longest}"))
        .subquery("by_day")
    )
    windows = (
        (by_day.c[f"days_{days}"] + _first_hours(days) + _first_leads(days)).label(f"leads_last_{days}_days")
        for days in STATISTICS_DAYS
    )
    now = (func.coalesce(number, NONE).label(name) for name, number in numbers.items())
    return select(*header(), *now, *windows).select_from(by_day).outerjoin(all_leads, is_of_all_leads())


def _first_hours(days: int) -> ScalarSelect[int]:
    """The leads of the whole hours that a window has before its first whole day."""
    spans = lead_totals.c
    in_hours = between(spans.bucket_start, moment(f"first_hour_{days}"), moment(f"first_day_{days}"))
    return select(sum_of(spans.leads)).where(in_span(lead_totals, "hour"), in_hours).scalar_subquery()


def _first_leads(days: int) -> ScalarSelect[int]:
    """The leads that a window has before its first whole hour, counted one by one."""
    at = between(leads.c.last_message_at, moment(f"begins_{days}"), moment(f"first_hour_{days}"))
    return select(func.count()).select_from(leads).where(leads.c.user_id == USER, at).scalar_subquery()


@lru_cache(maxsize=256)
def _messages_statement(given: frozenset[str]) -> SelectBase:
    """The page in the order of the index; the total from the conversations where these know it."""
    message, conversations = lead_messages.c, _conversations(given)
    profile = lead_profiles.c
    info = (
        select(profile.name, profile.email, profile.company, profile.lead_status, profile.total_score)
        .where(profile.user_id == USER, profile.customer_phone == PHONE)
        .subquery("info")
    )
    lead_info = select(cast(func.row_to_json(info.table_valued()), Text)).select_from(info).scalar_subquery()

    chosen = [message.user_id == USER, message.customer_phone == PHONE]
    if given & {"platform", "conversation_id"}:
        of_these = func.array(select(conversations.c.conversation_id).scalar_subquery())
        chosen.append(message.conversation_id == any_(of_these))
    if "sender" in given:
        chosen.append(message.sender == bindparam("sender", type_=Text))
    if "begins" in given:
        chosen.append(message.sent_at >= moment("begins"))
    if "ends" in given:
        chosen.append(message.sent_at < moment("ends"))
    limit: ColumnElement[Any] = LIMIT
    if given & {"sender", "begins", "ends"}:
        total = select(func.count()).select_from(lead_messages).where(*chosen).scalar_subquery()
    else:
        total = select(sum_of(conversations.c.message_count)).scalar_subquery()
        if given:
            # Where nothing is to come, no message has to be read to see that.
            limit = case((total > (OFFSET if "offset" in given else NONE), LIMIT), else_=NONE)

    order = (message.sent_at, message.conversation_id, message.sequence_no, message.message_id)
    page = select(lead_messages).where(*chosen).order_by(*(column.asc() for column in order)).limit(limit)
    if "offset" in given:
        page = page.offset(OFFSET)
    rows = page.subquery("rows")
    return with_page(
        [*header(), lead_info.label("lead_info"), total.label("total")],
        [Printed(rows, _message(rows.c, conversations))],
    )


def _conversations(given: frozenset[str]) -> CTE:
    """The conversations of the lead that are asked for, and what each message of them prints of its own."""
    of = lead_conversations.c
    chosen = [of.user_id == USER, of.customer_phone == PHONE]
    if "platform" in given:
        chosen.append(of.platform == any_(bindparam("platform", type_=ARRAY(Text))))
    if "conversation_id" in given:
        chosen.append(of.conversation_id == bindparam("conversation_id", type_=Text))
    printed = members(
        conversation_id=of.conversation_id,
        agent_id=of.agent_id,
        agent_name=of.agent_name,
        platform=of.platform,
        phone_number_id=of.phone_number_id,
    )
    conversations = select(of.conversation_id, of.message_count, printed.label("printed")).where(*chosen)
    return conversations.cte("c").prefix_with("MATERIALIZED")


def _message(of: Any, conversations: CTE) -> ColumnElement[str]:  # noqa: ANN401
    """A message as it is printed. Joined by hand: row_to_json looks up the type of every column for every row."""
    in_conversation = select(conversations.c.printed).where(
        conversations.c.conversation_id == of.conversation_id
    )
    parts = (
        members(message_id=of.message_id),
        in_conversation.scalar_subquery(),
        members(
            sender=of.sender,
            text=of.text,
            timestamp=func.to_char(of.sent_at, PRINTED_TIME, type_=Text),
            status=of.status,
            sequence_no=of.sequence_no,
        ),
    )
    opening, comma, closing = (literal_column(f"'{text}'", Text) for text in "{,}")
    return opening + parts[0] + comma + parts[1] + comma + parts[2] + closing
