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


def test_a_lead_has_the_keys_that_are_asked_for(client: FlaskClient, library: Library) -> None:
    for path in (f"{library.base}?limit=1", f"{library.base}/{library.phone}?"):
        data = client.get(f"{path}&fields=name,customer_phone").get_json()["data"]
        [lead] = data if isinstance(data, list) else [data]
        assert list(lead) == ["customer_phone", "name"]
