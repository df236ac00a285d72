"""Words that the platform ought not to store: the API prints them as they are, and its document does not list them."""

from typing import Any

# Properties of answers that print a word of the platform.
WORDS = ("platform", "sender", "last_message_sender")


def allow_undocumented(document: dict[str, Any]) -> dict[str, Any]:
    """Takes the lists of the platform's words out of the answers of an OpenAPI document, and returns it."""
    for schema in document["components"]["schemas"].values():
        for name in WORDS:
            schema["properties"].get(name, {}).pop("enum", None)
    return document
