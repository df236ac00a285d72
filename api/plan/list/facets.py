"""The statement of GET /users/{user_id}/leads/facets: how many leads have each value of a filter, beside the others.

A count that the read model keeps is read from there. The others come from one pass over the leads that pass the filters
which every facet has.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from operator import add

from sqlalchemy import ColumnElement, FromClause, Select, SelectBase, Text, and_, cast, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.database.statement import BoundStatement, Freshness
from api.plan.list.counts import matches_on_leads
from api.plan.list.filters import (
    FILTERS,
    TIME_RANGE,
    GivenFilter,
    conditions,
    conditions_on_facets,
    is_counted_as_facet,
)
from api.plan.list.pages import all_matches
from api.plan.list.plan import ListPlan, plan_list
from api.plan.sql import (
    USER,
    WHITE_SPACE,
    Condition,
    constant_text,
    freshness_columns,
    is_tenant_total,
    json_members,
    lead_conversations,
    lead_counts,
    leads,
    sum_of,
    tenant_totals,
)
from api.plan.time_buckets import DAYS, stands_until
from api.request.lead import LEAD_STATUSES, PLATFORMS, SENDERS
from api.request.parameters import FACETS, Parameters

_MAX_CACHED_STATEMENTS = 256
# Its values are those that the conversations have.
_AGENT = "agent_id"


# For each filter its values, and what a request that gives one changes of the statement's text.
_VALUES: Mapping[str, Mapping[str, Hashable]] = {
    "lead_status": {word: (word,) for word in LEAD_STATUSES},
    "platform": {word: (word,) for word in PLATFORMS},
    "has_email": {"true": True, "false": False},
    "last_message_sender": {word: word for word in SENDERS},
}


@dataclass(slots=True)
class FacetsRow(Freshness):
    """How many leads pass all filters, and the counts as a JSON object. `stands_until` is as in a list."""

    total: int
    facets: bytes
    stands_until: datetime | None


def lead_facets(
    user_id: str, parameters: Parameters, now: datetime | None = None
) -> BoundStatement[FacetsRow]:
    """Return the statement of the facets. `now` is as in plan_list."""
    plan, values = plan_list(parameters, now)
    statement = _statement(plan.filters, parameters.facets or FACETS)
    return BoundStatement(statement, FacetsRow, {"user_id": user_id, **values})


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _statement(filters: tuple[GivenFilter, ...], names: tuple[str, ...]) -> SelectBase:
    asked = {"total": filters} | {
        f"{facet}_{word}": (*_without(filters, (facet,)), GivenFilter(facet, shape))
        for facet in names
        for word, shape in _VALUES.get(facet, {}).items()
    }
    # What every facet has.
    shared = _without(filters, _VALUES)
    counted = {name: _count(of_facet, shared) for name, of_facet in asked.items()}
    # Each row is read once for all counts that it gives.
    rows = [
        select(*(count.label(name) for name, (source, count) in counted.items() if source is table))
        .select_from(table)
        .where(*where)
        .subquery()
        for table, where in (
            (tenant_totals, [is_tenant_total()]),
            (lead_counts, [lead_counts.c.user_id == USER]),
            (leads, _on_leads(shared)),
        )
        if any(source is table for source, _ in counted.values())
    ]
    counts = {name: column for row in rows for name, column in row.c.items()}
    objects: list[ColumnElement[str]] = []
    for facet in names:
        opening = constant_text(f'{"," if objects else "{"}"{facet}":{{')
        words = {word: counts[f"{facet}_{word}"] for word in _VALUES.get(facet, {})}
        members = json_members(**words) if words else _agents(filters)
        others = _other_platforms(filters) if facet == "platform" else constant_text("")
        objects.append(opening + members + others + constant_text("}"))
    printed = reduce(add, objects) + constant_text("}")
    until = stands_until(*(DAYS for filter_ in filters if filter_.name == TIME_RANGE))
    head = (*freshness_columns(), counts["total"].label("total"), printed.label("facets"), until)
    return select(*head).select_from(*rows)


def _count(
    filters: tuple[GivenFilter, ...], shared: Sequence[GivenFilter]
) -> tuple[FromClause, ColumnElement[int]]:
    """Return how many leads pass these filters, by the rows of a table: of `leads` those that pass what is shared."""
    plan = _plan(filters)
    matches = None if plan.has_time_range else plan.matches(tenant_totals)
    if matches is not None:
        return tenant_totals, sum_of(matches)
    if all(map(is_counted_as_facet, filters)):
        return lead_counts, sum_of(lead_counts.c.leads, and_(*conditions_on_facets(filters, lead_counts.c)))
    own = conditions([filter_ for filter_ in filters if filter_ not in shared], leads)
    total = func.count()
    return leads, total.filter(and_(*own)) if own else total


def _on_leads(shared: Sequence[GivenFilter]) -> list[Condition]:
    own = [leads.c.user_id == USER]
    if all(FILTERS[filter_.name].on_leads is not None and filter_.name != _AGENT for filter_ in shared):
        return [*own, *conditions(shared, leads)]
    return [*own, leads.c.customer_phone.in_(_phones(shared, "found"))]


def _plan(filters: Sequence[GivenFilter]) -> ListPlan:
    return ListPlan("name", "asc", has_offset=False, is_far=False, filters=tuple(filters))


def _phones(filters: Sequence[GivenFilter], name: str) -> Select[tuple[str]]:
    """Return the phones of the leads that pass, as a list finds them."""
    plan = _plan(filters)
    if plan.search is None:
        return matches_on_leads(plan)
    return select(all_matches(plan, name).c.customer_phone)


def _agents(filters: Sequence[GivenFilter]) -> ColumnElement[str]:
    """Return the members of the object that has each agent with its leads."""
    others = _without(filters, (_AGENT,))
    pairs = select(lead_conversations.c.agent_id, lead_conversations.c.customer_phone).where(
        lead_conversations.c.user_id == USER
    )
    if others:
        pairs = pairs.where(lead_conversations.c.customer_phone.in_(_phones(others, "of_agents")))
    pair = pairs.distinct().subquery("pair")
    agents = select(pair.c.agent_id, func.count().label("leads")).group_by(pair.c.agent_id).subquery("agents")
    member = cast(func.to_json(agents.c.agent_id), Text) + constant_text(":") + cast(agents.c.leads, Text)
    # A value that has white space at its ends can be asked for by no request.
    can_be_asked = (agents.c.agent_id != constant_text("")) & (
        agents.c.agent_id == func.btrim(agents.c.agent_id, WHITE_SPACE)
    )
    members = select(func.string_agg(member, constant_text(","))).where(can_be_asked)
    return func.coalesce(members.scalar_subquery(), constant_text(""))


def _other_platforms(filters: Sequence[GivenFilter]) -> ColumnElement[str]:
    """Return further members: each platform that has no column with its leads, bytewise."""
    others = _without(filters, ("platform",))
    word = func.unnest(leads.c.other_platforms).label("word")
    found = select(word).where(leads.c.user_id == USER, leads.c.other_platforms.is_not(None))
    if others:
        found = found.where(leads.c.customer_phone.in_(_phones(others, "of_platforms")))
    of_lead = found.subquery("of_lead")
    counted = select(of_lead.c.word, func.count().label("leads")).group_by(of_lead.c.word).subquery("words")
    member = constant_text(',"') + counted.c.word + constant_text('":') + cast(counted.c.leads, Text)
    in_order = aggregate_order_by(constant_text(""), counted.c.word)
    members = select(func.string_agg(member, in_order))
    return func.coalesce(members.scalar_subquery(), constant_text(""))


def _without(filters: Sequence[GivenFilter], names: Collection[str]) -> list[GivenFilter]:
    return [filter_ for filter_ in filters if filter_.name not in names]
