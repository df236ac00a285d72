"""Whether the process lives, whether it can serve, and what it counts."""

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import MakeApp
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
    with database.connect() as conn:
        conn.execute("UPDATE read_model.projection SET built_at = NULL")
        assert client.get("/health/ready").status_code == 503
        conn.execute("UPDATE read_model.projection SET built_at = now(), capture_gap = NULL")
    assert client.get("/health/ready").status_code == 200
