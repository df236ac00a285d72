"""The OpenAPI document: parameters by the schemas that check them, answers by `schemas.py`."""

from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from api.request.fields import Parameter
from api.request.parameters import CommonQuery, ListQuery, MessagesQuery
from api.request.text import MAX_ID_LENGTH
from api.response.headers import HEADERS, KNOWN, LIMITED
from api.response.schemas import Error, LeadList, LeadMessages, LeadStatistics, SingleLead

# Of the documented interface; it does not change with the code.
API_VERSION = "1.0.0"

_ERRORS = {
    400: "A parameter is not known, its value is not taken, or an id is too long; the message names each",
    401: "No bearer token and no API key, or one that is not accepted",
    403: "The credentials may not read this tenant, whether it exists or not",
    404: "Lead not found",
    429: "More requests than the limit allows",
    500: "An error on our side",
    503: (
        "The read model was never built, the database cannot answer now, the tenant has too many requests under way,"
        " or the data are not as fresh as min_as_of asks for"
    ),
}
# They come before a request is counted.
_OF_CALLERS = (401, 403)
_FURTHER_HEADERS = {404: KNOWN, 429: ("Retry-After",), 503: ("Retry-After", "X-Data-As-Of")}
_SECURITY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A bearer token (JWT) whose tenant is the user_id, or an API key that begins with leads_",
}
_USER_ID = {
    "in": "path",
    "name": "user_id",
    "required": True,
    "description": "The tenant",
    "schema": {"type": "string", "maxLength": MAX_ID_LENGTH},
}
_CUSTOMER_PHONE = {
    "in": "path",
    "name": "customer_phone",
    "required": True,
    "description": "The lead, in any spelling of its phone",
    "schema": {"type": "string", "maxLength": MAX_ID_LENGTH},
}
_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The ETag of an answer that the caller has, or several with commas, or * for any",
    "schema": {"type": "string"},
    "example": HEADERS["ETag"].example,
}
_BASE = "/users/{user_id}/leads"
_ENDPOINTS: tuple[tuple[str, str, str, type[Schema], type[Schema], tuple[int, ...]], ...] = (
    (_BASE, "listLeads", "List all leads", ListQuery, LeadList, (400, 401, 403, 429, 500, 503)),
    (
        f"{_BASE}/stats",
        "getLeadStatistics",
        "Get lead statistics",
        CommonQuery,
        LeadStatistics,
        (400, 401, 403, 429, 500, 503),
    ),
    (f"{_BASE}/{{customer_phone}}", "getLead", "Get a single lead", CommonQuery, SingleLead, tuple(_ERRORS)),
    (
        f"{_BASE}/{{customer_phone}}/messages",
        "getLeadMessages",
        "Get all messages of a lead",
        MessagesQuery,
        LeadMessages,
        tuple(_ERRORS),
    ),
)


def document(*, asks_who_calls: bool = False) -> bytes:
    """Returns the document as JSON; with the scheme of the credentials if the API asks for them."""
    spec = APISpec(
        title="Leads API",
        version=API_VERSION,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=lambda schema: _class_of(schema).__name__)],
        info={"description": "A unified view of all customer interactions across all platforms."},
    )
    for name, header in HEADERS.items():
        spec.components.header(name, header.as_openapi())
    if asks_who_calls:
        spec.components.security_scheme("credentials", _SECURITY_SCHEME)
    errors = {code: text for code, text in _ERRORS.items() if asks_who_calls or code not in _OF_CALLERS}
    for code, description in errors.items():
        headers = (
            ("X-Correlation-Id", "WWW-Authenticate")
            if code in _OF_CALLERS
            else LIMITED + _FURTHER_HEADERS.get(code, ())
        )
        spec.components.response(f"Error{code}", _response(description, Error, headers))
    not_modified = {
        "description": "The caller has this answer",
        "headers": {name: name for name in ("X-Correlation-Id", *KNOWN, "ETag")},
    }
    spec.components.response("NotModified", not_modified)
    for path, name, summary, query, answer, codes in _ENDPOINTS:
        responses: dict[str, Any] = {
            "200": _response("Success", answer, (*LIMITED, *KNOWN, "ETag")),
            "304": "NotModified",
        }
        responses |= {str(code): f"Error{code}" for code in codes if code in errors}
        path_parameters = [_USER_ID] if "{customer_phone}" not in path else [_USER_ID, _CUSTOMER_PHONE]
        operation = {
            "operationId": name,
            "summary": summary,
            "tags": ["Leads"],
            "parameters": [*path_parameters, *_parameters(query), _IF_NONE_MATCH],
            "responses": responses,
        }
        if asks_who_calls:
            operation["security"] = [{"credentials": []}]
        spec.path(path, operations={"get": operation})
    not_ready = _response("Why it cannot serve now", Error, ("X-Correlation-Id", "Retry-After"))
    for path, name, summary in (
        ("/health/live", "live", "Whether the process answers"),
        ("/health/ready", "ready", "Whether the read model can be served"),
    ):
        answers = (
            {"200": {"description": "Yes"}, "503": not_ready}
            if name == "ready"
            else {"200": {"description": "Yes"}}
        )
        operation = {"operationId": name, "summary": summary, "tags": ["Health"], "responses": answers}
        spec.path(path, operations={"get": operation})
    return orjson.dumps(spec.to_dict())


def _class_of(schema: Any) -> type[Schema]:  # noqa: ANN401  # A class, or one of its instances.
    return schema if isinstance(schema, type) else type(schema)


def _response(description: str, answer: type[Schema], headers: tuple[str, ...]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {name: name for name in headers},
        "content": {"application/json": {"schema": answer}},
    }


def _parameters(query: type[Schema]) -> list[dict[str, Any]]:
    """Returns the parameters of a query, as the fields that check them describe themselves."""
    described = []
    for name, field in query().fields.items():
        if not isinstance(field, Parameter):
            continue
        parameter: dict[str, Any] = {
            "in": "query",
            "name": name,
            "description": field.description,
            "schema": field.as_openapi(),
        }
        if field.example is not None:
            parameter["example"] = field.example
        described.append(parameter)
    return described
