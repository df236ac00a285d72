"""The OpenAPI document for Swagger UI, which fills each example of a parameter into the form that it sends."""

from collections.abc import Iterator
from typing import Any

import orjson


def document_to_try(document: bytes, user_id: str | None, customer_phone: str | None) -> bytes:
    """Returns the document with a tenant and a lead as examples, and with those of the filters in their descriptions.

    So that the form sends a request that finds something, and no filter that nobody has chosen.
    """
    spec = orjson.loads(document)
    known = {"user_id": user_id, "customer_phone": customer_phone}
    for parameter in _parameters(spec):
        if parameter["in"] == "path":
            parameter.pop("example", None)
            value = known.get(parameter["name"])
            if value is not None:
                parameter["example"] = value
        elif "example" in parameter:
            example = _as_written(parameter.pop("example"))
            # What has a default shows that already.
            if "default" not in parameter["schema"]:
                text = parameter["description"].removesuffix(".")
                parameter["description"] = f"{text} (for example `{example}`)."
    return orjson.dumps(spec)


def _parameters(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in spec["paths"].values():
        for operation in path.values():
            yield from operation.get("parameters", [])


def _as_written(example: object) -> str:
    """Returns an example as a query string has it."""
    if isinstance(example, list):
        return ",".join(example)
    return str(example).lower() if isinstance(example, bool) else str(example)
