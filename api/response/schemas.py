"""The schemas of the answers; tests compare every answer with them."""

from typing import Any

from marshmallow import Schema, fields, validate

from api.request.parameters import LEAD_STATUSES, PLATFORMS


def _nullable_text(**keywords: Any) -> fields.String:  # noqa: ANN401
    return fields.String(required=True, allow_none=True, **keywords)


def _message_text() -> fields.String:
    description = "At most 64 KiB of UTF-8; a longer text is cut, and ends in '… [cut]'"
    return _nullable_text(metadata={"description": description})


def _nullable_number() -> fields.Integer:
    return fields.Integer(required=True, allow_none=True)


def _count() -> fields.Integer:
    return fields.Integer(required=True, validate=validate.Range(0))


def _moment(*, allow_none: bool = False) -> fields.DateTime:
    return fields.DateTime(required=True, allow_none=allow_none)


class _Closed(Schema):
    """An object with the documented keys and no others."""

    class Meta:
        """Makes apispec describe it so."""

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
    """What the messages endpoint prints of the lead."""

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
    last_message_text = _message_text()
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
    text = _message_text()
    timestamp = _moment()
    status = fields.String(required=True, validate=validate.OneOf(("sent", "pending", "failed")))
    sequence_no = _nullable_number()


class Pagination(_Closed):
    """Which part of all results a page is."""

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
    """Any failure."""

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
