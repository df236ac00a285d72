"""Every answer is as its schema says, with no key more or less."""

from typing import Any

from flask.testing import FlaskClient

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
