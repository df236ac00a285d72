"""Every example of the API's reference, answered as printed for the demo's tenant."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from api.response.openapi import document
from projector.report.progress import QUIET
from projector.trial import demo
from tests.acceptance.conftest import MakePlatform, Platform
from tests.support.server import Database

USER_ID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
PHONE = "918979556941"
# The moment at which the reference's examples were taken.
NOW = datetime(2025, 12, 12, 20, 55, 31, 163_000, tzinfo=UTC)
LOADED = datetime(2026, 6, 1, 20, 55, 44, 81_000, tzinfo=UTC)


def sample(path: str) -> dict[str, Any]:
    """The sample of an answer in the OpenAPI document, without its moment and its id."""
    operation = orjson.loads(document())["paths"][f"/users/{{user_id}}/leads{path}"]["get"]
    example = dict(operation["responses"]["200"]["content"]["application/json"]["example"])
    assert list(example)[-2:] == ["timestamp", "correlationId"]
    return {key: value for key, value in example.items() if key not in ("timestamp", "correlationId")}


@pytest.fixture
def platform(database: Database, make_platform: MakePlatform) -> Platform:
    made = make_platform(database, NOW)
    demo.load(made.connection, leads=demo.DEFAULT_LEADS // 10, now=LOADED, progress=QUIET)
    made.rebuild()
    return made


def get(platform: Platform, path: str) -> dict[str, Any]:
    answer = platform.client.get(f"/users/{USER_ID}/leads{path}")
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert isinstance(body.pop("timestamp"), str)
    assert isinstance(body.pop("correlationId"), str)
    return dict(body)


def test_statistics(database: Database, make_platform: MakePlatform) -> None:
    """As printed after loading: then the two windows hold the two recent leads of the example."""
    made = make_platform(database, LOADED)
    demo.load(made.connection, leads=10, messages_per_lead=2, now=LOADED, progress=QUIET)
    made.rebuild()
    assert as_text(get(made, "/stats")) == as_text(sample("/stats"))


def test_the_samples_of_the_document_are_answers(platform: Platform) -> None:
    expected = sample("")
    assert list(get(platform, "")) == list(expected)
    assert as_text(get(platform, "?limit=1")["pagination"]) == as_text(expected["pagination"])
    assert as_text(get(platform, f"?customer_phone={PHONE}")["data"]) == as_text(expected["data"])
    assert as_text(get(platform, f"/{PHONE}")) == as_text(sample("/{customer_phone}"))
    messages = get(platform, f"/{PHONE}/messages?limit=1")
    assert as_text(messages) == as_text(sample("/{customer_phone}/messages"))


def test_attributes_are_printed_for_include_alone(platform: Platform) -> None:
    """The reference's lead has some, and is printed as the reference has it all the same."""
    attributes = {
        "tags": ["vip"],
        "source": "web",
        "opted_out": False,
        "custom_cta": ["book_demo", "send_pricing"],
        "requirements": "AI agents for sales",
        "demo_book_datetime": "2025-12-15T10:30:00.000Z",
    }
    documented = sample("/{customer_phone}")["data"]
    for path in (f"/{PHONE}", f"?customer_phone={PHONE}"):
        included = get(platform, f"{path}{'&' if '?' in path else '?'}include=attributes")["data"]
        [lead] = included if isinstance(included, list) else [included]
        assert list(lead.items())[:-1] == list(documented.items())
        assert lead["attributes"] == attributes


def as_text(value: object) -> bytes:
    """The value with the order of its keys."""
    return orjson.dumps(value)
