"""A caller who has the present answer is told so by the version of the tenant alone."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.database.session import Session
from tests.api.conftest import Library, MakeApp, answer_keys

LIMIT = "2 per minute"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts of all statements that are run."""
    texts: list[bytes] = []
    fetch = Session.fetch

    def noted(self: Session, statement: Any) -> Any:  # noqa: ANN401
        texts.append(statement.text)
        return fetch(self, statement)

    monkeypatch.setattr(Session, "fetch", noted)
    return texts


def test_it_reads_nothing_but_the_version(
    client: FlaskClient, library: Library, statements: list[bytes]
) -> None:
    for address in answer_keys(library):
        tag = client.get(address).headers["ETag"]
        statements.clear()
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
        [text] = statements
        # The statistics move with the clock: they have to be counted.
        assert (b"lead" in text) is address.endswith("/stats")


def test_a_tag_of_another_kind_costs_no_statement(
    client: FlaskClient, library: Library, statements: list[bytes]
) -> None:
    client.get(library.base)
    for tags in ('W/"m0"', '"abc"', "*", ""):
        statements.clear()
        client.get(library.base, headers={"If-None-Match": tags})
        assert len(statements) == 1


def test_it_does_not_count_against_the_rate_limit(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit=LIMIT).test_client()
    first = client.get(library.base)
    assert first.headers["X-RateLimit-Remaining"] == "1"
    asked = {"If-None-Match": first.headers["ETag"]}
    for _ in range(5):
        answer = client.get(library.base, headers=asked)
        assert answer.status_code == 304
        assert "X-RateLimit-Remaining" not in answer.headers
    assert client.get(library.base).headers["X-RateLimit-Remaining"] == "0"
    assert client.get(library.base).status_code == 429
    assert client.get(library.base, headers=asked).status_code == 304
    # A tag that is not the present one is no way around the limit.
    assert client.get(library.base, headers={"If-None-Match": 'W/"v0"'}).status_code == 429
    assert client.get(library.base, headers={"If-None-Match": "*"}).status_code == 429


def test_what_had_to_be_counted_first_counts(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit=LIMIT).test_client()
    tag = client.get(f"{library.base}/stats").headers["ETag"]
    answer = client.get(f"{library.base}/stats", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (304, "0")


def test_a_caller_of_another_tenant_learns_nothing(library: Library, make_app: MakeApp) -> None:
    tag = make_app(library.database).test_client().get(library.base).headers["ETag"]
    client = make_app(library.database, **_keys_only()).test_client()
    for tags in (tag, "*"):
        assert client.get(library.base, headers={"If-None-Match": tags}).status_code == 401


def _keys_only() -> dict[str, Any]:
    from api.auth_settings import AuthConfig  # noqa: PLC0415

    return {"auth": AuthConfig(methods=("key",))}


def test_a_database_that_is_away(library: Library) -> None:
    app = create_app(Config("postgresql://nobody@127.0.0.1:1/none", rate_limit="", log_level="ERROR"))
    answer = app.test_client().get(library.base, headers={"If-None-Match": 'W/"v0"'})
    assert answer.status_code == 503
    app.extensions["leads_database"].engine.dispose()
