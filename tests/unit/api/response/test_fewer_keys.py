"""A lead, or a list of leads, with fewer keys."""

import orjson
from flask.testing import FlaskClient

from api.response.fewer_keys import fewer_keys
from tests.unit.api.conftest import Library

LEAD = '{"customer_phone":"1","name":"Ä \\u0001","conversations":[{"agent_id":null}],"total_score":null}'.encode()


def test_without_keys_the_text_stays_as_it_is() -> None:
    assert fewer_keys(LEAD, None) is LEAD


def test_a_lead_has_the_keys_that_are_asked_for() -> None:
    assert fewer_keys(LEAD, ("name", "total_score")) == '{"name":"Ä \\u0001","total_score":null}'.encode()


def test_so_has_each_lead_of_a_list() -> None:
    found = fewer_keys(b"[%b,%b]" % (LEAD, LEAD), ("conversations",))
    assert orjson.loads(found) == 2 * [{"conversations": [{"agent_id": None}]}]
    assert fewer_keys(b"[]", ("name",)) == b"[]"


def test_the_answers_have_them(client: FlaskClient, library: Library) -> None:
    whole = client.get(library.base).get_json()
    part = client.get(f"{library.base}?fields=total_messages,customer_phone").get_json()
    assert part["pagination"] == whole["pagination"]
    assert part["data"] == [
        {key: lead[key] for key in ("customer_phone", "total_messages")} for lead in whole["data"]
    ]
    lead = whole["data"][0]
    one = client.get(f"{library.base}/{lead['customer_phone']}?fields=platforms")
    assert one.get_json()["data"] == {"platforms": lead["platforms"]}
    assert one.headers["ETag"] != client.get(f"{library.base}/{lead['customer_phone']}").headers["ETag"]
