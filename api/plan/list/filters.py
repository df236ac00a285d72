"""The filters of the list: an entry of FILTERS holds everything that a plan knows about a query parameter.

A new filter is one entry here and one field in `api/request/parameters.py`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Text,
    and_,
    bindparam,
    literal_column,
    not_,
    or_,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

from api.plan import attributes
from api.plan.list import search
from api.plan.sql import (
    PHONE,
    USER,
    Condition,
    any_row,
    between,
    constant_text,
    lead_conversations,
    lead_profiles,
    leads,
    lookup_by_key,
    status_changes,
)
from api.plan.time_buckets import DAY, DAYS, NOW, ago, before_next, edge, end_of_days, first_leave, once
from api.request.attributes import LEAD, AttributeCondition
from api.request.lead import PLATFORMS
from api.request.parameters import Parameters
from api.request.text import FIRST_MOMENT, LAST_MOMENT, next_millisecond

Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]

# Return the condition on the columns of a table; the second argument is the shape of the filter.
OnTable = Callable[[Columns, Any], Condition]
OnTotals = Callable[[Columns, Any], ColumnElement[int] | None]

TIME_RANGE = "time_range"
# The filters by attributes: of profiles, and of conversations alone.
OF_PROFILES, OF_THEIR_CONVERSATIONS = "attributes", "attributes_of_conversations"
# In the shape of a filter by platform: all platforms that have no column.
OTHERS = None
# Columns of lead_conversations: a lead passes if any of its conversations has the value.
OF_CONVERSATIONS = ("agent_id", "phone_number_id", "is_active")


class GivenFilter(NamedTuple):
    """A filter that a request gives: its name, and the part of its value that changes the statement's text."""

    name: str
    shape: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """How one filter narrows the list.

    A filter that has no condition on one of the two tables is looked up in the other by the key of the lead. The column
    of a facet is also in lead_counts and lead_daily_counts, so `on_leads` works there too. If neither lead_totals nor
    the facets count the filters of a list, it finds all matches to count them: in an index if each filter has a
    condition on `leads`.
    """

    name: str
    # The value that a request gives, or None.
    value: Callable[[Parameters], Any]
    on_leads: OnTable | None = None
    on_profiles: OnTable | None = None
    is_facet: bool = False
    # How many leads of a row of lead_totals pass; None if lead_totals does not count them.
    totals: OnTotals = lambda _columns, _shape: None
    shape: Callable[[Any], Hashable] = lambda _value: None
    bind: Callable[[Any], Mapping[str, object]]
    # The moments until which the same leads pass, by the shape; none if the filter does not depend on the clock.
    stands_until: Callable[[Any], Sequence[ColumnElement[Any]]] = lambda _shape: ()


def _filter(name: str, *, on_both: OnTable | None = None, **keywords: Any) -> Filter:  # noqa: ANN401  # Of Filter.
    """Return the filter of the query parameter of this name; its value is bound unless a shape is given."""
    others = {
        "value": lambda parameters: getattr(parameters, name),
        "bind": lambda value: {} if "shape" in keywords else {name: value},
        "on_leads": on_both,
        "on_profiles": on_both,
    }
    return Filter(name=name, **{**others, **keywords})


def _flag(name: str, counted: str = "", **keywords: Any) -> Filter:  # noqa: ANN401  # Of Filter.
    """Return the filter of a flag; the column `counted` of `lead_totals` counts the leads that have it.

    Its value is part of the statement's text, so that PostgreSQL sees which index serves.
    """

    def on_table(columns: Columns, flag: bool) -> Condition:  # noqa: FBT001  # As any shape.
        return columns[name] if flag else not_(columns[name])

    others = {
        "on_leads": on_table,
        "on_profiles": on_table,
        "totals": lambda columns, flag: columns[counted] if flag else columns.leads - columns[counted],
        "shape": bool,
    }
    return _filter(name, **{**others, **keywords})


def of_conversations(name: str) -> Condition:
    """Return whether a conversation has the value of a filter."""
    column = lead_conversations.c[name]
    return column == bindparam(name, type_=column.type)


def _of_any_conversation(name: str) -> OnTable:
    """Return whether any conversation of the current lead has the value of a filter: a look-up in an index."""

    def condition(columns: Columns, _shape: object) -> Condition:
        conversations = lead_conversations.c
        return any_row(
            lead_conversations,
            conversations.user_id == USER,
            conversations.customer_phone == columns.customer_phone,
            of_conversations(name),
        )

    return condition


def _on_platform(columns: Columns, platform: str | None) -> Condition:
    """Return whether a lead is on a platform, or for OTHERS on any other platform of the request."""
    if platform is not OTHERS:
        return columns[f"on_{platform}"]
    given: Condition = columns.other_platforms.bool_op("&&")(bindparam("other_platforms", type_=ARRAY(Text)))
    return given


