"""Whether the process lives, whether it can serve, and what it counts."""

import re

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import Library, MakeApp
from tests.support.server import Database


def test_ready_over_a_built_read_model(client: FlaskClient) -> None:
    assert client.get("/health/ready").get_json() == {"status": "ready"}
    assert client.get("/health/live").get_json() == {"status": "live"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE read_model.projection SET built_at = NULL", "never built"),
        ("DELETE FROM read_model.projection", "not installed"),
        ("DROP TABLE read_model.projection", "not installed"),
        ("DROP SCHEMA read_model CASCADE", "not installed"),
        (
            "UPDATE read_model.projection SET built_at = now(), capture_gap = 'a trigger is gone'",
            "missed: a trigger is gone",
        ),
    ],
)
def test_not_ready(database: Database, make_app: MakeApp, change: str, reason: str) -> None:
    with database.connect() as conn:
        conn.execute(change.encode())
    answer = make_app(database, log_level="ERROR").test_client().get("/health/ready")
    assert answer.status_code == 503
    assert reason in answer.get_json()["message"]
    assert answer.headers["Retry-After"]


def test_ready_again_when_it_is_built(database: Database, make_app: MakeApp) -> None:
    client = make_app(database, log_level="ERROR").test_client()
    assert client.get("/health/ready").status_code == 503
    with database.connect() as conn:
        conn.execute("UPDATE read_model.projection SET built_at = now(), capture_gap = NULL")
    assert client.get("/health/ready").status_code == 200


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


def test_the_age_of_the_read_model(client: FlaskClient, make_app: MakeApp) -> None:
    text = client.get("/metrics").get_data(as_text=True)
    assert re.search(r"^leads_api_data_age_seconds -?[0-9.e+]+$", text, re.MULTILINE)
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", "")
    answer = make_app(nowhere, log_level="ERROR").test_client().get("/metrics")
    assert answer.status_code == 200
    assert "leads_api_data_age_seconds" not in answer.get_data(as_text=True)
