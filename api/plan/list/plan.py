"""The parts of a request for the list that decide its statement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, FromClause, Integer, Text, and_, asc, bindparam, desc, func, or_, tuple_

from api.plan.list.filters import (
    BECAME,
    FILTERS,
    OF_PROFILES,
    OF_THEIR_CONVERSATIONS,
    TIME_RANGE,
    GivenFilter,
    given_filters,
    is_counted_as_facet,
)
from api.plan.list.search import SearchShape
from api.plan.sql import CURSOR_PHONE, Condition, lead_profiles, lead_totals, leads, moment
from api.request.parameters import Parameters

# A page by last_message_at beyond this offset is found by the counts of hours or days, not by reading all leads before.
FAR_OFFSET = 20_000


_CURSOR_TIME = moment("cursor_key")
_CURSOR_NUMBER = bindparam("cursor_key", type_=Integer)


@dataclass(frozen=True, slots=True)
class Sort:
    """A column by which leads are ordered, and how its index is ordered."""

    table: FromClause
    key: str
    nullable: bool = False
    # The direction in which leads without a value are last in the index.
    nulls_last: str = "asc"
    # Whether the index leaves out the leads without a value.
    is_partial: bool = False
    # Filters on the column itself: they exclude leads without a value, and read only a range of the index.
    own_filters: frozenset[str] = frozenset()
    # The key of the lead after which a page begins: a value of the statement, in the form of the column.
    cursor_key: ColumnElement[Any] = _CURSOR_TIME

    def order(self, columns: Any, direction: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:  # noqa: ANN401  # A table's columns by name.
        """Return the order of the index, read in this direction."""
        towards = asc if direction == "asc" else desc
        key = towards(columns[self.key])
        key = key.nulls_last() if direction == self.nulls_last else key.nulls_first()
        return key, towards(columns.customer_phone)


SORTS = {
    "last_message_at": Sort(
        leads, "last_message_at", nullable=True, nulls_last="desc", own_filters=frozenset({TIME_RANGE})
    ),
    "first_contact_at": Sort(leads, "first_contact_at"),
    "waiting_since": Sort(
        leads, "waiting_since", nullable=True, is_partial=True, own_filters=frozenset({"waiting_minutes"})
    ),
    "reply_window_ends_at": Sort(
        leads,
        "reply_window_ends_at",
        nullable=True,
        is_partial=True,
        own_filters=frozenset({"reply_window_hours"}),
    ),
    "status_since": Sort(
        leads, "status_since", nullable=True, is_partial=True, own_filters=frozenset({"status_days"})
    ),
    "total_messages": Sort(leads, "total_messages", cursor_key=_CURSOR_NUMBER),
    "total_score": Sort(
        lead_profiles,
        "total_score",
        nullable=True,
        own_filters=frozenset({"min_total_score", "max_total_score"}),
        cursor_key=_CURSOR_NUMBER,
    ),
    # A cursor has the printed name.
    "name": Sort(
        lead_profiles,
        "name_key",
        nullable=True,
        cursor_key=func.lower(bindparam("cursor_key", type_=Text)),
    ),
}


@dataclass(frozen=True, slots=True)
class ListPlan:
    """Requests with equal plans have the same statement; everything else in them is a bound value."""

    sort_by: str
    sort_order: str
    has_offset: bool
    is_far: bool
    filters: tuple[GivenFilter, ...]
    # None without a cursor; else whether the lead at its position has a value of the sort.
    cursor: Literal["value", "null"] | None = None
    # Whether all matches are collected and sorted; see pages.reads_fewer_collecting.
    collect_matches: bool = False
    # The keys that each lead is printed with: see printed_lead.
    included: tuple[str, ...] = ()

    @property
    def sort(self) -> Sort:
        """The sort of this name."""
        return SORTS[self.sort_by]

    @property
    def is_by_time(self) -> bool:
        """Whether the order is that of the time buckets."""
        return self.sort_by == "last_message_at"

    @property
    def has_time_range(self) -> bool:
        """Whether leads have to be active in a time range."""
        return self.has(TIME_RANGE)

    @property
    def beside_time(self) -> tuple[GivenFilter, ...]:
        """The filters without the time range."""
        return tuple(filter_ for filter_ in self.filters if filter_.name != TIME_RANGE)

    @property
    def is_counted(self) -> bool:
        """Whether the counts of the read model give the total: of any facets, or of one filter of lead_totals."""
        are_facets = all(map(is_counted_as_facet, self.beside_time))
        return are_facets or self.matches(lead_totals) is not None

    @property
    def has_own_filter(self) -> bool:
        """Whether a filter is on the column of the sort."""
        return any(filter_.name in self.sort.own_filters for filter_ in self.filters)

    @property
    def waits_within_window(self) -> bool:
        """Whether the list sorts leads with an open reply window by how long they wait."""
        has_window = self.has("reply_window_hours") or GivenFilter("reply_window", "open") in self.filters
        return self.sort_by == "waiting_since" and has_window

    @property
    def has_nulls(self) -> bool:
        """Whether leads without a value of the sort can match."""
        return self.sort.nullable and not self.has_own_filter

    @property
    def search(self) -> SearchShape | None:
        """The shape of the search, if there is one."""
        given = self.find("search")
        return given and given.shape

    @property
    def looks_up_attributes(self) -> bool:
        """Whether there is a filter by attributes."""
        return self.has(OF_PROFILES) or self.has(OF_THEIR_CONVERSATIONS)

    @property
    def looks_up_each(self) -> bool:
        """Whether reading in order looks up each lead in another table, for a filter that is not counted."""
        is_elsewhere = self.sort.table is lead_profiles and any(
            FILTERS[name].on_profiles is None for name, _ in self.filters
        )
        return not self.is_counted and (is_elsewhere or self.looks_up_attributes or self.has(BECAME))

    @property
    def finds_attributes(self) -> bool:
        """Whether an index finds the leads that pass a filter by attributes."""
        shapes = [
            filter_.shape for filter_ in self.filters if filter_.name in (OF_PROFILES, OF_THEIR_CONVERSATIONS)
        ]
        return any(part.is_indexed for shape in shapes for part in shape)

    def matches(self, totals: FromClause) -> ColumnElement[int] | None:
        """Return how many leads of a row of lead_totals pass the filters; None if it does not count them."""
        if not self.beside_time:
            everyone: ColumnElement[int] = totals.c.leads
            return everyone
        (name, shape), *others = self.beside_time
        return None if others else FILTERS[name].totals(totals.c, shape)

    def find(self, name: str) -> GivenFilter | None:
        """Return this filter if the request gives it."""
        return next((filter_ for filter_ in self.filters if filter_.name == name), None)

    def has(self, name: str) -> bool:
        """Return whether the request gives this filter."""
        return self.find(name) is not None

    def order(self, key: ColumnElement[Any], phone: ColumnElement[Any]) -> Sequence[ColumnElement[Any]]:
        """Return the order of the list: leads without a value are last in both directions."""
        towards = asc if self.sort_order == "asc" else desc
        return towards(key).nulls_last() if self.sort.nullable else towards(key), towards(phone)

    def after_cursor(self, key: ColumnElement[Any], phone: ColumnElement[Any]) -> Condition:
        """Return the condition for the leads with a value that come after the cursor's lead, which has one too.

        A comparison of rows is a range of the index of the sort.
        """
        own, position = tuple_(key, phone), tuple_(self.sort.cursor_key, CURSOR_PHONE)
        return own > position if self.sort_order == "asc" else own < position

    def phone_after_cursor(self, phone: ColumnElement[Any]) -> Condition:
        """Return the condition for the leads after the cursor's lead among those without a value."""
        return phone > CURSOR_PHONE if self.sort_order == "asc" else phone < CURSOR_PHONE

    def anywhere_after_cursor(self, key: ColumnElement[Any], phone: ColumnElement[Any]) -> Condition:
        """Return the condition for all leads after the cursor's lead: those without a value come last."""
        if self.cursor == "null":
            return and_(key.is_(None), self.phone_after_cursor(phone))
        return or_(self.after_cursor(key, phone), key.is_(None))


def plan_list(parameters: Parameters) -> tuple[ListPlan, dict[str, object]]:
    """Return the plan of a list, and the values of its statement without the tenant."""
    page = parameters.page
    filters, values = given_filters(parameters)
    plan = ListPlan(
        sort_by=parameters.sort_by,
        sort_order=parameters.sort_order,
        has_offset=page.offset > 0,
        is_far=page.offset > FAR_OFFSET,
        filters=filters,
        included=parameters.printed_with,
    )
    values["limit"] = page.rows_to_read
    if page.position is not None:
        key, values["cursor_phone"] = page.position
        if key is not None:
            values["cursor_key"] = key
        plan = replace(plan, cursor="null" if key is None else "value")
    if page.offset:
        values["offset"] = page.offset
    return plan, values
