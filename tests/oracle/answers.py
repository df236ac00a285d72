"""What the four endpoints must answer, computed from the leads."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import unified_diff
from functools import total_ordering
from typing import Any, TypeVar

from tests.oracle.attributes import kind_of_value, printed_items
from tests.oracle.leads import PLATFORMS, Lead, Model
from tests.oracle.parameters import (
    INCLUDED,
    KEYS,
    LEAD_FILTERS,
    MESSAGE_FILTERS,
    MILLISECOND,
    OF_ALL,
    OF_FUNNEL,
    OF_HISTORY,
    OF_LIST,
    OF_MESSAGES,
    OF_SERIES,
    SAME_BOUND,
    Candidate,
    Pairs,
    Read,
    active_within,
    attribute_of_lead,
    has_broken_characters,
    is_number_range,
    milliseconds,
    names_of_no_attribute,
    read_parameters,
)
from tests.oracle.values import EPOCH, bytewise, canonical_phone, printed_time, trim

OK, BAD_REQUEST, NOT_FOUND = 200, 400, 404
DEFAULT_LIMIT = 50
# What a kind of value in JSON is called in the list of attributes.
KINDS = {"string": "text", "array": "list"}

Item = TypeVar("Item")


@total_ordering
@dataclass(frozen=True)
class Backwards:
    """A value in the opposite order."""

    value: Any

    def __lt__(self, other: "Backwards") -> bool:
        return bool(other.value < self.value)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body without timestamp and correlationId; of a 400, the names its message must hold."""

    status: int
    body: dict[str, Any]
    bad: frozenset[str] = frozenset()


LEAD_NOT_FOUND = Answer(NOT_FOUND, {"error": "Not Found", "message": "Lead not found"})


def list_leads(model: Model, user_id: str, params: Pairs, now: datetime) -> Answer:
    parameters = read_of_list(model, params)
    if refusal := _refusal(parameters, user_id):
        return refusal
    page, pagination = _page(places_of_leads(model, user_id, parameters.values, now), parameters.values)
    documents = [printed_lead(lead, parameters.values) for _, lead in page]
    return Answer(OK, {"success": True, "data": documents, "pagination": pagination})


def read_of_list(model: Model, params: Pairs) -> Read:
    """Read the parameters of the list: first by themselves, then by the attributes that there are."""
    parameters = read_parameters(OF_LIST, params)
    if parameters.refused:
        return parameters
    bad = names_of_no_attribute(parameters.values, model.declaration)
    return Read(parameters.values, frozenset(bad))


def places_of_leads(
    model: Model, user_id: str, values: Mapping[str, Any], now: datetime
) -> list[tuple[tuple[Any, ...], Lead]]:
    """Return the leads that pass the filters, in order, each after its sort key: those without one come last."""
    sort_by = str(values.get("sort_by", "last_message_at")).replace("created_at", "first_contact_at")
    towards = Backwards if values.get("sort_order", "desc") == "desc" else lambda value: value

    def place(lead: Lead) -> tuple[Any, ...]:
        value, phone = getattr(lead, sort_by), towards(bytewise(lead.customer_phone))
        key = bytewise(model.lower(value)) if sort_by == "name" and value is not None else value
        return (True, phone) if value is None else (False, towards(key), phone)

    further = {name: values[name] for name in ("ignore_accents", "became_days") if name in values}
    passing = [
        (place(lead), lead)
        for lead in model.of_tenant(user_id).values()
        if _passes(LEAD_FILTERS, values, Candidate(model, lead, now, **further))
    ]
    return sorted(passing, key=lambda pair: pair[0])


def stats(model: Model, user_id: str, params: Pairs, now: datetime) -> Answer:
    if refusal := _refusal(read_parameters(OF_ALL, params), user_id):
        return refusal
    leads = model.of_tenant(user_id).values()
    counted = _numbers(leads)
    numbers = {
        "total_leads": counted.pop("leads"),
        **counted,
        "leads_with_extraction": sum(lead.has_extraction for lead in leads),
        "leads_last_7_days": sum(active_within(lead, 7, now) for lead in leads),
        "leads_last_30_days": sum(active_within(lead, 30, now) for lead in leads),
    }
    return Answer(OK, {"success": True, "data": numbers})


