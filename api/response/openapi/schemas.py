"""The schemas of what the API answers; tests compare every answer with them."""

from typing import Any

from marshmallow import fields, validate

from api.request.body import MAX_PHONES
from api.request.change_token import EXAMPLE as TOKEN
from api.request.described import Closed, count, flag, moment, number, part, several, string, word
from api.request.lead import LEAD_FIELDS, PLATFORMS, SENDERS
from api.request.parameters import BUCKETS, MAX_OFFSET
from api.request.text import MAX_ID_LENGTH
from api.response.headers import CORRELATION_ID

MESSAGE_STATUSES = ("sent", "pending", "failed")

_CONVERSATION = "b1a93252-f8c6-448f-a765-195eea996d9a"
_AGENT = "test-agent-001"
_AGENT_NAME = string("Name of that agent. Null if it has none.", "Test AI Agent", null=True)
_PLATFORM = word(
    "Platform of the agent's channel. Null if that is unknown. Any other word that is stored is printed too.",
    PLATFORMS,
    "whatsapp",
    null=True,
)
_PHONE_NUMBER_ID = string(
    "Channel of that agent on its platform. Null if it has none.", "test-phone-001", null=True
)


class ConversationSummary(Closed):
    """A conversation of a lead with an agent."""

    conversation_id = string("Identifies the conversation.", _CONVERSATION)
    agent_id = string("AI agent that handles the conversation.", _AGENT)
    agent_name = _AGENT_NAME
    platform = _PLATFORM
    phone_number_id = _PHONE_NUMBER_ID
    message_count = count("Messages in the conversation, whatever their status.", 37)
    is_active = flag("Whether the conversation is open. False if the platform does not say.", example=True)
    created_at = moment("When the conversation began.", "2025-10-05T06:21:34.662Z")
    last_message_at = moment(
        "Time of its newest message. Without messages, the platform's own note of it; null without a note.",
        "2025-12-12T09:07:38.656Z",
        null=True,
    )


class Message(Closed):
    """A message of a conversation."""

    message_id = string(
        "Identifies the message.", "wamid.HBgMOTE4OTc5NTU2OTQxFQIAEhgUM0ZBMDM4RkM0QTg5NkI1ODIzRTgA"
    )
    conversation_id = string("Conversation that the message belongs to.", _CONVERSATION)
    agent_id = string("AI agent that handles that conversation.", _AGENT)
    agent_name = _AGENT_NAME
    platform = _PLATFORM
    phone_number_id = _PHONE_NUMBER_ID
    sender = word(
        "Who sent the message: the customer (`user`) or the agent (`agent`). Null if the platform names nobody. "
        "Any other word that is stored is printed too.",
        SENDERS,
        "user",
        null=True,
    )
    text = string(
        "What the message says. Null if it has no text. At most 64 KiB of UTF-8; a longer one is cut and ends in "
        "`… [cut]`.",
        "hi my name is siddhant",
        null=True,
    )
    timestamp = moment("When the message was sent.", "2025-10-05T06:21:35.197Z")
    status = word(
        "Whether the message went out: `pending` and `failed` as stored, anything else as `sent`.",
        MESSAGE_STATUSES,
        "sent",
    )
    sequence_no = number(
        "Place of the message within its conversation, which may have gaps. Null if the platform numbers none.",
        1,
        # What PostgreSQL's type integer holds.
        least=-(2**31),
        greatest=2**31 - 1,
        null=True,
    )


class Lead(Closed):
    """A customer of a tenant: one with a conversation, or to whom a template was sent."""

    vars().update(LEAD_FIELDS)
    conversations = several(
        fields.Nested(ConversationSummary),
        "Its conversations, the one with the newest message first. Empty for a lead that was only sent templates.",
    )


class LeadInfo(Closed):
    """What the messages endpoint prints of the lead."""

    vars().update(
        {key: LEAD_FIELDS[key] for key in ("name", "email", "company", "lead_status", "total_score")}
    )


class Pagination(Closed):
    """Which part of all results a page is."""

    total = count("Results on all pages together.", 4)
    limit = number(
        "Results that a page has at most, as asked for and cut to the maximum.", 1, least=1, greatest=200
    )
    offset = number("Results before this page.", 0, least=0, greatest=MAX_OFFSET)
    hasMore = flag("Whether there are results after this page.", example=True)  # noqa: N815  # As documented.


class MessagesOfLead(Closed):
    """A page of the messages of a lead."""

    customer_phone = string(
        "Identifies the lead, in the form in which it is listed.", "918979556941", minLength=1
    )
    lead_info = part(LeadInfo, "Who the lead is.")
    messages = several(fields.Nested(Message), "The messages of this page, oldest first.")
    pagination = part(
        Pagination,
        "Which part of the messages this page is.",
        {"total": 37, "limit": 1, "offset": 0, "hasMore": True},
    )


class ByPlatform(Closed):
    """How many leads each platform has; a lead on two platforms counts for both."""

    whatsapp = count("Leads with a conversation or a counted template send on WhatsApp.", 4)
    instagram = count("Leads with a conversation or a counted template send on Instagram.", 0)
    webchat = count("Leads with a conversation or a counted template send on web chat.", 0)


