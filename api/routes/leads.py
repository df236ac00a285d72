"""The endpoints of the Leads API."""

import json
from collections.abc import Sequence

import orjson
from flask import Blueprint, Response, request
from orjson import Fragment

from api.database.parts import unfilled_names
from api.plan.attributes import attributes_of_tenant as plan_attributes
from api.plan.attributes import printed_attributes
from api.plan.history import history_of_lead as plan_history
from api.plan.history import lead_funnel as plan_funnel
from api.plan.history import printed_funnel
from api.plan.lead import leads_of_phones
from api.plan.lead import messages_of_lead as plan_messages
from api.plan.lead import single_lead as plan_lead
from api.plan.list.facets import lead_facets as plan_facets
from api.plan.list.pages import list_leads as plan_list
from api.plan.statistics import lead_series as plan_series
from api.plan.statistics import lead_statistics as plan_statistics
from api.request.body import read_phones
from api.request.error_codes import RequestError
from api.request.record import record
from api.request.text import canonical_phone
from api.response.body import JsonResponse, closed
from api.response.conditional import answer
from api.response.errors import LeadNotFoundError
from api.response.pagination import page_of_results
from api.routes.read_model import parameters_of, read_model

# A lead with one of these names has no address.
NO_PHONES = ("stats", "facets", "lookup", "attributes", "status-history.ndjson", "status-history.csv")

leads = Blueprint("leads", __name__, url_prefix="/users/<user_id>/leads")


@leads.get("")
def list_leads(user_id: str) -> Response:
    """List the leads with filters, an order and pagination."""
    model, parameters = read_model(), parameters_of("listLeads", user_id)
    row = model.fetch(plan_list(user_id, parameters), parameters)
    if row.collect_matches:
        row = model.fetch(plan_list(user_id, parameters, collect_matches=True), parameters)
    page = page_of_results(parameters.page, row.page, row.total)
    record().rows = len(page.results)
    pages = page.pagination
    # While no lead changes, a time range can only lose leads as time passes. So the same total means the same leads.
    moving = pages if parameters.moves_with_the_clock else b""
    data = _fewer_keys(b"[%b]" % page.json, parameters.keys)
    return answer(
        data, pages, moving=moving, stands_until=row.stands_until, more={"Link": page.link(user_id)}
    )


@leads.get("/stats")
def lead_statistics(user_id: str) -> Response:
    """Count the leads of a tenant."""
    parameters = parameters_of("getLeadStatistics")
    row = read_model().fetch(plan_statistics(user_id), parameters)
    record().rows = 1
    return answer(row.statistics, moving=row.statistics, stands_until=row.stands_until)


# It hides no lead, because a lead called `stats` has no address.
@leads.get("/stats/series")
def lead_series(user_id: str) -> Response:
    """Count the leads of a tenant by day or hour."""
    parameters = parameters_of("getLeadSeries")
    row = read_model().fetch(plan_series(user_id, parameters), parameters)
    record().rows = 1
    return answer(b'{"by":"%b","buckets":[%b]}' % (parameters.by.encode(), b",".join(row.page)))


@leads.get("/stats/funnel")
def lead_funnel(user_id: str) -> Response:
    """Count how far the leads that first came in a time have come, and how soon."""
    parameters = parameters_of("getLeadFunnel")
    row = read_model().fetch(plan_funnel(user_id, parameters), parameters)
    record().rows = 1
    return answer(orjson.dumps(printed_funnel(row.page, parameters.divided_by)))


@leads.get("/facets")
def lead_facets(user_id: str) -> Response:
    """Count the leads by each value of a filter, beside the other filters."""
    parameters = parameters_of("getLeadFacets")
    row = read_model().fetch(plan_facets(user_id, parameters), parameters)
    record().rows = 1
    moving = b"%d %b" % (row.total, row.facets) if parameters.moves_with_the_clock else b""
    return answer(
        row.facets, moving=moving, stands_until=row.stands_until, more={"X-Total-Count": str(row.total)}
    )


