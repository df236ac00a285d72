"""The OpenAPI document, wherever in the API it is made."""

import importlib
from typing import Any

import orjson

from tests.rules.files import ROOT, name_of

[_PATH] = (ROOT / "api").rglob("openapi.py")
OPENAPI_FILE = name_of(_PATH)
# The schemas of the answers in the document.
SCHEMAS_FILE = "api/response/schemas.py"


def openapi() -> dict[str, Any]:
    """The document."""
    module = importlib.import_module(OPENAPI_FILE.removesuffix(".py").replace("/", "."))
    document: dict[str, Any] = orjson.loads(module.document())
    return document
