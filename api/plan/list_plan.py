"""What of a request for the list decides its statement."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause

from api.plan.filters import FILTERS, TIME_RANGE, GivenFilter, given_filters
from api.plan.search import SearchShape
from api.request.parameters import ListParameters
from api.sql_helpers import lead_profiles, leads

# A page by last_message_at beyond this offset is found by counted hours or days, not by reading all leads before it.
FAR_OFFSET = 20_000


@dataclass(frozen=True, slots=True)
class Sort:
    """A column by which leads are ordered, and how its index is ordered."""

    table: FromClause
    key: str
    nullable: bool = False
    # The direction in which the index has the leads without a value last.
    nulls_last: str = "asc"
    # Filters on the column itself: they exclude the leads without a value, and the index reads only a range of it.
    own_filters: frozenset[str] = frozenset()

    def order(self, columns: Any, direction: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:  # noqa: ANN401  # A table's columns by name.
        """Returns the order of the index, read in this direction."""
        key, phone = columns[self.key], columns.customer_phone
        if direction == "asc":
            first = key.asc().nulls_first() if self.nullable and self.nulls_last == "desc" else key.asc()
            return first, phone.asc()
        first = key.desc().nulls_last() if self.nullable and self.nulls_last == "desc" else key.desc()
        return first, phone.desc()


SORTS = {
    "last_message_at": Sort(
        leads, "last_message_at", nullable=True, nulls_last="desc", own_filters=frozenset({TIME_RANGE})
    ),
    "first_contact_at": Sort(leads, "first_contact_at"),
    "total_messages": Sort(leads, "total_messages"),
    "total_score": Sort(
        lead_profiles,
        "total_score",
        nullable=True,
        own_filters=frozenset({"min_total_score", "max_total_score"}),
    ),
    "name": Sort(lead_profiles, "name_key", nullable=True),
}


@dataclass(frozen=True, slots=True)
class ListPlan:
    """Requests with equal plans have the same statement; everything else of them is a value."""

    sort_by: str
    sort_order: str
    has_offset: bool
    is_far: bool
    filters: tuple[GivenFilter, ...]
    # Whether all matches are collected and sorted; see pages.reads_fewer_collecting.
    collect_matches: bool = False

    @property
    def sort(self) -> Sort:
        """The sort by its name."""
        return SORTS[self.sort_by]

    @property
    def is_by_time(self) -> bool:
        """Whether the order is that of the time buckets."""
        return self.sort_by == "last_message_at"

    @property
    def facets(self) -> tuple[GivenFilter, ...]:
        """The filters by which lead_counts and lead_daily_counts count."""
        return tuple(given for given in self.filters if FILTERS[given.name].is_facet)

    @property
    def facet_filter_count(self) -> int:
        """How many filters by facet there are."""
        return len(self.facets)

    @property
    def has_time_range(self) -> bool:
        """Whether leads have to be active in a time range."""
        return self.has(TIME_RANGE)

    @property
    def is_counted(self) -> bool:
        """Whether the counts of the read model give the total."""
        return self.facet_filter_count + self.has_time_range == len(self.filters)

    @property
    def has_own_filter(self) -> bool:
        """Whether a filter is on the column of the sort."""
        return any(given.name in self.sort.own_filters for given in self.filters)

    @property
    def has_nulls(self) -> bool:
        """Whether leads without a value of the sort can match."""
        return self.sort.nullable and not self.has_own_filter

    @property
    def search(self) -> SearchShape | None:
        """The shape of the search, if there is one."""
        return next((given.shape for given in self.filters if isinstance(given.shape, SearchShape)), None)

    def has(self, name: str) -> bool:
        """Returns whether the request gives this filter."""
        return any(given.name == name for given in self.filters)


def plan_list(parameters: ListParameters, now: datetime) -> tuple[ListPlan, dict[str, object]]:
    """Returns the plan of a list, and the values of its statement without the tenant."""
    page = parameters.page
    filters, values = given_filters(parameters, now)
    plan = ListPlan(
        sort_by=parameters.sort_by,
        sort_order=parameters.sort_order,
        has_offset=page.offset > 0,
        is_far=page.offset > FAR_OFFSET,
        filters=filters,
    )
    values["limit"] = page.limit
    if page.offset:
        values["offset"] = page.offset
    return plan, values