def facets(
    model: Model, user_id: str, names: Iterable[str], params: Pairs, now: datetime
) -> dict[str, dict[str, int]]:
    """Count by each value of a filter: the total of the list with that value in place of the filter's own."""
    agents = {
        row.agent_id
        for lead in model.of_tenant(user_id).values()
        for row in lead.conversations
        if row.agent_id
    }
    values = {
        "lead_status": ("Hot", "Warm", "Cold"),
        "platform": {
            *PLATFORMS,
            *(word for lead in model.of_tenant(user_id).values() for word in lead.platforms),
        },
        # No request can contain a value with white space around it.
        "agent_id": [agent for agent in agents if agent == trim(agent)],
        "has_email": ("true", "false"),
        "last_message_sender": ("user", "agent"),
        "reply_window": ("open", "closed", "none"),
    }

    def total(name: str, value: str) -> int:
        others = [pair for pair in params if pair[0] != name]
        return int(list_leads(model, user_id, [*others, (name, value)], now).body["pagination"]["total"])

    return {name: {word: n for word in values[name] if (n := total(name, word))} for name in names}


def facet_of_attribute(model: Model, user_id: str, name: str, params: Pairs, now: datetime) -> dict[str, Any]:
    """Count the leads by each value of an attribute, beside the filters but that by its own values."""
    others = [pair for pair in params if pair[0] != f"attributes[{name}]"]
    values: Mapping[str, Any] = read_of_list(model, others).values
    counts: Counter[str] = Counter()
    for _, lead in places_of_leads(model, user_id, values, now):
        counts.update(
            {text for value in attribute_of_lead(model, lead, name) for text in printed_items(value)}
        )
    is_declared = model.declaration.type_of(name) is not None
    printed = {text: leads for text, leads in counts.items() if is_declared or not is_number_range(text)}
    most = sorted(printed.items(), key=lambda item: (-item[1], bytewise(item[0])))[:100]
    return {"values": dict(most), "distinct": len(counts)}


def attributes(model: Model, user_id: str) -> Answer:
    """List the attributes that are declared, and those that leads have from JSON, with the leads that have each."""
    declaration = model.declaration
    types = {"lead": declaration.lead, "conversation": declaration.conversation}
    rows = {
        (name, level): {
            "name": name,
            "type": type_,
            "of": level,
            "from": [*declaration.relations[name]],
            "leads": 0,
        }
        for level, own in types.items()
        for name, type_ in own.items()
    }
    kinds: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for lead in model.of_tenant(user_id).values():
        of_lead = {("lead", name): kind_of_value(value) for name, value in (lead.attributes or {}).items()}
        # A name with several kinds of values has the first kind.
        of_lead |= dict(
            sorted(
                (
                    (("conversation", name), kind_of_value(value))
                    for row in lead.conversations
                    for name, value in (row.attributes or {}).items()
                ),
                reverse=True,
            )
        )
        for (level, name), kind in of_lead.items():
            kinds[name, level][kind] += 1
    for (name, level), counts in kinds.items():
        printed = {KINDS.get(kind, kind): leads for kind, leads in counts.items()}
        most = min(printed, key=lambda kind: (-printed[kind], kind))
        made = {"name": name, "type": most, "of": level, "from": [*declaration.spreads.get(level, ())]}
        rows[name, level] = rows.get((name, level), made) | {"leads": sum(counts.values())}
    return Answer(OK, {"success": True, "data": [rows[key] for key in sorted(rows)]})


def series(model: Model, user_id: str, params: Pairs) -> Answer:
    parameters = read_parameters(OF_SERIES, params)
    values: Mapping[str, Any] = parameters.values
    start = next((values[name] for name in SAME_BOUND["from"] if name in values), None)
    end = next((values[name] for name in SAME_BOUND["to"] if name in values), None)
    by = values.get("by", "day")
    length, most = (timedelta(days=1), 1100) if by == "day" else (timedelta(hours=1), 336)
    if refusal := _refusal(parameters, user_id):
        return refusal
    if start is None or end is None:
        return Answer(BAD_REQUEST, {"error": "Bad Request"})
    step = length // MILLISECOND
    first, last = start.first // step, end.last // step
    if last - first >= most:
        return Answer(BAD_REQUEST, {"error": "Bad Request"})
    leads = model.of_tenant(user_id).values()
    buckets = [
        {
            "start": printed_time(EPOCH + number * length),
            "active": _numbers(
                (lead for lead in leads if _is_in(lead.last_message_at, number * step, step)),
                with_waiting="include" in values,
            ),
            "new": _numbers(lead for lead in leads if _is_in(lead.first_contact_at, number * step, step)),
            "messages": sum(
                _is_in(message.timestamp, number * step, step) for lead in leads for message in lead.messages
            ),
        }
        for number in range(first, last + 1)
    ]
    return Answer(OK, {"success": True, "data": {"by": by, "buckets": buckets}})


