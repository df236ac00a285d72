"""The OpenAPI document, wherever in the API it is made."""

import importlib
from typing import Any

import orjson

from tests.rules.files import ROOT, name_of

[_PATH] = (ROOT / "api").rglob("openapi.py")
OPENAPI_FILE = name_of(_PATH)
# The schemas of leads in the document.
SCHEMAS_FILE = "api/response/lead_schemas.py"


def openapi(**setup: bool) -> dict[str, Any]:
    """The document of an API that is set up so."""
    module = importlib.import_module(OPENAPI_FILE.removesuffix(".py").replace("/", "."))
    document: dict[str, Any] = orjson.loads(module.document(**setup))
    return document
