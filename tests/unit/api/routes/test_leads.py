"""The endpoints over the read model."""

from flask.testing import FlaskClient

from tests.unit.api.conftest import Library, answer_keys


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