def _time_range_of(parameters: Parameters) -> dict[str, object] | None:
    """Return the start and the end of the time in which a lead has to be active, and the number of last days."""
    if parameters.days is None and parameters.from_date is None and parameters.to_date is None:
        return None
    end = LAST_MOMENT if parameters.to_date is None else next_millisecond(parameters.to_date)
    return {"start": parameters.from_date or FIRST_MOMENT, "days": parameters.days, "end": end}


BECAME = "became"


class BecameValue(NamedTuple):
    """The statuses that leads have become, and within how many last days; None means at any time."""

    statuses: tuple[str, ...]
    days: int | None


class BecameShape(NamedTuple):
    """The part of a BecameValue that changes the statement's text."""

    statuses: tuple[str, ...]
    is_recent: bool


def has_become(changes: FromClause, shape: BecameShape) -> list[Condition]:
    """Return the conditions on a change of a status that lets a lead pass."""
    found = [changes.c.user_id == USER, changes.c.lead_status.in_([*map(constant_text, shape.statuses)])]
    if shape.is_recent:
        found += [changes.c.changed_at > UNKNOWN_TIME, changes.c.changed_at >= once(ago(_BECAME_DAYS))]
    return found


def _became(columns: Columns, shape: BecameShape) -> Condition:
    is_its_own = status_changes.c.customer_phone == columns.customer_phone
    return any_row(status_changes, is_its_own, *has_become(status_changes, shape))


def _end_of_became(shape: BecameShape) -> ColumnElement[Any]:
    """Return when the oldest of these changes leaves the last days."""
    return first_leave(status_changes.c.changed_at, _BECAME_DAYS, *has_become(status_changes, shape))


_BECAME_DAYS = bindparam("became_days", type_=Float)
_STATUS_DAYS = bindparam("status_days", type_=Float)
# The stored time of an extraction without a time.
UNKNOWN_TIME: ColumnElement[Any] = literal_column("timestamptz 'epoch'")
_MINUTES = bindparam("waiting_minutes", type_=Float) * literal_column("interval '1 minute'")
_HOURS = bindparam("reply_window_hours", type_=Float) * literal_column("interval '1 hour'")
_NOTHING: ColumnElement[Any] = literal_column("interval '0'")


def _in_reply_window(columns: Columns, word: str) -> Condition:
    """Return whether the reply window is open, is closed, or does not exist. One that ends now is closed."""
    ends = columns.reply_window_ends_at
    if word == "none":
        return ends.is_(None)
    if word == "closed":
        return ends <= once(NOW)
    # PostgreSQL estimates few leads for a range with two ends, and a third of all leads for one with a single end.
    return and_(ends > once(NOW), ends < literal_column("timestamptz 'infinity'"))


def _attributes(name: str, *, of_profiles: bool) -> Filter:
    """Return the filter by attributes of profiles or of conversations; those that may be in both belong to profiles."""

    def value(parameters: Parameters) -> tuple[AttributeCondition, ...] | None:
        given = parameters.by_attributes
        return tuple(part for part in given if (LEAD in part.levels) is of_profiles) or None

    def on_table(columns: Columns, shape: attributes.Shape) -> Condition:
        return attributes.condition(columns, shape, name)

    return _filter(
        name,
        value=value,
        on_leads=None if of_profiles else on_table,
        on_profiles=on_table,
        shape=attributes.shape_of,
        bind=lambda conditions: attributes.bind(conditions, name),
    )


