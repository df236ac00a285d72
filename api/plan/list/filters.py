"""The filters of the list: one entry of FILTERS is everything that a plan knows about a query parameter.

A new filter is one entry here and one field in `api/request/parameters.py`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, FromClause, Integer, Text, and_, any_, bindparam, case, or_

from api.plan.list import active_time, conversations, search
from api.plan.list.conversations import Columns
from api.plan.sql import PHONE, Condition, lead_profiles, leads, lookup_by_key
from api.request.other_names import OTHER_NAMES
from api.request.parameters import ListParameters

# A filter on the columns of a table, and the part of its value that changes the statement's text.
OnTable = Callable[[Columns, Any], Condition]
OnTotals = Callable[[Columns, Any], ColumnElement[int] | None]

TIME_RANGE = "time_range"
# Columns of lead_conversations: a lead passes if any conversation of it has the value.
OF_CONVERSATIONS = ("agent_id", "phone_number_id", "is_active")


class GivenFilter(NamedTuple):
    """A filter that a request gives: its name, and the part of its value that changes the statement's text."""

    name: str
    shape: Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """How one filter narrows the list.

    A filter without a condition on one of the two tables is looked up in the other one by the key of the lead. A facet
    has its column in lead_counts and lead_daily_counts too, so that its `on_leads` counts there. A list whose filters
    lead_totals and facets do not count finds all matches to count them: in an index if each filter has a condition on
    `leads`.
    """

    name: str
    # The query parameters that give it.
    parameters: tuple[str, ...]
    # The value that a request gives at a moment; None if it does not give any.
    value: Callable[[ListParameters, datetime], Any]
    on_leads: OnTable | None = None
    on_profiles: OnTable | None = None
    is_facet: bool = False
    # The leads of a row of lead_totals that pass; None if lead_totals does not count them.
    totals: OnTotals = lambda _columns, _shape: None
    shape: Callable[[Any], Hashable] = lambda _value: None
    bind: Callable[[Any], Mapping[str, object]]


def _filter(
    name: str,
    *,
    bind: Callable[[Any], Mapping[str, object]] | None = None,
    **keywords: Any,  # noqa: ANN401  # Those of Filter.
) -> Filter:
    """Returns the filter of the query parameter of the same name, whose value is one value of the statement."""
    return Filter(
        name=name,
        parameters=(name,),
        value=lambda parameters, _now: getattr(parameters, name),
        bind=bind or (lambda value: {name: value}),
        **keywords,
    )


def _on_platforms(columns: Columns, platforms: Sequence[str]) -> Condition:
    return or_(*(columns[f"on_{platform}"] for platform in platforms))


def _total_of_platforms(columns: Columns, platforms: Sequence[str]) -> ColumnElement[int] | None:
    # A lead on two platforms is counted under both, so the sum of two would count it twice.
    return columns[f"on_{platforms[0]}"] if len(platforms) == 1 else None


def _has_status(columns: Columns, _shape: object) -> Condition:
    return columns.lead_status == any_(bindparam("lead_status", type_=ARRAY(Text)))


def _total_of_statuses(columns: Columns, statuses: Sequence[str]) -> ColumnElement[int]:
    return reduce(add, (columns[status.lower()] for status in statuses))


def _has(name: str) -> OnTable:
    return lambda columns, _shape: columns[name] == bindparam(name)


def _total_with(name: str, counted: str) -> OnTotals:
    """Returns the total of a flag that `lead_totals` counts in a column."""
    return lambda columns, _shape: case(
        (bindparam(name), columns[counted]), else_=columns.leads - columns[counted]
    )


def _profile_has_email(columns: Columns, _shape: object) -> Condition:
    return columns.email.is_not(None) == bindparam("has_email")


def _score_at_least(columns: Columns, _shape: object) -> Condition:
    return columns.total_score >= bindparam("min_total_score", type_=Integer)


def _score_at_most(columns: Columns, _shape: object) -> Condition:
    return columns.total_score <= bindparam("max_total_score", type_=Integer)


