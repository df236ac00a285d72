"""The OpenAPI document is true of the answers, and the page to try it needs nothing from elsewhere."""

import re
from itertools import product
from typing import Any

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

from api.response.openapi import document, document_to_try
from api.routes.leads import NO_PHONES
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp


def allow_undocumented(document: dict[str, Any]) -> None:
    """Words that the platform ought not to store are printed as they are, and the document does not list them."""
    for schema in document["components"]["schemas"].values():
        for name in ("platform", "sender", "last_message_sender"):
            schema["properties"].get(name, {}).pop("enum", None)


# Pages for people, and what these load.
PAGES = re.compile(r"/|/page/.*|/docs.*|/favicon.*")


@cases("metrics_port", [0, 9464])
def test_each_address_is_described(library: Library, make_app: MakeApp, metrics_port: int) -> None:
    app = make_app(library.database, metrics_port=metrics_port)
    described = set(app.test_client().get("/openapi.json").get_json()["paths"])
    served = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert described == {path for path in served if not PAGES.fullmatch(path)}
    assert ("/metrics" in described) is (metrics_port == 0)


@pytest.mark.thorough
def test_whatever_is_asked_the_answer_is_as_described(library: Library, make_app: MakeApp) -> None:
    """What the document allows, and what it forbids."""
    described = schemathesis.openapi.from_wsgi("/openapi.json", make_app(library.database, log_level="ERROR"))
    allow_undocumented(described.raw_schema)
    # What is refused is compared with the oracle: OpenAPI knows neither bounds in the wrong order nor white space.
    left_out = CHECKS.get_by_names(["positive_data_acceptance", "negative_data_rejection"])
    operations = [result.ok() for result in described.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) > 5
    asked: set[tuple[str, GenerationMode]] = set()
    for operation, mode in product(operations, GenerationMode):
        # The document forbids no header.
        has_headers_alone = {parameter.location for parameter in operation.iter_parameters()} <= {"header"}
        if mode is GenerationMode.NEGATIVE and has_headers_alone:
            continue

        @settings(max_examples=settings().max_examples // 20, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            # No projector is at work here: data of a moment after the last refresh never come.
            case.query.pop("min_as_of", None)
            # The client of the tests does not decompress.
            case.headers["Accept-Encoding"] = "identity"
            asked.add((operation.label, mode))  # noqa: B023  # It is called in this turn of the loop.
            case.call_and_validate(excluded_checks=left_out)  # type: ignore[arg-type]

        ask()
    assert len(asked) > len(operations) + 5


def test_answers_about_every_tenant_are_as_described(library: Library, make_app: MakeApp) -> None:
    described = schemathesis.openapi.from_wsgi("/openapi.json", make_app(library.database))
    allow_undocumented(described.raw_schema)
    operations = [result.ok() for result in described.get_all_operations() if isinstance(result, Ok)]
    for operation in operations:
        if operation.method.upper() != "GET" or "{user_id}" not in operation.path:
            continue
        for tenant, leads in library.model.leads.items():
            # Schemathesis writes a phone into the path as it is.
            phones = [phone for phone in leads if not {*"/?"} & {*phone} and phone not in NO_PHONES][:20]
            for phone in phones if "{customer_phone}" in operation.path else phones[:1]:
                case = operation.Case(
                    path_parameters={"user_id": tenant, "customer_phone": phone},
                    query={"date": "2026-03-29", "by": "hour"} if operation.path.endswith("/series") else {},
                )
                case.call_and_validate(headers={"Accept-Encoding": "identity"})
                if {"fields", "include"} & {parameter.name for parameter in operation.iter_parameters()}:
                    few = (
                        {"include": "agent_names"}
                        if operation.path.endswith("facets")
                        else {"fields": "name"}
                    )
                    case.query = few
                    case.call_and_validate(headers={"Accept-Encoding": "identity"})


def parameters(text: bytes) -> list[dict[str, Any]]:
    paths = orjson.loads(text)["paths"].values()
    return [
        parameter
        for path in paths
        for operation in path.values()
        for parameter in operation.get("parameters", [])
    ]


@cases(("user_id", "phone"), [("u", "1"), ("u", None), (None, None)])
def test_it_has_the_tenant_and_the_lead_that_are_known_and_no_filter(
    user_id: str | None, phone: str | None
) -> None:
    to_try = parameters(document_to_try(document(), user_id, phone))
    for before, after in zip(parameters(document()), to_try, strict=True):
        if before["in"] == "path":
            assert after.get("example") == {"user_id": user_id, "customer_phone": phone}[after["name"]]
        elif before["in"] == "query":
            # Of an object the form would invent keys.
            assert after.get("example") == ({} if after["schema"].get("type") == "object" else None)
            example = "" if "default" in before["schema"] else r" \(for example `[^`']+`\)"
            text = re.escape(before["description"].removesuffix("."))
            assert re.fullmatch(rf"{text}{example}\.", after["description"])
    for example in ("`instagram,webchat`", "`true`", "`attributes[source]=web,import`"):
        assert any(example in parameter["description"] for parameter in to_try)