def _is_in(moment: datetime | None, start: int, length: int) -> bool:
    return moment is not None and start <= milliseconds(moment) < start + length


def _numbers(selected: Iterable[Lead], *, with_waiting: bool = False) -> dict[str, object]:
    leads = list(selected)
    waiting = {
        "waiting": sum(lead.waiting_since is not None for lead in leads),
        "with_reply_window": sum(lead.reply_window_ends_at is not None for lead in leads),
    }
    return {
        "leads": len(leads),
        **{
            f"{status.lower()}_leads": sum(lead.lead_status == status for lead in leads)
            for status in ("Hot", "Warm", "Cold")
        },
        "by_platform": {
            platform: sum(platform in lead.platforms for lead in leads) for platform in PLATFORMS
        },
        **(waiting if with_waiting else {}),
    }


def single(model: Model, user_id: str, customer_phone: str, *, include: bool = False) -> Answer:
    """Answer GET /users/:user_id/leads/:customer_phone (which the word `stats` never reaches)."""
    if refusal := _refusal(Read(), user_id, customer_phone):
        return refusal
    lead = _find(model, user_id, customer_phone)
    if lead is None:
        return LEAD_NOT_FOUND
    document = lead.with_attributes() if include else lead.document()
    return Answer(OK, {"success": True, "data": document})


def messages(model: Model, user_id: str, customer_phone: str, params: Pairs, now: datetime) -> Answer:
    parameters = read_parameters(OF_MESSAGES, params)
    if refusal := _refusal(parameters, user_id, customer_phone):
        return refusal
    lead = _find(model, user_id, customer_phone)
    if lead is None:
        return LEAD_NOT_FOUND
    by_id = {message.message_id: message for message in lead.messages}
    values = dict(parameters.values)
    for name in ("before", "after"):
        if name in values:
            named = by_id.get(str(values[name]))
            if named is None:
                return Answer(BAD_REQUEST, {"error": "Bad Request"}, frozenset({name}))
            values[name] = named
    if isinstance(days := values.get("days"), int):
        values["days"] = now - timedelta(hours=24 * days)
    chosen = [message for message in lead.messages if _passes(MESSAGE_FILTERS, values, message)]
    if values.get("sort_order") == "desc":
        chosen.reverse()
    page, pagination = _page(chosen, values)
    data = {
        "customer_phone": lead.customer_phone,
        "lead_info": {
            "name": lead.name,
            "email": lead.email,
            "company": lead.company,
            "lead_status": lead.lead_status,
            "total_score": lead.total_score,
        },
        "messages": [message.document() for message in page],
        "pagination": pagination,
    }
    return Answer(OK, {"success": True, "data": data})


def history(model: Model, user_id: str, customer_phone: str, params: Pairs) -> Answer:
    parameters = read_parameters(OF_HISTORY, params)
    if refusal := _refusal(parameters, user_id, customer_phone):
        return refusal
    lead = _find(model, user_id, customer_phone)
    if lead is None:
        return LEAD_NOT_FOUND
    page, pagination = _page([*reversed(lead.status_changes)], parameters.values)
    data = {
        "customer_phone": lead.customer_phone,
        "transitions": [row.document() for row in page],
        "pagination": pagination,
    }
    return Answer(OK, {"success": True, "data": data})


def funnel(model: Model, user_id: str, params: Pairs) -> Answer:
    parameters = read_parameters(OF_FUNNEL, params)
    if refusal := _refusal(parameters, user_id):
        return refusal
    values: Mapping[str, Any] = parameters.values
    leads = [
        lead
        for lead in model.of_tenant(user_id).values()
        if ("from_date" not in values or milliseconds(lead.first_contact_at) >= values["from_date"].first)
        and ("to_date" not in values or milliseconds(lead.first_contact_at) <= values["to_date"].last)
    ]
    by: dict[str, dict[str, object]] = {}
    if values.get("by") == "platform":
        by = {name: _funnel([lead for lead in leads if name in lead.platforms]) for name in PLATFORMS}
    elif values.get("by") == "agent":
        agents = {row.agent_id for lead in leads for row in lead.conversations}
        by = {
            name: _funnel([lead for lead in leads if name in {row.agent_id for row in lead.conversations}])
            for name in agents
        }
    parts = {f"by_{values['by']}": by} if "by" in values else {}
    return Answer(OK, {"success": True, "data": {**_funnel(leads), **parts}})


