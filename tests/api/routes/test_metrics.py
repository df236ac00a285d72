"""The page for Prometheus."""

import re

from flask.testing import FlaskClient

from tests.api.conftest import MakeApp
from tests.support.server import Database


def test_the_age_of_the_read_model(client: FlaskClient, make_app: MakeApp) -> None:
    text = client.get("/metrics").get_data(as_text=True)
    assert re.search(r"^leads_api_data_age_seconds -?[0-9.e+]+$", text, re.MULTILINE)
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", "")
    answer = make_app(nowhere, log_level="ERROR").test_client().get("/metrics")
    assert answer.status_code == 200
    assert "leads_api_data_age_seconds" not in answer.get_data(as_text=True)