class Statistics(Closed):
    """Counts of the leads of a tenant, each the `total` of the list that it describes."""

    total_leads = count("Number of all leads.", 4)
    leads_with_extraction = count("Leads with an extraction, as `has_extraction=true` lists them.", 3)
    hot_leads = count("Leads of the status `Hot`, as `lead_status=Hot` lists them.", 0)
    warm_leads = count("Leads of the status `Warm`, as `lead_status=Warm` lists them.", 0)
    cold_leads = count("Leads of the status `Cold`, as `lead_status=Cold` lists them.", 3)
    by_platform = part(ByPlatform, "How many leads each platform has, as `platform` lists them.")
    leads_last_7_days = count("Leads active in the last 7 times 24 hours, as `days=7` lists them.", 2)
    leads_last_30_days = count("Leads active in the last 30 times 24 hours, as `days=30` lists them.", 2)


class LeadNumbers(Closed):
    """Counts of the leads of a day or an hour."""

    leads = count("Number of leads.", 1)
    hot_leads = count("Those of the status `Hot`.", 0)
    warm_leads = count("Those of the status `Warm`.", 0)
    cold_leads = count("Those of the status `Cold`.", 1)
    by_platform = part(ByPlatform, "How many of them each platform has.")


class SeriesBucket(Closed):
    """A day or an hour in UTC."""

    start = moment("When the day or hour begins.", "2025-12-12T00:00:00.000Z")
    active = part(
        LeadNumbers, "Leads whose `last_message_at` is in it, as the list with these dates has them."
    )
    new = part(
        LeadNumbers, "Leads whose `first_contact_at` is in it, with their status and platforms of today."
    )
    messages = count("Messages that were sent in it.", 37)


class Series(Closed):
    """Counts of the leads of a tenant by day or hour."""

    by = word("Whether these are days or hours.", BUCKETS, "day")
    buckets = several(
        fields.Nested(SeriesBucket),
        "Each day or hour from the first to the last one, those without leads too.",
    )


_SUCCESS = fields.Constant(
    constant=True,
    required=True,
    metadata={"description": "Always true; an error has no such key.", "enum": [True], "examples": [True]},
)
_TIMESTAMP = moment("When the API answered.", "2025-12-12T20:55:31.163Z")
_CORRELATION_ID = string(
    "Identifies the answer in the logs: what the caller sent in `X-Correlation-Id`, or else the milliseconds since "
    "1970 and nine random characters.",
    "1765572930366-lpk7lz5tm",
    pattern=CORRELATION_ID,
)


class Error(Closed):
    """Any failure."""

    error = string("What kind of failure it is: the reason phrase of the status.", "Not Found")
    message = string("What was wrong and, where the caller can change it, what to do.", "Lead not found")
    timestamp = _TIMESTAMP
    correlationId = _CORRELATION_ID  # noqa: N815  # As documented.


class LeadChange(Closed):
    """A lead that changed, or that is gone."""

    customer_phone = string("Identifies the lead within its tenant.", "918979556941")
    deleted = flag(
        "Whether to delete the lead from the copy: it is gone, or it does not pass the filters of the request.",
        example=False,
    )
    lead = part(Lead, "The lead in its newest state. Null if it is deleted.", null=True)


def _answer(name: str, description: str, **own: fields.Field[Any]) -> type[Closed]:
    """Returns the schema of a whole answer with these properties."""
    closing = {"timestamp": _TIMESTAMP, "correlationId": _CORRELATION_ID}
    return type(name, (Closed,), {"__doc__": description, "success": _SUCCESS, **own, **closing})


LeadList = _answer(
    "LeadList",
    "A page of the leads of a tenant.",
    data=several(fields.Nested(Lead), "The leads of this page, in the order asked for."),
    pagination=part(Pagination, "Which part of the leads this page is."),
)
LeadStatistics = _answer(
    "LeadStatistics", "The statistics of a tenant.", data=part(Statistics, "The counts.")
)
LeadSeries = _answer(
    "LeadSeries",
    "The statistics of a tenant by day or hour.",
    data=part(Series, "The counts of each day or hour."),
)
SingleLead = _answer("SingleLead", "A single lead.", data=part(Lead, "The lead."))
LeadMessages = _answer(
    "LeadMessages",
    "A page of the messages of a lead.",
    data=part(MessagesOfLead, "The lead and its messages."),
)
LeadChanges = _answer(
    "LeadChanges",
    "What changed since a token.",
    data=several(fields.Nested(LeadChange), "The changes, each lead once."),
    next=string(
        "Token to ask with next time, as `since`. It means nothing to the caller, and holds for this tenant.",
        TOKEN,
    ),
    hasMore=flag("Whether there are more changes already.", example=False),
)


LeadFacets = _answer(
    "LeadFacets",
    "Counts of leads by the values of filters.",
    data=fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.Integer(validate=validate.Range(0))),
        required=True,
        metadata={
            "description": "For each filter its values, and how many leads each of them has. A value without leads may "
            "be absent.",
            "examples": [
                {"lead_status": {"Hot": 0, "Warm": 0, "Cold": 3}, "has_email": {"true": 3, "false": 1}}
            ],
        },
    ),
)


class Phones(Closed):
    """The phones of a look-up."""

    customer_phones = fields.List(
        string("A phone, in any spelling.", "918979556941", maxLength=MAX_ID_LENGTH),
        required=True,
        validate=validate.Length(max=MAX_PHONES),
        metadata={"description": "Up to 500 phones, in any spelling.", "examples": [["918979556941"]]},
    )


LookedUpLeads = _answer(
    "LookedUpLeads",
    "The leads of several phones.",
    data=several(
        fields.Nested(Lead, allow_none=True), "A lead for each phone, in their order; null for none."
    ),
)


class Live(Closed):
    """That the process answers."""

    status = string("Always `live`.", "live", enum=["live"])
    version = string("Version of the program.", "0.2.0")


class Ready(Closed):
    """That the read model can be served."""

    status = string("Always `ready`.", "ready", enum=["ready"])