def _funnel(leads: Sequence[Lead]) -> dict[str, object]:
    steps = ("Cold", "Warm", "Hot")
    ever = {
        step: sum(any(row.lead_status == step for row in lead.status_changes) for lead in leads)
        for step in steps
    }
    now = {step: sum(lead.lead_status == step for lead in leads) for step in steps}
    hours = {
        step: _percentiles(
            [
                max((moment - lead.first_contact_at).total_seconds() / 3600, 0.0)
                for lead in leads
                if (moment := getattr(lead, f"first_{step.lower()}_at")) is not None and moment > EPOCH
            ]
        )
        for step in steps[1:]
    }
    now["none"] = len(leads) - sum(now.values())
    return {"leads": len(leads), "ever": ever, "now": now, "hours_to": hours}


def _percentiles(hours: list[float]) -> dict[str, float | None]:
    """Return the median and the 90th percentile, interpolated between two values."""
    values = sorted(hours)

    def at(part: float) -> float | None:
        if not values:
            return None
        rank = part * (len(values) - 1)
        low = int(rank)
        high = min(low + 1, len(values) - 1)
        return round(values[low] + (values[high] - values[low]) * (rank - low), 2)

    return {"p50": at(0.5), "p90": at(0.9)}


def _passes(
    filters: Mapping[str, Callable[[Any, Any], bool]], values: Mapping[str, Any], candidate: object
) -> bool:
    return all(selects(candidate, values[name]) for name, selects in filters.items() if name in values)


def differences(expected: Answer, status: int, body: Mapping[str, Any]) -> list[str]:
    """Return what differs from what is expected; for bodies, the differing lines of JSON."""
    if status != expected.status:
        return [f"status is {status} instead of {expected.status}: {body}"]
    lines = []
    kept = {key: value for key, value in body.items() if key not in {"timestamp", "correlationId"}}
    if len(kept) + 2 != len(body):
        lines.append("timestamp or correlationId is missing")
    if status == BAD_REQUEST:
        message = str(kept.pop("message", ""))
        lines += [
            f"the message does not name {name!r}: {message}"
            for name in sorted(expected.bad)
            if name not in message
        ]
    # 1 and True are equal in Python, but not in JSON.
    left, right = (json.dumps(body, sort_keys=True) for body in (expected.body, kept))
    if left == right:
        return lines
    # Comparing lines takes Python ten times as long.
    left_lines, right_lines = (
        json.dumps(body, indent=1, sort_keys=True).splitlines() for body in (expected.body, kept)
    )
    return [*lines, *unified_diff(left_lines, right_lines, "expected", "found", lineterm="")]


def _refusal(parameters: Read, *path: str) -> Answer | None:
    # The API refuses an unreadable path before it reads the query.
    if any(map(has_broken_characters, path)):
        return Answer(BAD_REQUEST, {"error": "Bad Request"})
    return Answer(BAD_REQUEST, {"error": "Bad Request"}, parameters.bad) if parameters.refused else None


def _find(model: Model, user_id: str, customer_phone: str) -> Lead | None:
    phone = canonical_phone(customer_phone)
    return None if phone is None else model.of_tenant(user_id).get(phone)


def _page(items: list[Item], values: Mapping[str, Any]) -> tuple[list[Item], dict[str, object]]:
    limit, offset = values.get("limit", DEFAULT_LIMIT), values.get("offset", 0)
    page = items[offset : offset + limit]
    return page, {
        "total": len(items),
        "limit": limit,
        "offset": offset,
        "hasMore": offset + len(page) < len(items),
    }


def printed_lead(lead: Lead, values: Mapping[str, Any]) -> dict[str, object]:
    """Print a lead with the requested keys, and what `include` adds."""
    keys = {
        *values.get("fields", KEYS),
        *(key for word in values.get("include", ()) for key in INCLUDED[word]),
    }
    document = lead.with_attributes() if "attributes" in keys else lead.document()
    return {key: value for key, value in (document | lead.moments()).items() if key in keys}
