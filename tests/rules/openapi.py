"""The OpenAPI document."""

from typing import Any

import orjson

from api.response.openapi import document

OPENAPI_FILE = "api/response/openapi.py"
# The schemas of answers in the document.
SCHEMAS_FILE = "api/response/openapi.json"


def openapi(**setup: bool) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(document(**setup))
    return made
