"""What is counted of the requests."""

from flask.testing import FlaskClient

from tests.api.conftest import Library


def counted(client: FlaskClient, endpoint: str, status: int) -> float:
    text = client.get("/metrics").get_data(as_text=True)
    line = f'leads_api_request_seconds_count{{endpoint="{endpoint}",status="{status}"}} '
    return next((float(found.removeprefix(line)) for found in text.splitlines() if found.startswith(line)), 0)


def test_requests_are_counted_by_endpoint_and_status(client: FlaskClient, library: Library) -> None:
    asked = {
        ("leads.list_leads", 200): library.base,
        ("leads.list_leads", 400): f"{library.base}?limit=0",
        ("leads.lead_statistics", 200): f"{library.base}/stats",
        ("leads.single_lead", 404): f"{library.base}/1",
        ("leads.messages_of_lead", 200): f"{library.base}/{library.phone}/messages",
        ("health.live", 200): "/health/live",
        ("none", 404): "/nothing",
    }
    before = {key: counted(client, *key) for key in asked}
    for path in asked.values():
        client.get(path)
    assert {key: counted(client, *key) - before[key] for key in asked} == dict.fromkeys(asked, 1)
