"""The query parameters of each endpoint: they check what a request gives, and describe themselves in OpenAPI."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from api.request.attributes import (
    ATTRIBUTE_NAMES,
    ATTRIBUTE_VALUES,
    MAX_ATTRIBUTES,
    NAME,
    AttributeCondition,
    Catalog,
    Given,
    few_names,
    read_conditions,
    read_facets,
    read_name,
)
from api.request.kinds import (
    DAY,
    END_MOMENT,
    EXACT_MOMENT,
    FLAG,
    MOMENT,
    PHONE,
    SEARCH,
    Kind,
    Parameter,
    Search,
    one_of,
    platforms_of,
    some_of,
    whole_number,
)
from api.request.lead import LEAD_KEYS, LEAD_STATUSES, PLATFORMS, SENDERS
from api.request.position.change_token import EXAMPLE as TOKEN
from api.request.position.cursor import CURSOR, EXAMPLE, Cursor, Fields, Position

# The words of `include`, and the keys that each adds to a lead.
INCLUDES: Mapping[str, tuple[str, ...]] = {
    "attributes": ("attributes",),
    "waiting": ("waiting_since", "reply_window_ends_at", "last_customer_message_at"),
    "status_since": ("status_since",),
}
_INCLUDED_KEYS = tuple(key for keys in INCLUDES.values() for key in keys)
REPLY_WINDOWS = ("open", "closed", "none")
# The prefix of a facet of an attribute.
ATTRIBUTE_FACET = "attributes."
SORTS = (
    "last_message_at", "first_contact_at", "total_messages", "total_score", "name", "waiting_since",
    "reply_window_ends_at", "status_since",
)  # fmt: skip
ORDERS = ("desc", "asc")
DEFAULT_LIMIT = 50
MAX_OFFSET = 2**31 - 1
MAX_CHANGES = 500
MAX_WAIT_SECONDS = 25
_DAYS = whole_number(1, 36500)
# The length of each kind of bucket, and how many an answer may have: 14 days by hour.
BUCKETS = {"day": (timedelta(days=1), 1100), "hour": (timedelta(hours=1), 14 * 24)}


@dataclass(frozen=True, slots=True)
class Page:
    """The requested part of an ordered set: from an offset, or after the position of a cursor."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: Cursor | None = None
    # The position in the cursor, once the cursor is known to belong to this query.
    position: Position | None = None
    # The set and its order as JSON, the same for every spelling of a query.
    asked: bytes = b""
    # The query string of the next page, without its cursor.
    query: str = ""
    # The keys of a result that make its position.
    position_fields: Fields = field(default_factory=dict)

    @property
    def rows_to_read(self) -> int:
        """How many rows to read: after a cursor one more, because no total tells whether there is a next page."""
        return self.limit if self.position is None else self.limit + 1


