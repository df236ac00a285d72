"""The page for Prometheus."""

import re
from datetime import UTC, datetime

from flask.testing import FlaskClient

from tests.support.server import Database
from tests.unit.api.conftest import MakeApp


def test_the_age_of_the_read_model(client: FlaskClient, make_app: MakeApp) -> None:
    text = client.get("/metrics").get_data(as_text=True)
    assert re.search(r"^leads_api_data_age_seconds -?[0-9.e+]+$", text, re.MULTILINE)
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", "")
    answer = make_app(nowhere, log_level="ERROR").test_client().get("/metrics")
    assert answer.status_code == 200
    assert "leads_api_data_age_seconds" not in answer.get_data(as_text=True)
    assert "leads_verify" not in answer.get_data(as_text=True)


def test_how_far_the_verify_is_and_what_it_found(database: Database, make_app: MakeApp) -> None:
    def metrics() -> dict[str, float]:
        text = make_app(database).test_client().get("/metrics").get_data(as_text=True)
        return {
            name: float(number)
            for name, number in re.findall(r"^(leads_verify_\w+) (\S+)$", text, re.MULTILINE)
        }

    found = metrics()
    assert found["leads_verify_open_differences"] == found["leads_verify_found_differences_total"] == 0
    assert "leads_verify_proved_timestamp_seconds" not in found
    with database.connect() as conn:
        conn.execute(
            "UPDATE read_model.projection SET proved_at = '2026-11-25 01:00:00+00', round_done = 0.25,"
            " open_differences = 2, found_differences = 5"
        )
    found = metrics()
    assert found["leads_verify_proved_timestamp_seconds"] == datetime(2026, 11, 25, 1, tzinfo=UTC).timestamp()
    assert found["leads_verify_round_done_ratio"] == 0.25
    assert found["leads_verify_open_differences"] == 2
    assert found["leads_verify_found_differences_total"] == 5
