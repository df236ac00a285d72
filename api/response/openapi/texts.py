"""What the OpenAPI document says of the API as a whole, of each endpoint, and of each failure."""

from http import HTTPStatus
from typing import Any, NamedTuple

from marshmallow import Schema
from marshmallow.fields import Field, List, String

from api.database.errors import NO_RIGHTS, NOT_INSTALLED
from api.limits.exports import ExportsBusyError
from api.limits.running import TENANT_IS_BUSY
from api.request.change_token import EXAMPLE as TOKEN
from api.request.lead import LEAD_FIELDS
from api.request.query import (
    CHANGES_QUERY,
    COMMON_QUERY,
    CSV_QUERY,
    EXPORT_QUERY,
    FACETS_QUERY,
    LEAD_QUERY,
    LIST_QUERY,
    MESSAGE_EXPORT_QUERY,
    MESSAGES_QUERY,
    SERIES_QUERY,
    Query,
)
from api.response.errors import MESSAGES, LeadNotFoundError, TokenGoneError
from api.response.headers import KNOWN, LIMITED
from api.response.openapi import schemas

SUMMARY = "The leads of a messaging platform, over WhatsApp, Instagram and web chat."
DESCRIPTION = """\
A **tenant** is a customer of the messaging platform: the `user_id` in the path. A **lead** is a customer of that
tenant: a `customer_phone`, which is a phone number, an Instagram id or a web session. A lead exists when the tenant has
a conversation with that customer, or a counted template send to it.

An **extraction** is what an AI has read in a conversation: name, email, company, five scores and a status. Of all
extractions in the conversations of a lead one wins: the latest of its conversation (`is_latest`) first, then the newest
(`extracted_at`), then the greatest `extraction_id`. A **contact** is what the tenant has noted of a phone; the one that
was updated last wins. A **template send** is a message that was sent from a template, outside of a conversation. It
counts once it went out, which is every status but `PENDING` and `FAILED`.

Times are in UTC with milliseconds. HEAD works wherever GET does. An unknown parameter is refused with 400.
"""
TAGS = (
    {"name": "Leads", "description": "The leads of a tenant, with their messages and statistics."},
    {
        "name": "Copies",
        "description": "All leads or messages as a file, and what changed since: for a copy elsewhere.",
    },
    {"name": "Operation", "description": "Whether the API works, and what it offers."},
)
SERVERS = ({"url": "/", "description": "The server of this document."},)
SECURITY_SCHEME: dict[str, Any] = {
    "type": "http",
    "scheme": "bearer",
    "description": "A bearer token (JWT) whose tenant is the `user_id`, or an API key, which begins with `leads_`.",
}
JSON = "application/json"
METRICS = "/metrics"
_BASE = "/users/{user_id}/leads"
_LEAD = f"{_BASE}/{{customer_phone}}"
_EXPORT = (
    "The file shows one moment. The answer announces its length; one that breaks off ends before that length."
)


def _cell(field: Field[Any]) -> str:
    example = field.metadata["examples"][0]
    if type(field) in (String, List):
        return f'"{",".join(example) if isinstance(example, list) else example}"' if example else ""
    return str(example).lower()


_CSV = f"{','.join(LEAD_FIELDS)}\r\n{','.join(map(_cell, LEAD_FIELDS.values()))}\r\n"
_OF_FILES = ("X-Total-Count", "Content-Disposition")


_EVENT = f'id: {TOKEN}\ndata: {{"customer_phone":"918979556941","deleted":true,"lead":null}}\n\n'


class File(NamedTuple):
    """What an export sends: its media type, what it is, and a sample, or the schema that each line has."""

    kind: str
    description: str
    sample: str = ""
    line: str = ""


class Endpoint(NamedTuple):
    """An endpoint that reads the leads of a tenant."""

    path: str
    name: str
    summary: str
    description: str
    query: Query
    answer: type[Schema] | File
    tag: str = "Leads"
    headers: tuple[str, ...] = ("ETag",)
    errors: tuple[int, ...] = ()
    """Those that only some endpoints have."""
    body: type[Schema] | None = None
    """What a POST sends; without it this is a GET."""
    events: str = ""
    """An event of it as a stream, where there is one."""

    @property
    def method(self) -> str:
        """The method in small letters."""
        return "get" if self.body is None else "post"


