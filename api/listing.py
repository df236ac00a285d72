"""The statement of a list: how its page is found and its total counted, by the shape of the question.

Whatever the size of a tenant, one plan has to be right, for it is made once and kept. So a page is read in the
order of an index; where that could mean to read much before the page begins, the days that it lies in are picked
first, or, where few leads match, these are collected and ordered. That few match, only the counts inside the
statement can tell: it then says so instead of giving the page, and another statement gives the whole answer. One for
both ways would open, at each request, all the tables and indexes of the way that is not taken.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, reduce
from operator import add
from typing import Any, NamedTuple, Self

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Interval,
    ScalarSelect,
    Select,
    SelectBase,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
    values,
)

from api import tables
from api.expressions import (
    LIMIT,
    NONE,
    OFFSET,
    PHONE,
    USER,
    UTC_NAME,
    Condition,
    Printed,
    all_leads,
    between,
    document_of,
    header,
    in_span,
    is_of_all_leads,
    lead_daily_counts,
    lead_profiles,
    lead_totals,
    lead_counts,
    leads,
    looked_up,
    moment,
    sum_of,
    with_page,
)
from api.schemas import ListParameters, Search
from api.values import FIRST_MOMENT, LAST_MOMENT, after
from api.windows import DAY, HOUR, window_of

# Beyond this offset a page by last_message_at is found by adding up days, not by reading all before it.
FAR_OFFSET = 20_000
# Fewer matches than this, among more leads than that, are collected first and ordered then.
FEW_MATCHES = 2_000
MANY_LEADS = 20_000
# Where one lead in so many matches, or more, their rows are read in order; where fewer do, entries of the index are,
# and the rows of those that match.
DENSE = 8
# Up to so many leads of a tenant are searched one by one.
SMALL_TENANT = 500
# The index knows a text by each three letters or digits in a row.
_INDEXED = re.compile(r"[^\W_]{3}")


@dataclass(frozen=True, slots=True)
class Sort:
    """A column that leads are ordered by, and how its index stands to it."""

    table: FromClause
    key: str
    nullable: bool = False
    # The direction in which the index has the leads without a value at its end.
    nulls_last: str = "asc"

    def order(self, columns: Any, direction: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:  # noqa: ANN401
        """The order as the index has it in this direction."""
        key, phone = columns[self.key], columns.customer_phone
        if direction == "asc":
            first = key.asc().nulls_first() if self.nullable and self.nulls_last == "desc" else key.asc()
            return first, phone.asc()
        first = key.desc().nulls_last() if self.nullable and self.nulls_last == "desc" else key.desc()
        return first, phone.desc()


SORTS = {
    "last_message_at": Sort(leads, "last_message_at", nullable=True, nulls_last="desc"),
    "first_contact_at": Sort(leads, "first_contact_at"),
    "total_messages": Sort(leads, "total_messages"),
    "total_score": Sort(lead_profiles, "total_score", nullable=True),
    "name": Sort(lead_profiles, "name_key", nullable=True),
}

# The filters that lead_counts counts by, on any table with their columns; platforms are of the shape itself.
_FACETS: dict[str, Callable[[Any], Condition]] = {
    "lead_status": lambda columns: columns.lead_status == any_(bindparam("lead_status", type_=ARRAY(Text))),
    "has_extraction": lambda columns: columns.has_extraction == bindparam("has_extraction"),
    "has_email": lambda columns: columns.has_email == bindparam("has_email"),
    "min_total_score": lambda columns: columns.total_score >= bindparam("min_total_score", type_=Integer),
    "max_total_score": lambda columns: columns.total_score <= bindparam("max_total_score", type_=Integer),
}
# Those of them whose leads lead_totals counts, one filter at a time.
_KNOWN_TO_SPANS = {"lead_status", "has_extraction", "has_email"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a list's parameters decides its statement; the rest are values."""

    sort_by: str
    sort_order: str
    offset: bool
    far: bool
    facets: frozenset[str]
    platforms: tuple[str, ...]
    statuses: tuple[str, ...]
    bounded: bool
    # For each word of a search, whether the index knows it.
    words: tuple[bool, ...]
    # The same of a search that is a phone; None where it is not.
    digits: bool | None
    phone: bool
    # Whether few leads among many are known to match.
    few: bool = False

    @classmethod
    def of(cls, parameters: ListParameters, now: datetime) -> tuple[Self, dict[str, object]]:
        """The shape of a list, and its values."""
        page, search = parameters.page, parameters.search or Search((), None)
        facets = {
            name: getattr(parameters, name) for name in _FACETS if getattr(parameters, name) is not None
        }
        values: dict[str, object] = {"limit": page.limit, **facets}
        if "lead_status" in values:
            values["lead_status"] = list(parameters.lead_status or ())
        bounded = not (
            parameters.days is None and parameters.from_date is None and parameters.to_date is None
        )
        if page.offset:
            values["offset"] = page.offset
        if parameters.customer_phone is not None:
            values["customer_phone"] = parameters.customer_phone
        # In whatever order words are given, the statement is the same.
        words = sorted((_INDEXED.search(word) is not None, word) for word in set(search.words))
        for number, (known, word) in enumerate(words):
            values[f"word_{number}"] = _pattern(word) if known else word
        # A phone written as its digits alone is a word like any other.
        digits = None if search.words == (search.digits,) else search.digits
        if digits is not None:
            values["digits"] = digits
        shape = cls(
            sort_by=parameters.sort_by,
            sort_order=parameters.sort_order,
            offset=page.offset > 0,
            far=page.offset > FAR_OFFSET,
            facets=frozenset(facets),
            platforms=parameters.platform or (),
            statuses=parameters.lead_status or (),
            bounded=bounded,
            words=tuple(known for known, _ in words),
            digits=None if digits is None else _INDEXED.search(digits) is not None,
            phone=parameters.customer_phone is not None,
        )
        if bounded:
            values |= shape.window(*_bounds(parameters, now))
        return shape, values

    def window(self, begins: datetime, ends: datetime) -> dict[str, object]:
        """The values of the stretch from one moment to before another."""
        window = window_of(DAY if self.by_day else HOUR, begins, ends)
        days = window_of(DAY, window.first, window.end)
        first, end = (days.first.date(), days.end.date()) if self.by_day else (days.first, days.end)
        return {**window._asdict(), "first_day": first, "end_day": end}

    @property
    def sort(self) -> Sort:
        """The sort by its name."""
        return SORTS[self.sort_by]

    @property
    def narrowed(self) -> int:
        """How many filters by facet there are."""
        return len(self.facets) + bool(self.platforms)

    @property
    def by_day(self) -> bool:
        """Whether only the tables that count by every facet know the total: the spans of time know one filter."""
        return self.narrowed > 1 or len(self.platforms) > 1 or bool(self.facets - _KNOWN_TO_SPANS)

    @property
    def filtered(self) -> bool:
        """Whether anything that is counted narrows the list."""
        return self.narrowed > 0 or self.bounded


