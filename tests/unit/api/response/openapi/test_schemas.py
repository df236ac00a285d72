"""Every answer is as its schema says, with no key more or less."""

from typing import Any

from flask.testing import FlaskClient

from api.request.lead import LEAD_FIELDS
from tests.unit.api.conftest import Library
from tests.unit.api.response.openapi.test_document import ENDPOINTS, document, validator
from tests.unit.api.response.undocumented_words import allow_undocumented

__all__ = ["document"]


def test_answers_are_as_described(client: FlaskClient, library: Library, document: dict[str, Any]) -> None:
    allow_undocumented(document)
    checks = {name: validator(document, name) for name in [*ENDPOINTS.values(), "Error", "Live", "Ready"]}
    for tenant, leads in library.model.leads.items():
        base = f"/users/{tenant}/leads"
        checks["LeadList"].validate(client.get(f"{base}?limit=100").get_json())
        checks["LeadStatistics"].validate(client.get(f"{base}/stats").get_json())
        checks["LeadSeries"].validate(client.get(f"{base}/stats/series?date=2026-03-29&by=hour").get_json())
        for phone in [phone for phone in leads if "/" not in phone and phone != "stats"][:20]:
            path = f"{base}/{phone.replace('%', '%25').replace('?', '%3F').replace('#', '%23')}"
            checks["SingleLead"].validate(client.get(path).get_json())
            checks["LeadMessages"].validate(client.get(f"{path}/messages").get_json())
        checks["Error"].validate(client.get(f"{base}/1").get_json())
    checks["Live"].validate(client.get("/health/live").get_json())
    checks["Ready"].validate(client.get("/health/ready").get_json())


def test_the_answers_have_every_word_that_is_described(client: FlaskClient, library: Library) -> None:
    """Among them are words that the platform stores and the API does not document, printed as they are."""
    found: dict[str, set[object]] = {
        "platform": set(),
        "sender": set(),
        "status": set(),
        "lead_status": set(),
    }
    for tenant, leads in library.model.leads.items():
        for lead in client.get(f"/users/{tenant}/leads?limit=100").get_json()["data"]:
            found["lead_status"].add(lead["lead_status"])
            found["platform"] |= {one["platform"] for one in lead["conversations"]}
            found["sender"].add(lead["last_message_sender"])
        for phone in [phone for phone in leads if phone.isalnum() and phone != "stats"]:
            for message in client.get(f"/users/{tenant}/leads/{phone}/messages").get_json()["data"][
                "messages"
            ]:
                found["sender"].add(message["sender"])
                found["status"].add(message["status"])
    assert found.pop("status") == {"sent", "pending", "failed"}
    assert found.pop("lead_status") == {"Hot", "Warm", "Cold", None}
    assert found["platform"] >= {"whatsapp", "instagram", "webchat", "WhatsApp"}
    assert found["sender"] >= {"user", "agent", None, "User", "system"}


def test_the_description_is_closed(client: FlaskClient, library: Library, document: dict[str, Any]) -> None:
    """A key more, or a key less, would be seen."""
    check = validator(allow_undocumented(document), "LeadList")
    body = client.get(library.base).get_json()
    check.validate(body)
    assert not check.is_valid({**body, "extra": 1})
    assert not check.is_valid({**body, "data": [{**body["data"][0], "extra": 1}]})
    del body["data"][0]["company"]
    assert not check.is_valid(body)


def test_each_score_of_a_lead_says_what_it_is_of() -> None:
    scores = [one.metadata["description"] for name, one in LEAD_FIELDS.items() if name.endswith("_score")]
    assert len(set(scores)) == len(scores) == 6
