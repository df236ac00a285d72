"""The OpenAPI document: queries by the schemas that check them, answers by schemas that tests hold them to."""

from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields, validate

from api.schemas import LEAD_STATUSES, PLATFORMS, ListQuery, MessagesQuery, NoQuery, Parameter

# Of the interface that is documented, whichever version of the code answers.
API_VERSION = "1.0.0"


def _nullable_text(**keywords: Any) -> fields.String:  # noqa: ANN401
    return fields.String(required=True, allow_none=True, **keywords)


def _nullable_number() -> fields.Integer:
    return fields.Integer(required=True, allow_none=True)


def _count() -> fields.Integer:
    return fields.Integer(required=True, validate=validate.Range(0))


def _moment(*, allow_none: bool = False) -> fields.DateTime:
    return fields.DateTime(required=True, allow_none=allow_none)


class _Closed(Schema):
    """An object with the documented keys and no other."""

    class Meta:
        """Says so in the document."""

        unknown = "raise"


class ConversationSummary(_Closed):
    """A conversation of a lead."""

    conversation_id = fields.String(required=True)
    agent_id = _nullable_text()
    agent_name = _nullable_text()
    platform = _nullable_text()
    phone_number_id = _nullable_text()
    message_count = _count()
    is_active = fields.Boolean(required=True)
    created_at = _moment()
    last_message_at = _moment(allow_none=True)


class LeadInfo(_Closed):
    """What messages say of their lead."""

    name = _nullable_text()
    email = _nullable_text()
    company = _nullable_text()
    lead_status = _nullable_text(validate=validate.OneOf((*LEAD_STATUSES, None)))
    total_score = _nullable_number()


class Lead(LeadInfo):
    """A customer of a tenant."""

    customer_phone = fields.String(required=True)
    intent_score = _nullable_number()
    urgency_score = _nullable_number()
    budget_score = _nullable_number()
    fit_score = _nullable_number()
    engagement_score = _nullable_number()
    platforms = fields.List(fields.String(validate=validate.OneOf(PLATFORMS)), required=True)
    conversation_count = _count()
    total_messages = _count()
    template_sends_count = _count()
    last_message_at = _moment(allow_none=True)
    last_message_text = _nullable_text()
    last_message_sender = _nullable_text()
    first_contact_at = _moment()
    has_extraction = fields.Boolean(required=True)
    extraction_id = fields.UUID(required=True, allow_none=True)
    conversations = fields.List(fields.Nested(ConversationSummary), required=True)


class Message(_Closed):
    """A message of a lead."""

    message_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    agent_id = _nullable_text()
    agent_name = _nullable_text()
    platform = _nullable_text()
    phone_number_id = _nullable_text()
    sender = _nullable_text()
    text = _nullable_text()
    timestamp = _moment()
    status = fields.String(required=True, validate=validate.OneOf(("sent", "pending", "failed")))
    sequence_no = _nullable_number()


class Pagination(_Closed):
    """Where a page lies in the whole."""

    total = _count()
    limit = _count()
    offset = _count()
    hasMore = fields.Boolean(required=True)  # noqa: N815  # As documented.


class ByPlatform(_Closed):
    """Leads of each platform."""

    whatsapp = _count()
    instagram = _count()
    webchat = _count()


class Statistics(_Closed):
    """Counts of leads."""

    total_leads = _count()
    leads_with_extraction = _count()
    hot_leads = _count()
    warm_leads = _count()
    cold_leads = _count()
    by_platform = fields.Nested(ByPlatform, required=True)
    leads_last_7_days = _count()
    leads_last_30_days = _count()


class MessagesOfLead(_Closed):
    """A page of messages."""

    customer_phone = fields.String(required=True)
    lead_info = fields.Nested(LeadInfo, required=True)
    messages = fields.List(fields.Nested(Message), required=True)
    pagination = fields.Nested(Pagination, required=True)


class _Answer(_Closed):
    timestamp = _moment()
    correlationId = fields.String(required=True)  # noqa: N815  # As documented.


