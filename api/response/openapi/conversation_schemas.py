"""The schemas of a conversation and of a message."""

from api.request.parameters import PLATFORMS
from api.request.working_list import SENDERS
from api.response.openapi.described import Closed, count, flag, moment, number, string, word

MESSAGE_STATUSES = ("sent", "pending", "failed")
# What PostgreSQL's type integer holds.
_LEAST, _GREATEST = -(2**31), 2**31 - 1


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
        least=_LEAST,
        greatest=_GREATEST,
        null=True,
    )