FILTERS: Mapping[str, Filter] = {
    entry.name: entry
    for entry in (
        _filter(
            "lead_status",
            on_both=lambda columns, statuses: columns.lead_status.in_([*map(constant_text, statuses)]),
            is_facet=True,
            totals=lambda columns, statuses: reduce(add, (columns[status.lower()] for status in statuses)),
            shape=tuple,
        ),
        _flag("has_extraction", "with_extraction", is_facet=True),
        _flag(
            "has_email",
            "with_email",
            on_profiles=lambda columns, flag: columns.email.is_not(None) if flag else columns.email.is_(None),
            is_facet=True,
        ),
        _filter(
            "min_total_score",
            on_both=lambda columns, _: columns.total_score >= bindparam("min_total_score", type_=Integer),
            is_facet=True,
        ),
        _filter(
            "max_total_score",
            on_both=lambda columns, _: columns.total_score <= bindparam("max_total_score", type_=Integer),
            is_facet=True,
        ),
        _filter(
            "platform",
            on_leads=lambda columns, platforms: or_(*(_on_platform(columns, word) for word in platforms)),
            is_facet=True,
            # A lead on two platforms is counted under both, so the sum of two would count it twice.
            totals=lambda columns, platforms: (
                columns[f"on_{platforms[0]}"] if platforms[0] and not platforms[1:] else None
            ),
            shape=lambda platforms: tuple(
                dict.fromkeys(word if word in PLATFORMS else OTHERS for word in platforms)
            ),
            bind=lambda platforms: {"other_platforms": [word for word in platforms if word not in PLATFORMS]},
        ),
        _filter(
            "last_message_sender",
            on_leads=lambda columns, sender: columns.last_message_sender == constant_text(sender),
            totals=lambda columns, sender: columns[f"last_from_{sender}"],
            shape=str,
        ),
        _flag(
            "has_conversation",
            on_profiles=None,
            totals=lambda columns, flag: (
                columns.leads - columns.without_conversation if flag else columns.without_conversation
            ),
        ),
        *(_filter(name, on_both=_of_any_conversation(name)) for name in OF_CONVERSATIONS),
        Filter(
            name=TIME_RANGE,
            value=_time_range_of,
            on_leads=lambda columns, _shape: between(columns.last_message_at, edge("start"), edge("end")),
            bind=lambda values: values,
            stands_until=lambda _shape: [end_of_days(DAYS)],
        ),
        Filter(
            name="search",
            value=lambda parameters: (
                parameters.search
                and replace(parameters.search, ignore_accents=bool(parameters.ignore_accents))
            ),
            on_profiles=search.condition,
            shape=search.shape_of,
            bind=search.bind,
        ),
        _filter(
            "waiting_minutes",
            on_leads=lambda columns, _: columns.waiting_since <= once(NOW - _MINUTES),
            stands_until=lambda _shape: [before_next(leads.c.waiting_since, -_MINUTES)],
        ),
        _filter(
            "reply_window",
            on_leads=_in_reply_window,
            # The leads without a window; counts.py counts those whose window is open or closed.
            totals=lambda columns, word: (
                columns.leads - columns.with_reply_window if word == "none" else None
            ),
            shape=str,
            stands_until=lambda word: (
                [before_next(leads.c.reply_window_ends_at, _NOTHING)] if word != "none" else []
            ),
        ),
        _filter(
            "reply_window_hours",
            on_leads=lambda columns, _: and_(
                columns.reply_window_ends_at > once(NOW), columns.reply_window_ends_at <= once(NOW + _HOURS)
            ),
            stands_until=lambda _shape: [
                before_next(leads.c.reply_window_ends_at, distance) for distance in (_NOTHING, _HOURS)
            ],
        ),
        Filter(
            name=BECAME,
            value=lambda parameters: (
                parameters.became and BecameValue(parameters.became, parameters.became_days)
            ),
            on_leads=_became,
            on_profiles=_became,
            shape=lambda value: BecameShape(value.statuses, value.days is not None),
            bind=lambda value: {} if value.days is None else {"became_days": value.days},
            stands_until=lambda shape: [_end_of_became(shape)] if shape.is_recent else [],
        ),
        _filter(
            "status_days",
            on_leads=lambda columns, _: and_(
                columns.status_since > UNKNOWN_TIME, columns.status_since <= once(ago(_STATUS_DAYS))
            ),
            stands_until=lambda _shape: [before_next(leads.c.status_since, once(-_STATUS_DAYS * DAY))],
        ),
        _attributes(OF_PROFILES, of_profiles=True),
        _attributes(OF_THEIR_CONVERSATIONS, of_profiles=False),
        _filter("customer_phone", on_both=lambda columns, _: columns.customer_phone == PHONE),
    )
}


def given_filters(parameters: Parameters) -> tuple[tuple[GivenFilter, ...], dict[str, object]]:
    """Return the filters of a request, and their values by name."""
    filters: list[GivenFilter] = []
    values: dict[str, object] = {}
    for entry in FILTERS.values():
        value = entry.value(parameters)
        if value is not None:
            filters.append(GivenFilter(entry.name, entry.shape(value)))
            values |= entry.bind(value)
    return tuple(filters), values


def moments_of(filters: Sequence[GivenFilter]) -> list[ColumnElement[Any]]:
    """Return the moments until which the same leads pass each of these filters."""
    return [moment for name, shape in filters for moment in FILTERS[name].stands_until(shape)]


def conditions(filters: Sequence[GivenFilter], table: FromClause) -> list[Condition]:
    """Return the filters as conditions on `leads`, on `lead_profiles`, or on rows with the columns of the latter."""
    other = lead_profiles if table is leads else leads
    here: list[Condition] = []
    elsewhere: list[Condition] = []
    for name, shape in filters:
        entry = FILTERS[name]
        own, in_other = entry.on_leads, entry.on_profiles
        if table is not leads:
            own, in_other = in_other, own
        if own is not None:
            here.append(own(table.c, shape))
        elif in_other is not None:
            elsewhere.append(in_other(other.c, shape))
    return [*here, lookup_by_key(and_(*elsewhere), table, other)] if elsewhere else here


def is_counted_as_facet(filter_: GivenFilter) -> bool:
    """Return whether the tables that count facets have the column of a filter. They lack it for other platforms."""
    has_others = filter_.name == "platform" and isinstance(filter_.shape, tuple) and OTHERS in filter_.shape
    return FILTERS[filter_.name].is_facet and not has_others


def conditions_on_facets(filters: Sequence[GivenFilter], columns: Columns) -> list[Condition]:
    """Return the facets among the filters as conditions on a table that has their columns."""
    entries = ((FILTERS[name], shape) for name, shape in filters)
    return [
        entry.on_leads(columns, shape)
        for entry, shape in entries
        if entry.is_facet and entry.on_leads is not None
    ]