class Error(_Answer):
    """Every failure."""

    error = fields.String(required=True)
    message = fields.String(required=True)


class _Success(_Answer):
    success = fields.Constant(constant=True, required=True, metadata={"enum": [True]})


class LeadList(_Success):
    """The answer of the list."""

    data = fields.List(fields.Nested(Lead), required=True)
    pagination = fields.Nested(Pagination, required=True)


class LeadStatistics(_Success):
    """The answer of the statistics."""

    data = fields.Nested(Statistics, required=True)


class SingleLead(_Success):
    """The answer of a single lead."""

    data = fields.Nested(Lead, required=True)


class LeadMessages(_Success):
    """The answer of the messages."""

    data = fields.Nested(MessagesOfLead, required=True)


_HEADERS = {
    "X-Correlation-Id": "The correlationId of the body",
    "X-Data-As-Of": "Every change committed before this moment is contained in the answer",
    "X-Data-Dead-Letters": "Keys of this tenant that are set aside with an error; only if there are any",
    "X-RateLimit-Limit": "Requests in a window",
    "X-RateLimit-Remaining": "Requests left in this window",
    "X-RateLimit-Reset": "When the window ends, in seconds since 1970",
    "Retry-After": "Seconds to wait",
}
_LIMITED = ("X-Correlation-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_KNOWN = ("X-Data-As-Of", "X-Data-Dead-Letters")
_ERRORS = {
    400: "A parameter is not known, or its value is not taken; the message names each",
    404: "Lead not found",
    429: "More requests than the limit allows",
    500: "An error on our side",
    503: "The database cannot answer now",
}
_FURTHER_HEADERS = {404: _KNOWN, 429: ("Retry-After",), 503: ("Retry-After",)}
_USER_ID = {
    "in": "path",
    "name": "user_id",
    "required": True,
    "description": "The tenant",
    "schema": {"type": "string"},
}
_CUSTOMER_PHONE = {
    "in": "path",
    "name": "customer_phone",
    "required": True,
    "description": "The lead, in any spelling of its phone",
    "schema": {"type": "string"},
}
_BASE = "/users/{user_id}/leads"
_ENDPOINTS: tuple[tuple[str, str, str, type[Schema], type[Schema], tuple[int, ...]], ...] = (
    (_BASE, "listLeads", "List all leads", ListQuery, LeadList, (400, 429, 500, 503)),
    (
        f"{_BASE}/stats",
        "getLeadStatistics",
        "Get lead statistics",
        NoQuery,
        LeadStatistics,
        (400, 429, 500, 503),
    ),
    (f"{_BASE}/{{customer_phone}}", "getLead", "Get a single lead", NoQuery, SingleLead, tuple(_ERRORS)),
    (
        f"{_BASE}/{{customer_phone}}/messages",
        "getLeadMessages",
        "Get all messages of a lead",
        MessagesQuery,
        LeadMessages,
        tuple(_ERRORS),
    ),
)


def document() -> bytes:
    """The document as JSON."""
    spec = APISpec(
        title="Leads API",
        version=API_VERSION,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=lambda schema: _class_of(schema).__name__)],
        info={"description": "A unified view of all customer interactions across all platforms."},
    )
    for name, description in _HEADERS.items():
        spec.components.header(name, {"description": description, "schema": {"type": "string"}})
    for code, description in _ERRORS.items():
        headers = _LIMITED + _FURTHER_HEADERS.get(code, ())
        spec.components.response(f"Error{code}", _response(description, Error, headers))
    for path, name, summary, query, answer, codes in _ENDPOINTS:
        responses: dict[str, Any] = {"200": _response("Success", answer, _LIMITED + _KNOWN)}
        responses |= {str(code): f"Error{code}" for code in codes}
        path_parameters = [_USER_ID] if "{customer_phone}" not in path else [_USER_ID, _CUSTOMER_PHONE]
        operation = {
            "operationId": name,
            "summary": summary,
            "tags": ["Leads"],
            "parameters": path_parameters + _parameters(query),
            "responses": responses,
        }
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
    """The parameters of a query, as the fields that check them describe themselves."""
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