@dataclass(frozen=True, slots=True)
class Parameters:
    """The checked parameters of a request; None for those that it does not give or that its endpoint does not take."""

    page: Page = Page()
    sort_by: str = SORTS[0]
    sort_order: str = ORDERS[0]
    platform: tuple[str, ...] | None = None
    lead_status: tuple[str, ...] | None = None
    has_extraction: bool | None = None
    has_email: bool | None = None
    min_total_score: int | None = None
    max_total_score: int | None = None
    days: int | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    search: Search | None = None
    customer_phone: str | None = None
    last_message_sender: str | None = None
    has_conversation: bool | None = None
    agent_id: str | None = None
    phone_number_id: str | None = None
    is_active: bool | None = None
    ignore_accents: bool | None = None
    waiting_minutes: int | None = None
    reply_window: str | None = None
    reply_window_hours: int | None = None
    became: tuple[str, ...] | None = None
    became_days: int | None = None
    status_days: int | None = None
    attributes: Given | None = None
    with_attributes: tuple[str, ...] | None = None
    without_attributes: tuple[str, ...] | None = None
    fields: tuple[str, ...] | None = None
    include: tuple[str, ...] = ()
    # The three filters by attributes and the facets of attributes, resolved by the catalog.
    by_attributes: tuple[AttributeCondition, ...] = ()
    attribute_facets: tuple[AttributeCondition, ...] = ()
    # Whether conversations can have attributes.
    of_conversations: bool = False
    # The declared attributes of leads, each with its type.
    lead_attributes: tuple[tuple[str, str], ...] = ()
    # Which attributes are printed, and which parts of the read model are not filled: see Catalog.
    printed_attributes: tuple[str, ...] = ()
    unfilled: bytes | None = None
    # For messages.
    sender: str | None = None
    conversation_id: str | None = None
    before: str | None = None
    after: str | None = None
    # For the numbers by day or hour, from the start of the first bucket to the start of the last one.
    by: str = "day"
    # For the funnel.
    divided_by: str | None = None
    # For CSV: the program that reads it.
    reader: str | None = None
    # For facets.
    facets: tuple[str, ...] | None = None
    # For the change feed.
    since: str | None = None
    wait: int = 0
    min_as_of: datetime | None = None

    @property
    def moves_with_the_clock(self) -> bool:
        """Whether the answer may change although no lead and no message changes."""
        is_given = any(getattr(self, name) is not None for name in _BY_CLOCK)
        return is_given or "reply_window" in (self.facets or ())

    @property
    def names_attributes(self) -> bool:
        """Whether the request needs the catalog of attributes."""
        return bool(
            self.attributes
            or self.with_attributes
            or self.without_attributes
            or self._faceted_attributes
            or "attributes" in self.included
        )

    @property
    def _faceted_attributes(self) -> list[str]:
        """The names of the attributes whose values are counted."""
        facets = self.facets or ()
        return [name.removeprefix(ATTRIBUTE_FACET) for name in facets if name.startswith(ATTRIBUTE_FACET)]

    def resolved(self, catalog: Catalog) -> "Parameters":
        """Return the parameters resolved by the catalog of attributes. Raises RequestError for an unknown attribute."""
        return replace(
            self,
            by_attributes=read_conditions(
                self.attributes, self.with_attributes, self.without_attributes, catalog
            ),
            attribute_facets=read_facets(self._faceted_attributes, catalog),
            of_conversations=catalog.has_conversations,
            lead_attributes=catalog.of_leads,
            printed_attributes=catalog.printed,
            unfilled=catalog.unfilled,
        )

    @property
    def attributes_read(self) -> frozenset[str]:
        """The attributes that the request filters by or counts, as names of parts of the read model."""
        asked = (*self.by_attributes, *self.attribute_facets)
        return frozenset(name for condition in asked for name in condition.names_read)

    @property
    def included(self) -> tuple[str, ...]:
        """The words of `include`, also of keys that only `fields` names."""
        words, fields = self.include or (), {*(self.fields or ())}
        return tuple(word for word, keys in INCLUDES.items() if word in words or not fields.isdisjoint(keys))

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The keys of each lead to print; None for all keys of its statement."""
        if self.fields is None and self.printed_on_page == self.printed_with:
            return None
        keys = {*(self.fields or LEAD_KEYS), *(key for word in self.include or () for key in INCLUDES[word])}
        return tuple(key for key in (*LEAD_KEYS, *_INCLUDED_KEYS) if key in keys)

    @property
    def printed_on_page(self) -> tuple[str, ...]:
        """The words of `printed_with`, and the key of the sort, which the cursor of the next page needs."""
        for word, keys in INCLUDES.items():
            if self.sort_by in keys and word not in self.included:
                return (*self.printed_with, word)
        return self.printed_with

    @property
    def printed_with(self) -> tuple[str, ...]:
        """The included words, and for attributes which of them are printed, and whether conversations have any."""
        if "attributes" not in self.included:
            return self.included
        of_conversations = ("of_conversations",) if self.of_conversations else ()
        return (*self.included, *of_conversations, *self.printed_attributes)


def _limit(greatest: int, what: str = "Results that a page") -> Parameter:
    return Parameter(
        f"{what} has at most. Above {greatest} it is cut to {greatest}.",
        whole_number(1, cut_to=greatest),
        default=DEFAULT_LIMIT,
    )


def _dates(what: str) -> dict[str, Parameter]:
    return {
        "from_date": Parameter(f"{what} at or after this moment.", MOMENT, "2025-01-01"),
        "to_date": Parameter(
            f"{what} at or before this moment. A date covers its whole day.", END_MOMENT, "2025-12-31"
        ),
    }


OF_ALL = {
    "min_as_of": Parameter(
        "The answer contains every change that was committed before this moment of the database's clock."
        " The API waits for it up to a second, then it answers 503; 400 if the clock is more than a minute behind it.",
        EXACT_MOMENT,
        "2025-01-31T09:30:00.123456Z",
    )
}
_PAGES = {
    "offset": Parameter("Results to skip.", whole_number(0, MAX_OFFSET), default=0),
    "cursor": Parameter(
        "The page after the one whose `Link` header has this cursor, of the same query. Not with `offset`.",
        CURSOR,
        EXAMPLE,
    ),
    **OF_ALL,
}
# They choose the printed keys of a lead.
_FEWER_KEYS = {
    "fields": Parameter(
        "The keys of each lead to print, and no others but what `include` adds, which may be named here too.",
        some_of(*LEAD_KEYS, *_INCLUDED_KEYS),
        ["customer_phone", "name"],
    ),
    "include": Parameter(
        "What to print of each lead beside its other keys.", some_of(*INCLUDES), ["attributes"], default=()
    ),
}
# Other names of parameters, which dashboards for other versions of this API use.
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "start_date": ("from_date",),
    "end_date": ("to_date",),
    "date": ("from_date", "to_date"),
}
_OTHER_DATES = {
    "start_date": Parameter("Another name of `from_date`.", MOMENT, "2025-01-01"),
    "end_date": Parameter("Another name of `to_date`.", END_MOMENT, "2025-12-31"),
    "date": Parameter(
        "One day in UTC: another name of `from_date` and `to_date` on the same date.", DAY, "2025-12-12"
    ),
}
OF_LEAD = _FEWER_KEYS | OF_ALL
# Each filter has its condition in `api/plan/list/filters.py`.
OF_LIST = {
    "platform": Parameter(
        "Leads on any of these platforms: `whatsapp`, `instagram`, `webchat` or another word.",
        platforms_of(*PLATFORMS),
        ["instagram", "webchat"],
    ),
    "lead_status": Parameter("Leads of any of these statuses.", some_of(*LEAD_STATUSES), ["Hot", "Warm"]),
    "has_extraction": Parameter("Leads with an extraction, or (false) without.", FLAG),
    "has_email": Parameter("Leads with an email address, or (false) without.", FLAG),
    "min_total_score": Parameter("Leads of at least this total score.", whole_number(5, 15), 10),
    "max_total_score": Parameter("Leads of at most this total score.", whole_number(5, 15), 12),
    "days": Parameter("Leads active in the last N times 24 hours.", _DAYS, 7),
    **_dates("Leads last active"),
    "search": Parameter(
        "Leads with each of these words in name, email, company or phone.", SEARCH, "siddhant"
    ),
    "customer_phone": Parameter("The lead of exactly this phone, in any spelling.", PHONE, "918979556941"),
    "sort_by": Parameter(
        "What the leads are sorted by. Leads without it come last.",
        one_of(*SORTS, created_at="first_contact_at"),
        default=SORTS[0],
    ),
    "sort_order": Parameter("Direction of the sort.", one_of(*ORDERS), default=ORDERS[0]),
    "limit": _limit(100),
    **_PAGES,
    **_FEWER_KEYS,
    **_OTHER_DATES,
    "last_message_sender": Parameter(
        "Leads whose last message is from the customer (user) or the agent (agent).", one_of(*SENDERS)
    ),
    "has_conversation": Parameter("Leads with a conversation, or (false) of template sends alone.", FLAG),
    "agent_id": Parameter("Leads with a conversation of this agent.", example="test-agent-001"),
    "phone_number_id": Parameter("Leads with a conversation on this channel.", example="test-phone-001"),
    "is_active": Parameter(
        "Leads with a conversation that is active, or (false) with one that is not.", FLAG
    ),
    "ignore_accents": Parameter(
        "Whether `search` takes letters with and without an accent for the same.", FLAG
    ),
    "waiting_minutes": Parameter(
        "Leads whose customer waits for an answer since at least so many minutes.",
        whole_number(0, 52_560_000),
        30,
    ),
    "reply_window": Parameter(
        "Leads that one may answer freely until a moment to come (open), or that has passed (closed); or (none) leads"
        " without such a moment.",
        one_of(*REPLY_WINDOWS),
    ),
    "reply_window_hours": Parameter(
        "Leads whose reply window is open, and closes within so many hours.", whole_number(1, 720), 2
    ),
    "became": Parameter("Leads that ever became any of these statuses.", some_of(*LEAD_STATUSES), ["Hot"]),
    "became_days": Parameter("With `became`: within the last N times 24 hours.", _DAYS, 7),
    "status_days": Parameter(
        "Leads that have their present status since at least N times 24 hours.", _DAYS, 14
    ),
    "attributes": Parameter(
        "Leads with any of these values of an attribute, as in `attributes[city]=Mumbai,Pune`; of a number, a date or"
        " a time a range too, as in `attributes[budget]=10..20`. `\\,` is a comma within a value. An attribute of"
        " conversations passes if any conversation of the lead has the value.",
        ATTRIBUTE_VALUES,
        {"source": "web,import"},
    ),
    "with_attributes": Parameter("Leads that have all of these attributes.", ATTRIBUTE_NAMES, ["tags"]),
    "without_attributes": Parameter(
        "Leads that have none of these attributes.", ATTRIBUTE_NAMES, ["opted_out"]
    ),
}
# The parameters that choose a page and its keys.
OF_ONE_PAGE = ("limit", "offset", "cursor", "fields", "include")


def _of_list_without(*names: str) -> dict[str, Parameter]:
    return {name: parameter for name, parameter in OF_LIST.items() if name not in names}


OF_EXPORT = _of_list_without("limit", "offset", "cursor", "fields")
# The filters that move with the clock, which the change feed does not take.
_BY_CLOCK = ("days", "waiting_minutes", "reply_window", "reply_window_hours", "became_days", "status_days")
OF_CHANGES = _of_list_without("sort_by", "sort_order", "offset", "cursor", "fields", *_BY_CLOCK) | {
    "since": Parameter(
        "What an answer gave as `next`. Without it the answer has no change, but the token of now.",
        example=TOKEN,
    ),
    "limit": _limit(MAX_CHANGES, "Changes that an answer"),
    "wait": Parameter(
        f"Seconds to wait for a change while there is none. Above {MAX_WAIT_SECONDS} it is cut to {MAX_WAIT_SECONDS}.",
        whole_number(0, cut_to=MAX_WAIT_SECONDS),
        20,
        default=0,
    ),
}
OF_STATUS_CHANGES = {name: OF_CHANGES[name] for name in ("since", "limit", "wait", "min_as_of")}
# The filters whose values are counted.
FACETS = ("lead_status", "platform", "agent_id", "has_email", "last_message_sender")

# The same, and those that are counted only if a request names them.
FURTHER_FACETS = (*FACETS, "reply_window")


def _facet(text: str) -> str:
    """Return the name of a facet. Raises LookupError or ValueError if the text is not one."""
    if text.startswith(ATTRIBUTE_FACET):
        return ATTRIBUTE_FACET + read_name(text.removeprefix(ATTRIBUTE_FACET))
    return FURTHER_FACETS[FURTHER_FACETS.index(text.lower())]


_FACET_NAMES = Kind(
    f"one or more of {', '.join(FURTHER_FACETS)}, or attributes.city for an attribute, separated by commas, at most"
    f" {MAX_ATTRIBUTES} of attributes",
    {
        "type": "array",
        "items": {
            "anyOf": [
                {"type": "string", "enum": [*FURTHER_FACETS]},
                {"type": "string", "pattern": f"^attributes\\.{NAME.pattern}$"},
            ]
        },
    },
    _facet,
    several=few_names,
)
OF_CSV = OF_EXPORT | {
    "for": Parameter(
        "Who reads the table. For `excel` it begins with a byte order mark, times are `2025-12-12 09:07:38` in UTC,"
        " and digits that a number would lose are the text of a formula.",
        one_of("excel"),
        attribute="reader",
    )
}
OF_FACETS = _of_list_without("sort_by", "sort_order", *OF_ONE_PAGE) | {
    "facets": Parameter(
        "The filters whose values to count, and no others; of an attribute the 100 most frequent ones.",
        _FACET_NAMES,
        ["lead_status"],
    ),
    "include": Parameter(
        "What to print besides, after all else.", some_of("agent_names"), ["agent_names"], default=()
    ),
}
OF_MESSAGES = {
    "platform": Parameter("Messages on any of these platforms.", platforms_of(*PLATFORMS), ["whatsapp"]),
    "sender": Parameter("Messages of the customer (user) or the agent (agent).", one_of(*SENDERS)),
    "days": Parameter("Messages sent in the last N times 24 hours.", _DAYS, 7),
    **_dates("Messages sent"),
    "conversation_id": Parameter(
        "Messages of this conversation of the lead.", example="b1a93252-f8c6-448f-a765-195eea996d9a"
    ),
    **{
        name: Parameter(
            f"Messages {name} this one, a `message_id`, in the order of time.",
            example="out-1759645300741-hij9fvlyv",
        )
        for name in ("before", "after")
    },
    "sort_order": Parameter(
        "Oldest messages first (asc), or newest first (desc).", one_of(*ORDERS), default="asc"
    ),
    "limit": _limit(200),
    **_PAGES,
    **_OTHER_DATES,
}
OF_HISTORY = {"limit": _limit(200), **_PAGES}
OF_HISTORY_CSV = OF_ALL | {"for": OF_CSV["for"]}
OF_FUNNEL = (
    _dates("Leads that first came")
    | {
        "by": Parameter(
            "What to divide the leads by: the platforms or the agents of their conversations. A lead of several counts"
            " for each.",
            one_of("platform", "agent"),
            attribute="divided_by",
        )
    }
    | OF_ALL
)
OF_MESSAGE_EXPORT = OF_ALL | _dates("Messages")
OF_SERIES = {
    "from_date": Parameter("The first day or hour is the one that has this moment.", MOMENT, "2025-12-01"),
    "to_date": Parameter(
        "The last day or hour is the one that has this moment. A date covers its whole day.",
        END_MOMENT,
        "2025-12-12",
    ),
    "include": Parameter(
        "What to print of the active leads beside the other numbers.", some_of("waiting"), ["waiting"]
    ),
    "by": Parameter("Days in UTC, up to 1,100; or hours in UTC, up to 336.", one_of(*BUCKETS), default="day"),
    **OF_ALL,
    **_OTHER_DATES,
}
# By the ids of the OpenAPI document: each operation that takes parameters.
OPERATIONS: Mapping[str, Mapping[str, Parameter]] = {
    "listLeads": OF_LIST,
    "getLead": OF_LEAD,
    "lookupLeads": OF_LEAD,
    "getLeadMessages": OF_MESSAGES,
    "getLeadHistory": OF_HISTORY,
    "getLeadStatistics": OF_ALL,
    "getLeadSeries": OF_SERIES,
    "getLeadFunnel": OF_FUNNEL,
    "getLeadFacets": OF_FACETS,
    "listLeadAttributes": OF_ALL,
    "listLeadChanges": OF_CHANGES,
    "listStatusChanges": OF_STATUS_CHANGES,
    "exportLeads": OF_EXPORT,
    "exportLeadsAsCsv": OF_CSV,
    "exportMessages": OF_MESSAGE_EXPORT,
    "exportStatusHistory": OF_ALL,
    "exportStatusHistoryAsCsv": OF_HISTORY_CSV,
}