ENDPOINTS = (
    Endpoint(
        _BASE,
        "listLeads",
        "List all leads",
        "A page of the leads of a tenant, filtered and sorted. A lead has to pass all filters. The list of an unknown "
        "tenant is empty.",
        LIST_QUERY,
        schemas.LeadList,
    ),
    Endpoint(
        f"{_BASE}/stats",
        "getLeadStatistics",
        "Get lead statistics",
        "Counts of the leads of a tenant. Each is the `total` of the list that it describes.",
        COMMON_QUERY,
        schemas.LeadStatistics,
    ),
    Endpoint(
        f"{_BASE}/stats/series",
        "getLeadSeries",
        "Get lead statistics by day or hour",
        "Counts of the leads of each day or hour of a range, which `from_date` and `to_date` or their other names have "
        "to give.",
        SERIES_QUERY,
        schemas.LeadSeries,
    ),
    Endpoint(
        f"{_BASE}/facets",
        "getLeadFacets",
        "Count leads by the values of filters",
        "How many leads each value of a filter has. Each count is the `total` of the list with that filter set to that "
        "value, in place of its own, and with all other filters of the request.",
        FACETS_QUERY,
        schemas.LeadFacets,
        headers=("ETag", "X-Total-Count"),
    ),
    Endpoint(
        f"{_BASE}/lookup",
        "lookupLeads",
        "Get the leads of several phones",
        "The leads of up to 500 phones, in the order of the phones. It counts as one request.",
        LEAD_QUERY,
        schemas.LookedUpLeads,
        headers=(),
        body=schemas.Phones,
    ),
    Endpoint(
        _LEAD,
        "getLead",
        "Get a single lead",
        "The lead of a phone. A lead whose identifier is `stats`, `facets` or `lookup`, or contains a `/`, has no "
        "address: the list shows it, with the filter `customer_phone`.",
        LEAD_QUERY,
        schemas.SingleLead,
        errors=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        f"{_LEAD}/messages",
        "getLeadMessages",
        "Get all messages of a lead",
        "A page of the messages of a lead over all its conversations, oldest first.",
        MESSAGES_QUERY,
        schemas.LeadMessages,
        errors=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "/users/{user_id}/lead-changes",
        "listLeadChanges",
        "List what changed since a token",
        "The newest state of each lead that changed since the answer that gave the token, and the leads that are gone. "
        "Without `since` there is no change, but the token of now: ask for it, then for the export `leads.ndjson`, "
        "then with that token. With filters, a changed lead that does not pass them is sent as deleted. With `Accept: "
        "text/event-stream` the answer goes on: each change is an event whose `id` is the token after it.",
        CHANGES_QUERY,
        schemas.LeadChanges,
        "Copies",
        headers=(),
        errors=(HTTPStatus.GONE,),
        events=_EVENT,
    ),
    Endpoint(
        f"{_BASE}.csv",
        "exportLeadsAsCsv",
        "Export leads as CSV",
        f"All leads that match, as a table without their conversations. {_EXPORT} A text that a spreadsheet would take "
        "for a formula has an apostrophe before it.",
        CSV_QUERY,
        File("text/csv", "A header row, and a row for each lead.", sample=_CSV),
        "Copies",
        headers=_OF_FILES,
    ),
    Endpoint(
        f"{_BASE}.ndjson",
        "exportLeads",
        "Export leads, one a line",
        f"All leads that match, each as the list prints it. {_EXPORT}",
        EXPORT_QUERY,
        File("application/x-ndjson", "A line for each lead.", line="Lead"),
        "Copies",
        headers=_OF_FILES,
    ),
    Endpoint(
        "/users/{user_id}/messages.ndjson",
        "exportMessages",
        "Export messages, one a line",
        f"All messages of a time range, by lead and then in their order. {_EXPORT}",
        MESSAGE_EXPORT_QUERY,
        File(
            "application/x-ndjson",
            "A line for each message, with the lead that it belongs to.",
            line="Message",
        ),
        "Copies",
        headers=_OF_FILES,
    ),
)


class Page(NamedTuple):
    """What there is beside the endpoints about leads: it asks nobody who calls, and has no limit."""

    path: str
    name: str
    summary: str
    description: str
    content: dict[str, Any]
    errors: tuple[int, ...]


