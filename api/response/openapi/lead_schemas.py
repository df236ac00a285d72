"""The schemas of a lead, and of pages of leads and messages."""

from marshmallow import fields, validate

from api.request.parameters import LEAD_STATUSES, MAX_OFFSET, PLATFORMS
from api.request.working_list import SENDERS
from api.response.openapi.conversation_schemas import ConversationSummary, Message
from api.response.openapi.described import (
    Closed,
    count,
    flag,
    identifier,
    moment,
    number,
    part,
    several,
    string,
    word,
)

_NAME = string(
    "Name of the customer: that of the winning extraction if it is not blank, else that of the winning contact, "
    "else null. At most 255 characters; a longer one is cut and ends in `…`.",
    "Siddhant",
    null=True,
)
_EMAIL = string(
    "Email address of the customer, chosen as the name is and by itself. Null if neither has one.",
    "sddhantjaiii@gmail.com",
    null=True,
)
_COMPANY = string(
    "Company of the customer, chosen as the name is and by itself. Null if neither has one.",
    None,
    "Acme Corporation",
    null=True,
)
_LEAD_STATUS = word(
    "How promising the lead is: the tag of the winning extraction as `Hot`, `Warm` or `Cold`, whatever its case. "
    "Null without an extraction and for any other tag. It never follows from the scores.",
    LEAD_STATUSES,
    "Cold",
    null=True,
)
_TOTAL_SCORE = number(
    "Score of the lead as a whole, from 5 to 15: the total that the winning extraction stores, even where that is "
    "not the sum of the five scores. Where it stores none, their sum; null if one of them is missing then.",
    7,
    least=5,
    greatest=15,
    null=True,
)


def _score(question: str, example: int) -> fields.Integer:
    return number(
        f"{question}, from 1 (least) to 3 (most), in the winning extraction. Null if it has no such score.",
        example,
        least=1,
        greatest=3,
        null=True,
    )


class Lead(Closed):
    """A customer of a tenant: one with a conversation, or to whom a template was sent."""

    customer_phone = string(
        "Identifies the lead within its tenant: the digits of a phone number, an Instagram id, or the id of a web "
        "session. Rows that spell a phone differently are one lead.",
        "918979556941",
        minLength=1,
    )
    name = _NAME
    email = _EMAIL
    company = _COMPANY
    lead_status = _LEAD_STATUS
    total_score = _TOTAL_SCORE
    intent_score = _score("How strong the intent to buy is", 1)
    urgency_score = _score("How urgent the need is", 1)
    budget_score = _score("How well the budget fits the offer", 2)
    fit_score = _score("How well the customer fits the ideal one", 2)
    engagement_score = _score("How engaged the customer is", 2)
    platforms = several(
        fields.String(validate=validate.OneOf(PLATFORMS)),
        "Platforms of its conversations and counted template sends, once each, in the order `whatsapp`, "
        "`instagram`, `webchat`.",
        ["whatsapp"],
    )
    conversation_count = count("Number of its conversations. Template sends are not added.", 1)
    total_messages = count(
        "Messages in all its conversations, whatever their status. Template sends are not added.", 37
    )
    template_sends_count = count(
        "Number of its counted template sends: those of every status but `PENDING` and `FAILED`.", 0
    )
    last_message_at = moment(
        "Time of its newest message. A conversation without messages counts with the platform's own note of its last "
        "one. A template send moves it only while the lead has no conversation. Null if none of them has a time.",
        "2025-12-12T09:07:38.656Z",
        null=True,
    )
    last_message_text = string(
        "Text of its last message, over all conversations. Null without messages. At most 64 KiB of UTF-8; a longer "
        "one is cut and ends in `… [cut]`.",
        "No problem, Siddhant. If you'd like, I can share a quick feature overview or pricing details."
        " Which would you prefer?",
        null=True,
    )
    last_message_sender = word(
        "Who sent that message: the customer (`user`) or the agent (`agent`). Null without messages, or if the "
        "platform names nobody. Any other word that is stored is printed too.",
        SENDERS,
        "agent",
        null=True,
    )
    first_contact_at = moment(
        "Earliest of when its conversations began, its messages, and its counted template sends.",
        "2025-10-05T06:21:34.662Z",
    )
    has_extraction = flag(
        "Whether any of its conversations has an extraction, even an empty one.", example=True
    )
    extraction_id = identifier(
        "Identifies the winning extraction. Null without an extraction.",
        "791a2e81-4706-4703-9532-842a2fd16e0c",
        null=True,
    )
    conversations = several(
        fields.Nested(ConversationSummary),
        "Its conversations, the one with the newest message first. Empty for a lead that was only sent templates.",
    )


class LeadInfo(Closed):
    """What the messages endpoint prints of the lead."""

    name = _NAME
    email = _EMAIL
    company = _COMPANY
    lead_status = _LEAD_STATUS
    total_score = _TOTAL_SCORE


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
