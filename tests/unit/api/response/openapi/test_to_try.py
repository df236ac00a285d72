"""What Swagger UI fills into its form: a tenant and a lead, and no filter."""

import re
from typing import Any

import orjson

from api.response.openapi import document, document_to_try
from tests.support.cases import cases


def parameters(text: bytes) -> list[dict[str, Any]]:
    paths = orjson.loads(text)["paths"].values()
    return [one for path in paths for operation in path.values() for one in operation.get("parameters", [])]


@cases(("user_id", "phone"), [("u", "1"), ("u", None), (None, None)])
def test_it_has_the_tenant_and_the_lead_that_are_known_and_no_filter(
    user_id: str | None, phone: str | None
) -> None:
    to_try = parameters(document_to_try(document(), user_id, phone))
    for before, after in zip(parameters(document()), to_try, strict=True):
        if before["in"] == "path":
            assert after.get("example") == {"user_id": user_id, "customer_phone": phone}[after["name"]]
        elif before["in"] == "query":
            assert "example" not in after
            example = "" if "default" in before["schema"] else r" \(for example `[^`\[]+`\)"
            text = re.escape(before["description"].removesuffix("."))
            assert re.fullmatch(rf"{text}{example}\.", after["description"])
    for example in ("`instagram,webchat`", "`true`"):
        assert any(example in one["description"] for one in to_try)
