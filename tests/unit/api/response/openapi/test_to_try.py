"""What Swagger UI fills into its form: a tenant and a lead, and no filter."""

import re
from typing import Any

import orjson

from api.response.openapi.document import document, document_to_try
from tests.support.cases import cases


def parameters(text: bytes) -> list[dict[str, Any]]:
    return [
        parameter
        for path in orjson.loads(text)["paths"].values()
        for parameter in path["get"].get("parameters", [])
    ]


def test_no_filter_is_filled_in_and_its_example_is_beside_it() -> None:
    plain, to_try = parameters(document()), parameters(document_to_try(document(), "u", "1"))
    assert len(plain) == len(to_try)
    examples = 0
    for before, after in zip(plain, to_try, strict=True):
        if before["in"] != "query":
            continue
        assert "example" not in after
        if "default" in before["schema"]:
            assert after["description"] == before["description"]
        else:
            examples += 1
            text = before["description"].removesuffix(".")
            assert re.fullmatch(rf"{re.escape(text)} \(for example `[^`\[]+`\)\.", after["description"])
    assert examples > 10
    described = [one["description"] for one in to_try]
    assert any("`instagram,webchat`" in text for text in described)
    assert any("`true`" in text for text in described)


@cases(("user_id", "phone"), [("u", "1"), ("u", None), (None, None)])
def test_tenant_and_lead_are_those_that_are_known(user_id: str | None, phone: str | None) -> None:
    in_path = [one for one in parameters(document_to_try(document(), user_id, phone)) if one["in"] == "path"]
    assert len(in_path) == 11
    for one in in_path:
        assert one.get("example") == {"user_id": user_id, "customer_phone": phone}[one["name"]]
