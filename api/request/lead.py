"""The fields of a printed lead: `lead.json` has the JSON schema of each, with its meaning and an example.

This is the only list of them in the API. The response schema, the values of `fields`, the columns of CSV and the
samples of the documentation follow from it.
"""

from pathlib import Path
from typing import Any

import orjson

LEAD_FIELDS: dict[str, dict[str, Any]] = orjson.loads(Path(__file__).with_suffix(".json").read_bytes())

LEAD_KEYS = (*LEAD_FIELDS, "conversations")
"""The keys of a printed lead, in their order."""


def _words(schema: dict[str, Any]) -> tuple[str, ...]:
    return tuple(word for word in schema["enum"] if word is not None)


PLATFORMS = ("whatsapp", "instagram", "webchat")
"""The platforms with statistics of their own."""

LEAD_STATUSES = _words(LEAD_FIELDS["lead_status"])
SENDERS = _words(LEAD_FIELDS["last_message_sender"])
