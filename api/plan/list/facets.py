"""The statement of GET /users/{user_id}/leads/facets: how many leads have each value of a filter.

Counts that the read model keeps are read from there. The others come from one pass over the leads that pass the filters
which all facets share.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    SelectBase,
    Text,
    and_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.database.statement import BoundStatement, Freshness
from api.plan.attributes import FacetShape, counted_values
from api.plan.list.counts import count_by_clock, matches_on_leads
from api.plan.list.filters import (
    FILTERS,
    OF_PROFILES,
    OF_THEIR_CONVERSATIONS,
    GivenFilter,
    conditions,
    conditions_on_facets,
    is_counted_as_facet,
    moments_of,
)
from api.plan.list.pages import all_matches
from api.plan.list.plan import ListPlan, plan_list
from api.plan.sql import (
    USER,
    WHITE_SPACE,
    Condition,
    constant,
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
from api.plan.time_buckets import stands_until
from api.request.lead import LEAD_STATUSES, PLATFORMS, SENDERS
from api.request.parameters import ATTRIBUTE_FACET, FACETS, FURTHER_FACETS, REPLY_WINDOWS, Parameters

_MAX_CACHED_STATEMENTS = 256
# Its values are those of the conversations.
_AGENT = "agent_id"


# The values of each filter, and the part of each that changes the statement's text.
_VALUES: Mapping[str, Mapping[str, Hashable]] = {
    "lead_status": {word: (word,) for word in LEAD_STATUSES},
    "platform": {word: (word,) for word in PLATFORMS},
    "has_email": {"true": True, "false": False},
    "last_message_sender": {word: word for word in SENDERS},
    "reply_window": {word: word for word in REPLY_WINDOWS},
}


@dataclass(slots=True)
class FacetsRow(Freshness):
    """How many leads pass all filters, and the counts as a JSON object. `stands_until` is as in ListRow."""

    total: int
    facets: bytes
    stands_until: datetime | None


def lead_facets(user_id: str, parameters: Parameters) -> BoundStatement[FacetsRow]:
    """Return the statement of the facets."""
    plan, values = plan_list(parameters)
    names = tuple(name for name in FURTHER_FACETS if name in (parameters.facets or FACETS))
    facets: list[FacetShape] = []
    for at, facet in enumerate(parameters.attribute_facets):
        values[f"facet_{at}"] = facet.name
        own = _own_conditions(parameters, facet.name)
        facets.append(FacetShape(facet.levels, facet.is_list, facet.is_declared, own))
    statement = _statement(plan.filters, names, tuple(facets), parameters.include)
    return BoundStatement(statement, FacetsRow, {"user_id": user_id, **values})


def _own_conditions(parameters: Parameters, name: str) -> frozenset[tuple[str, int]]:
    """Return the conditions on the values of an attribute: the name of the filter, and the place in it."""
    return frozenset(
        (filter_name, at)
        for filter_name in (OF_PROFILES, OF_THEIR_CONVERSATIONS)
        for at, condition in enumerate(FILTERS[filter_name].value(parameters) or ())
        if condition.name == name and condition.alternatives
    )


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _statement(
    filters: tuple[GivenFilter, ...],
    names: tuple[str, ...],
    attribute_facets: tuple[FacetShape, ...],
    include: tuple[str, ...],
) -> SelectBase:
    asked = {"total": filters} | {
        f"{facet}_{word}": (*_without(filters, (facet,)), GivenFilter(facet, shape))
        for facet in names
        for word, shape in _VALUES.get(facet, {}).items()
    }
    # The filters that all facets share.
    shared = _without(filters, _VALUES)
    counted = {name: _count(of_facet, shared) for name, of_facet in asked.items()}
    # Each row is read once for all its counts. For a tenant without leads only an aggregate returns a row.
    rows = [
        select(
            func.count().label("read"),
            *(count.label(name) for name, (source, count) in counted.items() if source is table),
        )
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
    agents = _agents(filters)
    objects: list[ColumnElement[str]] = []
    for facet in names:
        words = {word: counts[f"{facet}_{word}"] for word in _VALUES.get(facet, {})}
        members = json_members(**words) if words else _by_agent(agents, agents.c.leads)
        if facet == "platform":
            members += _other_platforms(filters)
        objects.append(constant_text(f'"{facet}":{{') + members + constant_text("}"))
    for at, shape in enumerate(attribute_facets):
        name = bindparam(f"facet_{at}", type_=Text)
        opening = cast(func.to_json(constant_text(ATTRIBUTE_FACET) + name), Text) + constant_text(":{")
        members = counted_values(shape, name, _phones_beside(filters, shape, at))
        objects.append(opening + members + constant_text("}"))
    if "agent_names" in include:
        named = _by_agent(agents, _name_of(agents))
        objects.append(constant_text('"agent_names":{') + named + constant_text("}"))
    joined = reduce(lambda before, after: before + constant_text(",") + after, objects)
    printed = constant_text("{") + joined + constant_text("}")
    windows = [GivenFilter("reply_window", "open")] if "reply_window" in names else []
    until = stands_until(*moments_of([*filters, *windows]))
    head = (*freshness_columns(), counts["total"].label("total"), printed.label("facets"), until)
    return select(*head).select_from(*rows)


def _count(
    filters: tuple[GivenFilter, ...], shared: Sequence[GivenFilter]
) -> tuple[FromClause, ColumnElement[int]]:
    """Return the table whose rows count the leads that pass these filters, and the count.

    If the table is `leads`, its rows are those that pass the shared filters.
    """
    if (by_clock := count_by_clock(filters)) is not None:
        return tenant_totals, by_clock
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


def _phones_beside(filters: tuple[GivenFilter, ...], shape: FacetShape, at: int) -> Select[tuple[str]] | None:
    """Return the phones of the leads that pass all filters except those on the attribute itself; None for all leads."""
    others: list[GivenFilter] = []
    for filter_ in filters:
        if filter_.name in (OF_PROFILES, OF_THEIR_CONVERSATIONS):
            kept = tuple(part for part in filter_.shape if (filter_.name, part.at) not in shape.own)
            others += [filter_._replace(shape=kept)] if kept else []
        else:
            others.append(filter_)
    return _phones(others, f"of_facet_{at}") if others else None


def _agents(filters: Sequence[GivenFilter]) -> CTE:
    """Return each agent with the number of its leads."""
    others = _without(filters, (_AGENT,))
    pairs = select(lead_conversations.c.agent_id, lead_conversations.c.customer_phone).where(
        lead_conversations.c.user_id == USER
    )
    if others:
        pairs = pairs.where(lead_conversations.c.customer_phone.in_(_phones(others, "of_agents")))
    pair = pairs.distinct().subquery("pair")
    # The API trims values, so no request can ask for one with white space at its ends.
    can_be_asked = (pair.c.agent_id != constant_text("")) & (
        pair.c.agent_id == func.btrim(pair.c.agent_id, WHITE_SPACE)
    )
    agents = select(pair.c.agent_id, func.count().label("leads")).where(can_be_asked)
    return agents.group_by(pair.c.agent_id).cte("agents")


def _by_agent(agents: CTE, value: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the members of an object with a value for each agent."""
    printed = func.coalesce(cast(func.to_json(value), Text), constant_text("null"))
    member = cast(func.to_json(agents.c.agent_id), Text) + constant_text(":") + printed
    members = select(func.string_agg(member, constant_text(","))).select_from(agents)
    return func.coalesce(members.scalar_subquery(), constant_text(""))


def _name_of(agents: CTE) -> ColumnElement[str]:
    """Return the agent's name in its first conversation, by the index that also counts its leads."""
    conversation = lead_conversations.c
    named = select(conversation.agent_name).where(
        conversation.user_id == USER, conversation.agent_id == agents.c.agent_id
    )
    return named.order_by(conversation.customer_phone).limit(constant(1)).correlate(agents).scalar_subquery()


def _other_platforms(filters: Sequence[GivenFilter]) -> ColumnElement[str]:
    """Return further members: each platform without a column of its own with its leads, in bytewise order."""
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
