"""The fields of a printed lead: each with its kind, what it means and an example.

This is the one list of them in the API. The response schema, the values of `fields`, the columns of CSV and the samples
of the documentation follow from it.
"""

from typing import Any

from marshmallow.fields import Field, Integer, String
from marshmallow.validate import OneOf

from api.request.described import count, flag, identifier, moment, number, several, string, word

PLATFORMS = ("whatsapp", "instagram", "webchat")
LEAD_STATUSES = ("Hot", "Warm", "Cold")
SENDERS = ("user", "agent")


def _score(question: str, example: int) -> Integer:
    return number(
        f"{question}, from 1 (least) to 3 (most). Null without such a score.",
        example,
        least=1,
        greatest=3,
        null=True,
    )


LEAD_FIELDS: dict[str, Field[Any]] = {
    "customer_phone": string(
        "Identifies the lead within its tenant: the digits of a phone number, an Instagram id, or the id of a web "
        "session. Rows that spell a phone differently are one lead.",
        "918979556941",
        minLength=1,
    ),
    "name": string(
        "Name of the customer: that of the winning extraction if it is not blank, else that of the winning contact, "
        "else null. At most 255 characters; a longer one is cut and ends in `…`.",
        "Siddhant",
        null=True,
    ),
    "email": string(
        "Email address of the customer, chosen as the name is and by itself. Null if neither has one.",
        "sddhantjaiii@gmail.com",
        null=True,
    ),
    "company": string(
        "Company of the customer, chosen as the name is and by itself. Null if neither has one.",
        None,
        "Acme Corporation",
        null=True,
    ),
    "lead_status": word(
        "How promising the lead is: the tag of the winning extraction as `Hot`, `Warm` or `Cold`, whatever its case. "
        "Null without an extraction and for any other tag. It never follows from the scores.",
        LEAD_STATUSES,
        "Cold",
        null=True,
    ),
    "total_score": number(
        "Score of the lead as a whole, from 5 to 15: the total that the winning extraction stores, even where that is "
        "not the sum of the five scores. Where it stores none, their sum; null if one of them is missing then.",
        7,
        least=5,
        greatest=15,
        null=True,
    ),
    "intent_score": _score("How strong the intent to buy is", 1),
    "urgency_score": _score("How urgent the need is", 1),
    "budget_score": _score("How well the budget fits the offer", 2),
    "fit_score": _score("How well the customer fits the ideal one", 2),
    "engagement_score": _score("How engaged the customer is", 2),
    "platforms": several(
        String(validate=OneOf(PLATFORMS)),
        "Platforms of its conversations and counted template sends, once each, in the order `whatsapp`, "
        "`instagram`, `webchat`.",
        ["whatsapp"],
    ),
    "conversation_count": count("Number of its conversations. Template sends are not added.", 1),
    "total_messages": count(
        "Messages in all its conversations, whatever their status. Template sends are not added.", 37
    ),
    "template_sends_count": count(
        "Number of its counted template sends: those of every status but `PENDING` and `FAILED`.", 0
    ),
    "last_message_at": moment(
        "Time of its newest message. A conversation without messages counts with the platform's own note of its last "
        "one. A template send moves it only while the lead has no conversation. Null if none of them has a time.",
        "2025-12-12T09:07:38.656Z",
        null=True,
    ),
    "last_message_text": string(
        "Text of its last message, over all conversations. Null without messages. At most 64 KiB of UTF-8; a longer "
        "one is cut and ends in `… [cut]`.",
        "No problem, Siddhant. If you'd like, I can share a quick feature overview or pricing details."
        " Which would you prefer?",
        null=True,
    ),
    "last_message_sender": word(
        "Who sent that message: the customer (`user`) or the agent (`agent`). Null without messages, or if the "
        "platform names nobody. Any other word that is stored is printed too.",
        SENDERS,
        "agent",
        null=True,
    ),
    "first_contact_at": moment(
        "Earliest of when its conversations began, its messages, and its counted template sends.",
        "2025-10-05T06:21:34.662Z",
    ),
    "has_extraction": flag(
        "Whether any of its conversations has an extraction, even an empty one.", example=True
    ),
    "extraction_id": identifier(
        "Identifies the winning extraction. Null without an extraction.",
        "791a2e81-4706-4703-9532-842a2fd16e0c",
        null=True,
    ),
}

LEAD_KEYS = (*LEAD_FIELDS, "conversations")
"""The keys of a printed lead, in their order."""
