"""A lead, or a list of leads, with fewer keys."""

from flask.testing import FlaskClient

from tests.unit.api.conftest import Library


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