def _bounds(parameters: ListParameters, now: datetime) -> tuple[datetime, datetime]:
    """First moment of the time that the parameters name, and first moment after it."""
    begins = parameters.from_date or FIRST_MOMENT
    if parameters.days is not None:
        begins = max(begins, now - timedelta(days=parameters.days))
    return begins, LAST_MOMENT if parameters.to_date is None else after(parameters.to_date)


def _pattern(word: str) -> str:
    """A pattern for LIKE in which every character of the word means itself."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


class _Cut(NamedTuple):
    """Which rows of an order make the page; a limit of 0 keeps a way from being taken."""

    limit: ColumnElement[Any]
    offset: ColumnElement[Any] | None

    def of(self, rows: Select[Any]) -> Select[Any]:
        """These rows of an ordered select."""
        return rows.limit(self.limit) if self.offset is None else rows.limit(self.limit).offset(self.offset)

    def if_(self, condition: ColumnElement[bool]) -> "_Cut":
        """The same rows if the condition holds, else none."""
        return self._replace(limit=case((condition, self.limit), else_=NONE))


class _Parts(NamedTuple):
    """The total, the rows that make the page, and whether that is to be asked otherwise: few leads match."""

    total: ColumnElement[int]
    page: list[Printed]
    few: ColumnElement[bool] = false()


@lru_cache(maxsize=512)
def list_statement(shape: Shape) -> SelectBase:
    """As_of, dead_letters, total, few (whether it is to be asked with `few` instead), and the page."""
    if shape.phone:
        parts = _by_phone(shape)
    elif shape.words:
        parts = _by_search(shape)
    else:
        parts = _by_order(shape)
    return with_page([*header(), parts.total.label("total"), parts.few.label("few")], parts.page)


# Ways to a page


def _by_phone(shape: Shape) -> _Parts:
    """The one lead of a phone, if the other filters let it pass."""
    conditions = _conditions(shape, leads)
    if shape.words:
        profile = select(_search(shape, lead_profiles, lead_profiles.c.search_text)).where(
            lead_profiles.c.user_id == USER, lead_profiles.c.customer_phone == PHONE
        )
        conditions.append(profile.scalar_subquery())
    found = (
        select(leads.c.document).where(leads.c.user_id == USER, leads.c.customer_phone == PHONE, *conditions)
    ).cte("found")
    return _Parts(_count(found), [_documents(_cut(shape).of(select(found.c.document)))])


def _by_search(shape: Shape) -> _Parts:
    """All matches are counted, and the page is cut from them."""
    ways = [_matches(shape, lead_profiles, lead_profiles.c.search_text)]
    if any(shape.words) or shape.digits:
        # An index of all tenants is no help to one of a few leads, which are read sooner. What is appended to the text
        # hides it from the index.
        few = tables.lead_profiles.alias("few")
        is_small = _everything() <= literal_column(str(SMALL_TENANT), Integer)
        read = _matches(shape, few, few.c.search_text + literal_column("''", Text)).where(is_small)
        ways = [ways[0].where(not_(is_small)), read]
    matches = (union_all(*ways) if len(ways) > 1 else ways[0]).cte("matches")
    return _Parts(_count(matches), [_page_of(shape, matches, _cut(shape))])


def _matches(shape: Shape, profile: FromClause, text: ColumnElement[str]) -> Select[Any]:
    """The phones of the leads that match a search, and what they are ordered by."""
    sort = shape.sort
    key = profile.c[sort.key] if sort.table is lead_profiles else looked_up(leads.c[sort.key], profile, leads)
    return select(profile.c.customer_phone, key.label("key")).where(
        profile.c.user_id == USER, _search(shape, profile, text), *_conditions(shape, profile)
    )


def _by_order(shape: Shape) -> _Parts:
    """The page in the order of its index; where it lies far or few leads match, by a way that reads no others."""
    if not (shape.offset or shape.filtered):
        return _Parts(_everything(), _in_order(shape, _cut(shape), true()))
    counts = _counts(shape)
    total = select(counts.c.total).scalar_subquery()
    by_time = shape.sort_by == "last_message_at"
    by_counts = shape.few or (shape.far and by_time)
    few = _are_few(shape, counts) if shape.filtered and not by_counts else false()
    inside = counts.c.total > OFFSET if shape.offset else true()
    choice = select(
        case((and_(inside, not_(few)), LIMIT), else_=NONE).label("limit"),
        few.label("few"),
        counts.c.dense,
        *([case((inside, OFFSET), else_=NONE).label("offset")] if shape.offset else []),
    ).cte("choice")
    chosen = {column.key: select(column).scalar_subquery() for column in choice.c}
    cut = _Cut(chosen["limit"], chosen.get("offset"))
    if not by_counts:
        return _Parts(total, _in_order(shape, cut, chosen["dense"]), chosen["few"])
    return _Parts(total, _by_time(shape, cut) if by_time else [_collected(shape, cut)])


def _are_few(shape: Shape, counts: CTE) -> ColumnElement[bool]:
    """Whether to read all that match is less than to read leads in order until the page ends.

    One lead in everything / total matches: the page ends some (offset + limit) * everything / total leads on. To
    collect is to look up each match, and to pass by entries of an index, which is an eighth as dear.
    """
    total, everything = counts.c.total, counts.c.everything
    few: ColumnElement[bool] = total < literal_column(str(FEW_MATCHES), Integer)
    if shape.offset:
        passed_by = everything // literal_column("8", Integer)
        few = or_(few, total * (total + passed_by) < (OFFSET + LIMIT) * everything)
    return and_(few, everything > literal_column(str(MANY_LEADS), Integer))


def _in_order(shape: Shape, cut: _Cut, dense: ColumnElement[bool]) -> list[Printed]:
    """The page as the index of its sort has it."""
    sort, direction = shape.sort, shape.sort_order
    rows = _keys(shape, sort.table)
    order = sort.order(sort.table.c, direction)
    if not _has_nulls(shape) or direction == sort.nulls_last:
        page = []
        if sort.table is leads and cut.offset is None:
            documents = rows.with_only_columns(leads.c.document).order_by(*order)
            if not shape.narrowed:
                return [_documents(cut.of(documents))]
            page.append(_documents(cut.if_(dense).of(documents)))
            cut = cut.if_(not_(dense))
        keys = cut.of(rows.order_by(*order)).subquery("keys")
        return [*page, Printed(keys, document_of(keys))]
    # In this direction the index has the leads without a value first, and the page wants them last.
    with_value = rows.where(sort.table.c[sort.key].is_not(None))
    taken = cut.of(with_value.order_by(*order)).cte("with_value")
    return [
        Printed(taken, document_of(taken)),
        _without_value(shape, cut, taken, _count(with_value.subquery())),
    ]


def _documents(rows: Select[Any]) -> Printed:
    page = rows.subquery("documents")
    return Printed(page, page.c.document)


def _by_time(shape: Shape, cut: _Cut) -> list[Printed]:
    """The page by last_message_at, of the days or hours that it lies in."""
    direction, slices = shape.sort_order, _slices(shape)
    begins = slices.c.begins
    reached = func.sum(slices.c.matches).over(order_by=begins.desc() if direction == "desc" else begins.asc())
    running = select(slices, cast(reached, BigInteger).label("reached")).cte("running")
    before = running.c.reached - running.c.matches
    offset = NONE if cut.offset is None else cut.offset
    picked = (
        select(running.c.begins, running.c.ends, before.label("before"))
        .where(running.c.reached > offset, before < offset + cut.limit)
        .cte("picked")
    )
    in_slice = _in_slice(shape, picked)
    before_page = select(func.min(picked.c.before)).scalar_subquery()
    # An offset is worked out even where the limit is 0, and would add up the days for nothing.
    skipped = case((cut.limit > NONE, offset - before_page), else_=NONE)
    rows = select(in_slice.c.customer_phone).select_from(picked.join(in_slice, true()))
    ordered = rows.order_by(*Sort(leads, "last_message_at").order(in_slice.c, direction))
    taken = ordered.limit(cut.limit).offset(skipped).cte("in_slices")
    page = [Printed(taken, document_of(taken))]
    if not shape.bounded:
        with_value = select(sum_of(slices.c.matches)).scalar_subquery()
        page.append(_without_value(shape, cut, taken, with_value))
    return page


def _collected(shape: Shape, cut: _Cut) -> Printed:
    """The page cut from all matches, where these are few: read from the days or hours that have any."""
    sort, slices = shape.sort, _slices(shape)
    in_slice = _in_slice(shape, slices)
    wanted = cut.limit > NONE
    found: SelectBase = (
        select(in_slice.c.customer_phone)
        .select_from(slices.join(in_slice, true()))
        .where(slices.c.matches > NONE, wanted)
    )
    if not shape.bounded:
        without_time = _keys(shape, leads).where(leads.c.last_message_at.is_(None), wanted)
        found = union_all(found, without_time.with_only_columns(leads.c.customer_phone))
    phones = found.cte("phones")
    key = looked_up(sort.table.c[sort.key], phones, sort.table)
    return _page_of(shape, select(phones.c.customer_phone, key.label("key")).cte("matches"), cut)


def _in_slice(shape: Shape, slices: FromClause) -> FromClause:
    """The matching leads of the stretch at hand."""
    in_time = between(leads.c.last_message_at, slices.c.begins, slices.c.ends)
    # No stretch reaches beyond the bounds, so that these need not be asked for.
    rows = select(leads.c.customer_phone, leads.c.last_message_at).where(
        leads.c.user_id == USER, *_facets(shape, leads.c), in_time
    )
    # An offset keeps it the inner side of a loop over the stretches.
    return rows.correlate(slices).offset(NONE).lateral("in_slice")


def _page_of(shape: Shape, matches: CTE, cut: _Cut) -> Printed:
    """The page of matches with their key."""
    first, second = matches.c.key, matches.c.customer_phone
    order = (first.desc(), second.desc()) if shape.sort_order == "desc" else (first.asc(), second.asc())
    keys = cut.of(select(second).order_by(order[0].nulls_last(), order[1])).subquery("keys")
    return Printed(keys, document_of(keys))


def _without_value(shape: Shape, cut: _Cut, taken: FromClause, with_value: ColumnElement[int]) -> Printed:
    """What of the page lies among the leads without a value, who come after all those with one."""
    sort = shape.sort
    offset = None
    if cut.offset is not None:
        no_need_to_count = or_(cut.limit <= NONE, _count(taken) > NONE)
        offset = case((no_need_to_count, NONE), else_=func.greatest(cut.offset - with_value, NONE))
    rows = _keys(shape, sort.table).where(sort.table.c[sort.key].is_(None))
    rest = _Cut(func.greatest(cut.limit - _count(taken), NONE), offset)
    keys = rest.of(rows.order_by(*sort.order(sort.table.c, shape.sort_order))).subquery("keys_without_value")
    return Printed(keys, document_of(keys))


def _cut(shape: Shape) -> _Cut:
    return _Cut(LIMIT, OFFSET if shape.offset else None)


# Totals


def _counts(shape: Shape) -> CTE:
    """How many leads match (total), how many there are (everything), and whether many of all match (dense)."""
    # Sums, because a tenant without a lead has no row.
    everything = sum_of(all_leads.c.leads)
    total: ColumnElement[int]
    if not shape.by_day:
        total = matching = sum_of(_of_span(shape, all_leads))
    elif not shape.bounded:
        # As a filter of the sum: to search the index for what stands at its end is dearer than to read these few rows.
        combinations = lead_counts.c
        sum_over_them = sum_of(combinations.leads, and_(*_facets(shape, combinations)))
        found = select(sum_over_them.label("total")).where(combinations.user_id == USER).cte("found")
        total = matching = select(found.c.total).scalar_subquery()
    else:
        # Nothing tells but what would take longer than it saves.
        matching = NONE
    if shape.bounded:
        total = select(sum_of(_slices(shape).c.matches)).scalar_subquery()
    dense = matching * literal_column(str(DENSE), Integer) >= everything
    counts = select(total.label("total"), everything.label("everything"), dense.label("dense"))
    return counts.where(is_of_all_leads()).cte("counts")


def _of_span(shape: Shape, spans: FromClause) -> ColumnElement[int]:
    """How many leads of a span match the one filter, or all of them without one."""
    of = spans.c
    if shape.platforms:
        [platform] = shape.platforms
        return of[f"on_{platform}"]
    if shape.statuses:
        return reduce(add, (of[status.lower()] for status in shape.statuses))
    for name, counted in (("has_extraction", of.with_extraction), ("has_email", of.with_email)):
        if name in shape.facets:
            return case((bindparam(name), counted), else_=of.leads - counted)
    return of.leads


def _everything() -> ColumnElement[int]:
    """How many leads the tenant has."""
    return func.coalesce(select(all_leads.c.leads).where(is_of_all_leads()).scalar_subquery(), NONE)


@lru_cache(maxsize=512)
def _slices(shape: Shape) -> CTE:
    """Stretches of time with the leads that match in them: whole units as counted, edges by the index."""
    if not shape.bounded:
        return (_by_day(shape) if shape.by_day else _by_span(shape, "hour")).cte("slices")
    if shape.by_day:
        whole = [_by_day(shape)]
    elif shape.far:
        # The page is looked for in slices: the shorter these are, the fewer leads are read before it.
        whole = [_by_span(shape, "hour", "first", "end")]
    else:
        whole = [
            _by_span(shape, "hour", "first", "first_day"),
            _by_span(shape, "day", "first_day", "end_day"),
            _by_span(shape, "hour", "end_day", "end"),
        ]
    return union_all(*whole, _edges(shape)).cte("slices")


def _by_day(shape: Shape) -> Select[Any]:
    """The days in which leads of the facets were last active: all of them, or those within the bounds."""
    day = lead_daily_counts.c.day
    next_day = day + literal_column("1", Integer)
    in_window = [between(day, moment("first_day"), moment("end_day"))] if shape.bounded else []
    return (
        select(
            func.timezone(UTC_NAME, cast(day, DateTime)).label("begins"),
            func.timezone(UTC_NAME, cast(next_day, DateTime)).label("ends"),
            func.sum(lead_daily_counts.c.leads).label("matches"),
        )
        .where(lead_daily_counts.c.user_id == USER, *_facets(shape, lead_daily_counts.c), *in_window)
        .group_by(day)
    )


def _by_span(shape: Shape, span: str, *stretch: str) -> Select[Any]:
    """The days or hours in which leads were last active: all of them, or those from one moment to before another."""
    begins = lead_totals.c.bucket_start
    ends = begins + literal_column(f"'1 {span}'", Interval)
    in_stretch = [between(begins, *map(moment, stretch))] if stretch else []
    matches = _of_span(shape, lead_totals).label("matches")
    return select(begins.label("begins"), ends.label("ends"), matches).where(
        in_span(lead_totals, span), *in_stretch
    )


def _edges(shape: Shape) -> Select[Any]:
    """Both edges of the bounds, with the matching leads in them, counted in the index."""
    moments = [(moment("begins"), moment("first")), (moment("end"), moment("ends"))]
    edge = values(column("begins"), column("ends"), name="e").data(moments)
    conditions = [between(leads.c.last_message_at, edge.c.begins, edge.c.ends), *_facets(shape, leads.c)]
    counted = select(func.count()).select_from(leads).where(leads.c.user_id == USER, *conditions)
    return select(edge.c.begins, edge.c.ends, counted.correlate(edge).scalar_subquery().label("matches"))


def _count(rows: FromClause) -> ScalarSelect[int]:
    return select(func.count()).select_from(rows).scalar_subquery()


# Filters


def _has_nulls(shape: Shape) -> bool:
    """Whether leads without a value of the sort can match."""
    excluded = {
        "last_message_at": shape.bounded,
        "total_score": bool(shape.facets & {"min_total_score", "max_total_score"}),
    }
    return shape.sort.nullable and not excluded.get(shape.sort_by, False)


def _keys(shape: Shape, table: FromClause) -> Select[Any]:
    """Keys of the leads that match, from the table that has the sort."""
    columns = [table.c.customer_phone]
    if table is leads:
        columns.append(leads.c.last_message_at)
    return select(*columns).where(table.c.user_id == USER, *_conditions(shape, table))


def _conditions(shape: Shape, table: FromClause) -> list[Condition]:
    """The filters by facet and time, on leads or on lead_profiles."""
    if table is leads:
        return [*_facets(shape, leads.c), *_in_time(shape)]
    own = [condition for name, condition in _FACETS.items() if name in shape.facets - {"has_email"}]
    conditions: list[Condition] = [condition(table.c) for condition in own]
    if "has_email" in shape.facets:
        conditions.append(table.c.email.is_not(None) == bindparam("has_email"))
    # What only the lead itself knows is one look at it, never a join.
    of_lead = [*_on_platforms(shape, leads.c), *_in_time(shape)]
    if of_lead:
        conditions.append(looked_up(and_(*of_lead), table, leads))
    return conditions


def _facets(shape: Shape, columns: Any) -> list[Condition]:  # noqa: ANN401
    """The filters by facet, on a table that has all their columns."""
    chosen = [condition(columns) for name, condition in _FACETS.items() if name in shape.facets]
    return [*chosen, *_on_platforms(shape, columns)]


def _on_platforms(shape: Shape, columns: Any) -> list[Condition]:  # noqa: ANN401
    return [or_(*(columns[f"on_{platform}"] for platform in shape.platforms))] if shape.platforms else []


def _in_time(shape: Shape) -> list[Condition]:
    bounds = (moment("begins"), moment("ends"))
    return [between(leads.c.last_message_at, *bounds)] if shape.bounded else []


def _search(shape: Shape, profile: FromClause, text: ColumnElement[str]) -> Condition:
    """Every word occurs; or, where the whole search is a phone, its digits occur in the phone."""
    conditions = []
    for number, indexed in enumerate(shape.words):
        word = func.lower(bindparam(f"word_{number}", type_=Text))
        # LIKE would have the index read from end to end for a word that it does not know.
        conditions.append(text.like(word) if indexed else func.strpos(text, word) > NONE)
    words = and_(*conditions)
    if shape.digits is None:
        return words
    digits = bindparam("digits", type_=Text)
    in_phone = func.strpos(profile.c.customer_phone, digits) > NONE
    # The text is what the index knows; that they occur in the phone has to be seen besides.
    return or_(words, and_(text.contains(digits), in_phone) if shape.digits else in_phone)