_ERRORS = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
PAGES = (
    Page(
        "/health/live",
        "live",
        "Whether the process answers",
        "Answers 200 as long as the process works, whatever its other requests wait for.",
        {JSON: {"schema": schemas.Live}},
        _ERRORS[:2],
    ),
    Page(
        "/health/ready",
        "ready",
        "Whether the read model can be served",
        "Answers 200 if the API can serve the read model, and 503 with the reason if it cannot.",
        {JSON: {"schema": schemas.Ready}},
        _ERRORS,
    ),
    Page(
        METRICS,
        "metrics",
        "Metrics for Prometheus",
        "Counts requests with their durations, and says how old the read model is.",
        {"text/plain": {"schema": {"type": "string"}}},
        _ERRORS,
    ),
    Page(
        "/openapi.json",
        "openapi",
        "The OpenAPI document",
        "Describes the API, as it is set up, in OpenAPI 3.1.",
        {JSON: {"schema": {"type": "object"}}},
        _ERRORS,
    ),
)


class DescribedError(NamedTuple):
    """What a status means, the headers of such an answer, and messages by a name for each."""

    description: str
    headers: tuple[str, ...]
    messages: dict[str, str]


# They come before a request is counted against the limit.
OF_CALLERS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

ERRORS: dict[int, DescribedError] = {
    HTTPStatus.BAD_REQUEST: DescribedError(
        "A parameter is unknown, its value is not accepted, or an id is too long. The message names each. Or the API "
        "does not answer this `Host`.",
        LIMITED,
        {
            "parameters": (
                "'lead_stauts' is not a parameter (did you mean lead_status?); "
                "days takes an integer from 1 to 36500"
            ),
            "range": "min_total_score must not be above max_total_score",
        },
    ),
    HTTPStatus.UNAUTHORIZED: DescribedError(
        "The request has no bearer token and no API key, or one that is not accepted.",
        ("X-Correlation-Id", "WWW-Authenticate"),
        {
            "missing": (
                "This API asks for a bearer token: send it in the header Authorization, after the word Bearer"
            ),
        },
    ),
    HTTPStatus.FORBIDDEN: DescribedError(
        "The credentials may not read this tenant, whether or not there is such a tenant.",
        ("X-Correlation-Id", "WWW-Authenticate"),
        {"otherTenant": "These credentials may not read the leads of this tenant"},
    ),
    HTTPStatus.NOT_FOUND: DescribedError(
        "The tenant has no such lead, or there is no such tenant.",
        (*LIMITED, *KNOWN),
        {"lead": str(LeadNotFoundError.description)},
    ),
    HTTPStatus.GONE: DescribedError(
        "The changes since this token are not known any more. Begin anew with an export.",
        LIMITED,
        {"token": str(TokenGoneError.description)},
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: DescribedError(
        "The request has a body of more than 64 KiB.",
        ("X-Correlation-Id",),
        {"body": MESSAGES[HTTPStatus.REQUEST_ENTITY_TOO_LARGE]},
    ),
    HTTPStatus.TOO_MANY_REQUESTS: DescribedError(
        "The tenant has used up its requests of this period, or too many exports run at once. The message says which.",
        (*LIMITED, "Retry-After"),
        {
            "limit": MESSAGES[HTTPStatus.TOO_MANY_REQUESTS],
            "exports": str(ExportsBusyError.description),
        },
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: DescribedError(
        "The API failed. Its log has the error under the `correlationId`.",
        LIMITED,
        {"failure": MESSAGES[HTTPStatus.INTERNAL_SERVER_ERROR]},
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: DescribedError(
        "The API cannot answer now: the tenant has too many requests under way, the data are older than `min_as_of`, "
        "the database is away or too slow, or the read model was never built. The message says which.",
        (*LIMITED, "Retry-After", "X-Data-As-Of"),
        {
            "busy": TENANT_IS_BUSY,
            "stale": (
                "The data are as of 2026-11-25T01:03:53.120000Z, and min_as_of asks for 2026-11-25T01:03:54.000000Z:"
                " try again in a second, with a moment that the clock of the database has reached"
            ),
            "database": "The database cannot be reached",
            "notBuilt": "The read model was never built",
            "notInstalled": NOT_INSTALLED,
            "noRights": NO_RIGHTS,
        },
    ),
}
