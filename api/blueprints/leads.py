"""The four endpoints of the Leads API."""

from typing import Any

import orjson
from flask import Blueprint, Response, current_app, g, request

from api import queries
from api.answers import success
from api.db import Database
from api.errors import LeadNotFoundError
from api.expressions import Read
from api.schemas import LIST_QUERY, MESSAGES_QUERY, NO_QUERY, Query, Result
from api.values import canonical_phone

leads = Blueprint("leads", __name__, url_prefix="/users/<user_id>/leads")


@leads.get("")
def list_leads(user_id: str) -> Response:
    """List all leads with filtering, sorting and pagination."""
    parameters = _parameters(LIST_QUERY)
    row = _fetch(queries.list_leads(user_id, parameters, g.now))
    if row.few:
        row = _fetch(queries.few_leads(user_id, parameters, g.now))
    return success(_list(row.page), parameters.page.pagination(row.total))


@leads.get("/stats")
def lead_statistics(user_id: str) -> Response:
    """Aggregate statistics about the leads."""
    _parameters(NO_QUERY)
    row = _fetch(queries.lead_statistics(user_id, g.now))
    return success(_statistics(row))


@leads.get("/<customer_phone>")
def single_lead(user_id: str, customer_phone: str) -> Response:
    """A single lead by phone."""
    _parameters(NO_QUERY)
    row = _fetch(queries.single_lead(user_id, _phone(customer_phone)))
    return success(_found(row.document))


@leads.get("/<customer_phone>/messages")
def messages_of_lead(user_id: str, customer_phone: str) -> Response:
    """All messages of a lead across its conversations."""
    parameters, phone = _parameters(MESSAGES_QUERY), _phone(customer_phone)
    row = _fetch(queries.messages_of_lead(user_id, phone, parameters))
    return success(_messages(phone, row, parameters.page.pagination(row.total)))


def _parameters(query: Query[Result]) -> Result:
    return query.read(request.environ.get("QUERY_STRING", ""))


def _phone(customer_phone: str) -> str:
    """The phone of a path; a lead that is called as the statistics are has no page, however the path is spelt."""
    phone = canonical_phone(customer_phone)
    if phone == "stats":
        raise LeadNotFoundError
    return phone


def _fetch(read: Read) -> Any:  # noqa: ANN401  # Its columns are the statement's.
    database: Database = current_app.extensions["leads_database"]
    g.row = row = database.fetch(read)
    return row


def _found(document: bytes | None) -> bytes:
    if document is None:
        raise LeadNotFoundError
    return document


def _list(rows: bytes) -> bytes:
    return b"[%b]" % rows


def _statistics(row: Any) -> bytes:  # noqa: ANN401
    platforms = ("whatsapp", "instagram", "webchat")
    before = ("total_leads", "leads_with_extraction", "hot_leads", "warm_leads", "cold_leads")
    windows = tuple(f"leads_last_{days}_days" for days in queries.STATISTICS_DAYS)
    return orjson.dumps(
        {name: getattr(row, name) for name in before}
        | {"by_platform": {platform: getattr(row, platform) for platform in platforms}}
        | {name: getattr(row, name) for name in windows}
    )


def _messages(phone: str, row: Any, pagination: bytes) -> bytes:  # noqa: ANN401
    return b'{"customer_phone":%b,"lead_info":%b,"messages":%b,"pagination":%b}' % (
        orjson.dumps(phone),
        _found(row.lead_info),
        _list(row.page),
        pagination,
    )
