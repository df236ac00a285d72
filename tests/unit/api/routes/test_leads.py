"""The endpoints over the read model."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from tests.oracle import answers
from tests.unit.api.conftest import NOW, Library, MakeApp, answer_keys


def test_trailing_slash_is_the_same_resource(client: FlaskClient, library: Library) -> None:
    headers = {"X-Correlation-Id": "same"}
    for path in answer_keys(library):
        with_slash, without = client.get(f"{path}/", headers=headers), client.get(path, headers=headers)
        assert (with_slash.status_code, with_slash.data) == (200, without.data)


def test_options(client: FlaskClient, library: Library) -> None:
    for path in answer_keys(library):
        answer = client.options(path)
        assert answer.status_code == 200
        assert set(answer.allow) == {"GET", "HEAD", "OPTIONS"}
        assert answer.data == b""


def test_an_unknown_tenant(client: FlaskClient) -> None:
    answer = client.get("/users/nobody/leads").get_json()
    assert answer["data"] == []
    assert answer["pagination"] == {"total": 0, "limit": 50, "offset": 0, "hasMore": False}
    numbers = client.get("/users/nobody/leads/stats").get_json()["data"]
    assert set(numbers.pop("by_platform").values()) | set(numbers.values()) == {0}


def test_windows_move_with_the_clock(library: Library, make_app: MakeApp) -> None:
    moments = [lead.last_message_at for lead in library.model.of_tenant(library.tenant).values()]
    last = max(moment for moment in moments if moment is not None and moment <= NOW)
    edge = last + timedelta(days=7)
    # A time to come is in every window.
    later = sum(moment is not None and moment > NOW for moment in moments)
    for now, inside in ((edge, True), (edge + timedelta(milliseconds=1), False)):
        client = make_app(library.database, now=now).test_client()
        count = client.get(f"{library.base}/stats").get_json()["data"]["leads_last_7_days"]
        page = client.get(f"{library.base}?days=7").get_json()
        assert (count > later) is inside
        assert count == page["pagination"]["total"] == len(page["data"])


def test_the_numbers_of_a_day_are_the_totals_of_its_lists(client: FlaskClient, library: Library) -> None:
    series = f"{library.base}/stats/series?from_date=2026-03-01&to_date=2026-03-31"
    data = client.get(series).get_json()["data"]
    assert (data["by"], len(data["buckets"])) == ("day", 31)
    assert sum(bucket["active"]["leads"] for bucket in data["buckets"]) > 0
    assert any(bucket["active"]["leads"] == 0 for bucket in data["buckets"])
    for bucket in data["buckets"]:
        found = bucket["active"]
        expected = {"": found["leads"]}
        expected |= {f"&lead_status={name}": found[f"{name}_leads"] for name in ("hot", "warm", "cold")}
        expected |= {f"&platform={name}": number for name, number in found["by_platform"].items()}
        for filters, number in expected.items():
            page = client.get(f"{library.base}?date={bucket['start'][:10]}{filters}").get_json()
            assert page["pagination"]["total"] == number, (bucket["start"], filters)


def test_the_numbers_of_the_hours_add_up_to_those_of_their_day(client: FlaskClient, library: Library) -> None:
    moments = [lead.first_contact_at for lead in library.model.of_tenant(library.tenant).values()]
    for day in sorted({moment.date().isoformat() for moment in moments if 2 < moment.year < 9998})[:10]:
        series = f"{library.base}/stats/series?date={day}"
        [whole] = client.get(series).get_json()["data"]["buckets"]
        hours = client.get(f"{series}&by=hour").get_json()["data"]["buckets"]
        assert [hour["start"] for hour in hours] == [f"{day}T{hour:02}:00:00.000Z" for hour in range(24)]
        for kind in ("active", "new"):
            assert sum(hour[kind]["leads"] for hour in hours) == whole[kind]["leads"]
        assert whole["new"]["leads"] == sum(moment.date().isoformat() == day for moment in moments)


def test_a_series_has_a_tag_of_the_version(client: FlaskClient, library: Library) -> None:
    series = f"{library.base}/stats/series?date=2026-03-01"
    tag = client.get(series).headers["ETag"]
    assert tag.startswith('W/"v')
    assert client.get(series, headers={"If-None-Match": tag}).status_code == 304


def test_a_lead_called_stats_has_no_series_of_its_own(client: FlaskClient, library: Library) -> None:
    assert client.get(f"{library.base}/stats/messages").status_code == 404
    assert client.get(f"{library.base}/{library.phone}/series").status_code == 404


def test_a_phone_in_any_spelling(client: FlaskClient, library: Library) -> None:
    leads = library.model.of_tenant(library.tenant)
    phone = next(phone for phone in leads if phone.isdigit() and len(phone) > 5)
    for spelling in (
        phone,
        f"%2B{phone}",
        f"+{phone}",
        f"%20({phone[:2]})%20{phone[2:5]}-{phone[5:]}.%C2%A0",
    ):
        assert client.get(f"{library.base}/{spelling}").get_json()["data"]["customer_phone"] == phone
        body = client.get(f"{library.base}?customer_phone={spelling}").get_json()
        assert [lead["customer_phone"] for lead in body["data"]] == [phone]
        assert client.get(f"{library.base}/{spelling}/messages").get_json()["data"]["customer_phone"] == phone


@pytest.mark.parametrize(
    "word", ["%", "_", "\\", "100%", "off_now", "snake_case", "C:\\new", "%20_", "' OR 1=1"]
)
def test_every_character_of_a_search_means_itself(client: FlaskClient, library: Library, word: str) -> None:
    asked = [("search", word), ("limit", "100")]
    expected = answers.list_leads(library.model, library.tenant, asked, NOW).body
    body = client.get(f"{library.base}?search={quote(word)}&limit=100").get_json()
    assert body["data"] == expected["data"]
    assert body["pagination"] == expected["pagination"]


def test_a_search_that_looks_like_a_pattern_finds_something(client: FlaskClient, library: Library) -> None:
    found = [
        client.get(f"/users/{tenant}/leads?search=snake_case").get_json() for tenant in library.model.leads
    ]
    assert sum(body["pagination"]["total"] for body in found) > 0


def test_a_time_out_of_an_answer_finds_its_lead(client: FlaskClient, library: Library) -> None:
    for lead in client.get(f"{library.base}?limit=100").get_json()["data"]:
        moment = lead["last_message_at"]
        if moment is not None:
            body = client.get(f"{library.base}?from_date={moment}&to_date={moment}&limit=100").get_json()
            assert lead in body["data"]
            assert {other["last_message_at"] for other in body["data"]} == {moment}


def test_a_time_out_of_a_message_finds_it(client: FlaskClient, library: Library) -> None:
    path = f"{library.base}/{library.phone}/messages"
    for message in client.get(path).get_json()["data"]["messages"]:
        moment = message["timestamp"]
        data = client.get(f"{path}?from_date={moment}&to_date={moment}").get_json()["data"]
        assert message in data["messages"]
        assert {other["timestamp"] for other in data["messages"]} == {moment}
