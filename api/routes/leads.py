"""The four endpoints of the Leads API."""

from typing import TypeVar

import orjson
from flask import Blueprint, Response

from api import current
from api.plan.lead import single_lead as plan_lead
from api.plan.lead_list import list_leads as plan_list
from api.plan.messages import messages_of_lead as plan_messages
from api.plan.statistics import StatisticsRow
from api.plan.statistics import lead_statistics as plan_statistics
from api.request.parameters import COMMON_QUERY, LIST_QUERY, MESSAGES_QUERY, PLATFORMS, Query
from api.request.text import canonical_phone
from api.response.conditional import answer
from api.response.errors import LeadNotFoundError
from api.response.pagination import pagination, rows_of
from api.routes.read_model import read_model

leads = Blueprint("leads", __name__, url_prefix="/users/<user_id>/leads")

Result = TypeVar("Result")


@leads.get("")
def list_leads(user_id: str) -> Response:
    """List the leads with filters, an order and pagination."""
    parameters = _parameters(LIST_QUERY)
    row = read_model().fetch(plan_list(user_id, parameters, current.values().now), parameters.min_as_of)
    if row.collect_matches:
        collected = plan_list(user_id, parameters, current.values().now, collect_matches=True)
        row = read_model().fetch(collected, parameters.min_as_of)
    current.values().rows = rows_of(parameters.page, row.total)
    pages = pagination(parameters.page, row.total)
    # Whoever is active in the last days of one moment is so in those of an earlier one too. So while no lead changes,
    # as many of them are the same.
    return answer(b"[%b]" % row.page, pages, moving=pages if parameters.moves_with_the_clock else b"")


@leads.get("/stats")
def lead_statistics(user_id: str) -> Response:
    """Count the leads of a tenant."""
    parameters = _parameters(COMMON_QUERY)
    row = read_model().fetch(plan_statistics(user_id, current.values().now), parameters.min_as_of)
    current.values().rows = 1
    numbers = _statistics(row)
    return answer(numbers, moving=numbers)


@leads.get("/<customer_phone>")
def single_lead(user_id: str, customer_phone: str) -> Response:
    """Print the lead of a phone."""
    parameters = _parameters(COMMON_QUERY)
    row = read_model().fetch(plan_lead(user_id, _phone(customer_phone)), parameters.min_as_of)
    document = _found(row.document)
    current.values().rows = 1
    return answer(document)


@leads.get("/<customer_phone>/messages")
def messages_of_lead(user_id: str, customer_phone: str) -> Response:
    """List the messages of a lead across its conversations."""
    parameters, phone = _parameters(MESSAGES_QUERY), _phone(customer_phone)
    row = read_model().fetch(plan_messages(user_id, phone, parameters), parameters.min_as_of)
    data = b'{"customer_phone":%b,"lead_info":%b,"messages":[%b],"pagination":%b}' % (
        orjson.dumps(phone),
        _found(row.lead_info),
        row.page,
        pagination(parameters.page, row.total),
    )
    current.values().rows = rows_of(parameters.page, row.total)
    return answer(data)


def _parameters(query: Query[Result]) -> Result:
    return query.read(current.request().environ.get("QUERY_STRING", ""))


def _phone(customer_phone: str) -> str:
    """Returns the canonical phone of a path. Raises LeadNotFoundError for `stats`, which names the statistics."""
    phone = canonical_phone(customer_phone)
    if phone == "stats":
        raise LeadNotFoundError
    return phone


def _found(document: bytes | None) -> bytes:
    if document is None:
        raise LeadNotFoundError
    return document


def _statistics(row: StatisticsRow) -> bytes:
    return orjson.dumps(
        {
            "total_leads": row.total_leads,
            "leads_with_extraction": row.leads_with_extraction,
            "hot_leads": row.hot_leads,
            "warm_leads": row.warm_leads,
            "cold_leads": row.cold_leads,
            "by_platform": {platform: getattr(row, platform) for platform in PLATFORMS},
            "leads_last_7_days": row.leads_last_7_days,
            "leads_last_30_days": row.leads_last_30_days,
        }
    )