def _is_phone(columns: Columns, _shape: object) -> Condition:
    return columns.customer_phone == PHONE


FILTERS: Mapping[str, Filter] = {
    entry.name: entry
    for entry in (
        _filter(
            "lead_status",
            on_leads=_has_status,
            on_profiles=_has_status,
            is_facet=True,
            totals=_total_of_statuses,
            shape=tuple,
            bind=lambda statuses: {"lead_status": list(statuses)},
        ),
        _filter(
            "has_extraction",
            on_leads=_has("has_extraction"),
            on_profiles=_has("has_extraction"),
            is_facet=True,
            totals=_total_with("has_extraction", "with_extraction"),
        ),
        _filter(
            "has_email",
            on_leads=_has("has_email"),
            on_profiles=_profile_has_email,
            is_facet=True,
            totals=_total_with("has_email", "with_email"),
        ),
        _filter("min_total_score", on_leads=_score_at_least, on_profiles=_score_at_least, is_facet=True),
        _filter("max_total_score", on_leads=_score_at_most, on_profiles=_score_at_most, is_facet=True),
        _filter(
            "platform",
            on_leads=_on_platforms,
            is_facet=True,
            totals=_total_of_platforms,
            shape=tuple,
            bind=lambda _platforms: {},
        ),
        _filter(
            "last_message_sender",
            on_leads=conversations.is_last_message_from,
            totals=conversations.total_from,
            shape=str,
            bind=lambda _sender: {},
        ),
        _filter(
            "has_conversation",
            on_leads=conversations.has_conversation,
            totals=conversations.total_by_conversation,
            shape=bool,
            bind=lambda _wanted: {},
        ),
        *(
            _filter(
                name,
                on_leads=conversations.of_any_conversation(name),
                on_profiles=conversations.of_any_conversation(name),
            )
            for name in OF_CONVERSATIONS
        ),
        Filter(
            name=TIME_RANGE,
            parameters=("days", "from_date", "to_date", *OTHER_NAMES),
            value=active_time.time_range_of,
            on_leads=active_time.is_active,
            bind=active_time.bind,
        ),
        Filter(
            name="search",
            parameters=("search", "ignore_accents"),
            value=lambda parameters, _now: search.wanted(parameters),
            on_profiles=search.condition,
            shape=search.shape_of,
            bind=search.bind,
        ),
        _filter("customer_phone", on_leads=_is_phone, on_profiles=_is_phone),
    )
}


def given_filters(
    parameters: ListParameters, now: datetime
) -> tuple[tuple[GivenFilter, ...], dict[str, object]]:
    """Returns the filters that a request gives, and their values by name."""
    given: list[GivenFilter] = []
    values: dict[str, object] = {}
    for entry in FILTERS.values():
        value = entry.value(parameters, now)
        if value is not None:
            given.append(GivenFilter(entry.name, entry.shape(value)))
            values |= entry.bind(value)
    return tuple(given), values


def conditions(given: Sequence[GivenFilter], table: FromClause) -> list[Condition]:
    """Returns the filters as conditions on `leads`, or on `lead_profiles` or rows with its columns."""
    other = lead_profiles if table is leads else leads
    here: list[Condition] = []
    elsewhere: list[Condition] = []
    for name, shape in given:
        entry = FILTERS[name]
        own, in_other = entry.on_leads, entry.on_profiles
        if table is not leads:
            own, in_other = in_other, own
        if own is not None:
            here.append(own(table.c, shape))
        elif in_other is not None:
            elsewhere.append(in_other(other.c, shape))
    return [*here, lookup_by_key(and_(*elsewhere), table, other)] if elsewhere else here


def conditions_on_facets(given: Sequence[GivenFilter], columns: Columns) -> list[Condition]:
    """Returns the facets among the filters as conditions on any table that has their columns."""
    entries = ((FILTERS[name], shape) for name, shape in given)
    return [
        entry.on_leads(columns, shape)
        for entry, shape in entries
        if entry.is_facet and entry.on_leads is not None
    ]