@leads.get("/attributes")
def lead_attributes(user_id: str) -> Response:
    """List the attributes that there are, and how many leads have each."""
    parameters = parameters_of("listLeadAttributes")
    row = read_model().fetch(plan_attributes(user_id), parameters)
    catalog, *counts = map(orjson.loads, row.page)
    printed = printed_attributes(catalog, counts, unfilled_names(row.unfilled))
    record().rows = len(printed)
    return answer(orjson.dumps(printed))


@leads.post("/lookup")
def lookup_leads(user_id: str) -> Response:
    """Print the leads of several phones, in the order of the phones."""
    parameters = parameters_of("lookupLeads")
    phones = read_phones(request.get_data())
    row = read_model().fetch(leads_of_phones(user_id, phones, parameters.printed_with), parameters)
    record().rows = len(row.page)
    data = _fewer_keys(b"[%b]" % b",".join(row.page), parameters.keys)
    return JsonResponse(closed(b'{"success":true,"data":%b,' % data))


@leads.get("/<customer_phone>")
def single_lead(user_id: str, customer_phone: str) -> Response:
    """Print the lead of a phone."""
    parameters = parameters_of("getLead")
    asked = plan_lead(user_id, _phone(customer_phone), parameters.printed_with)
    row = read_model().fetch(asked, parameters)
    document = _found(row.document)
    record().rows = 1
    return answer(_fewer_keys(document, parameters.keys))


@leads.get("/<customer_phone>/history")
def history_of_lead(user_id: str, customer_phone: str) -> Response:
    """List how a lead came to its status, newest first."""
    phone = _phone(customer_phone)
    parameters = parameters_of("getLeadHistory", user_id, phone)
    row = read_model().fetch(plan_history(user_id, phone, parameters), parameters)
    if not row.is_there:
        raise LeadNotFoundError
    page = page_of_results(parameters.page, row.page, row.total)
    data = b'{"customer_phone":%b,"transitions":[%b],"pagination":%b}' % (
        orjson.dumps(phone),
        page.json,
        page.pagination,
    )
    record().rows = len(page.results)
    return answer(data, more={"Link": page.link(user_id, phone)})


@leads.get("/<customer_phone>/messages")
def messages_of_lead(user_id: str, customer_phone: str) -> Response:
    """List the messages of a lead across its conversations."""
    phone = _phone(customer_phone)
    parameters = parameters_of("getLeadMessages", user_id, phone)
    row = read_model().fetch(plan_messages(user_id, phone, parameters), parameters)
    lead_info = _found(row.lead_info)
    if row.unknown is not None:
        name = row.unknown.decode()
        raise RequestError(f"{name} takes the message_id of a message of this lead", name)
    page = page_of_results(parameters.page, row.page, row.total)
    data = b'{"customer_phone":%b,"lead_info":%b,"messages":[%b],"pagination":%b}' % (
        orjson.dumps(phone),
        lead_info,
        page.json,
        page.pagination,
    )
    record().rows = len(page.results)
    moving = page.pagination if parameters.moves_with_the_clock else b""
    more = {"Link": page.link(user_id, phone)}
    return answer(data, moving=moving, stands_until=row.stands_until, more=more)


def _phone(customer_phone: str) -> str:
    """Return the canonical phone of a path. Raises LeadNotFoundError for a word that names another endpoint."""
    phone = canonical_phone(customer_phone)
    if phone in NO_PHONES:
        raise LeadNotFoundError
    return phone


def _fewer_keys(printed: bytes, keys: Sequence[str] | None) -> bytes:
    """Return a printed lead, or a list of them, with these keys only, in their documented order; all for None."""
    if keys is None:
        return printed
    # An attribute may be a number with more digits than a float keeps, so numbers stay as they are written.
    data = (
        json.loads(printed, parse_int=Fragment, parse_float=Fragment)
        if "attributes" in keys
        else orjson.loads(printed)
    )
    if isinstance(data, dict):
        return orjson.dumps({key: data[key] for key in keys})
    return orjson.dumps([lead and {key: lead[key] for key in keys} for lead in data])


def _found(document: bytes | None) -> bytes:
    if document is None:
        raise LeadNotFoundError
    return document
