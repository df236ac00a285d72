"""A caller who has the present answer is told so by the version of the tenant alone."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.database.session import Session
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp, answer_keys
from tests.unit.api.observe.test_meters import value

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
    make_app: MakeApp, library: Library, statements: list[bytes]
) -> None:
    client = make_app(library.database, answers_mb=0).test_client()
    client.get("/health/ready")
    for address in answer_keys(library):
        tag = client.get(address).headers["ETag"]
        statements.clear()
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
        [text] = statements
        # The statistics move with the clock.
        assert (b"lead" in text) is address.endswith("/stats")
    # A tag of another kind costs no statement, and what has changed is looked at once.
    for path, tags, count in (
        ("", 'W/"m0"', 1), ("", '"abc"', 1), ("", "*", 1), ("", "", 1), ("", 'W/"v0"', 2), ("/stats", 'W/"m0"', 1),
    ):  # fmt: skip
        statements.clear()
        client.get(f"{library.base}{path}", headers={"If-None-Match": tags})
        assert len(statements) == count


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
    for path in ("/stats", "?days=7"):
        client = make_app(library.database, rate_limit=LIMIT).test_client()
        tag = client.get(f"{library.base}{path}").headers["ETag"]
        answer = client.get(f"{library.base}{path}", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (304, "0")
        before = value("leads_api_rate_limited_total")
        answer = client.get(f"{library.base}{path}", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (429, "0")
        assert answer.headers["Retry-After"]
        assert value("leads_api_rate_limited_total") == before + 1


REFUSED: dict[str, Callable[[Library], tuple[str, int]]] = {
    "a long id": lambda _: (f"/users/{'x' * 256}/leads", 400),
    "a path with NUL": lambda library: (f"{library.base}/1%00", 400),
    "a wrong parameter": lambda library: (f"{library.base}?limit=0", 400),
    "a moment that is to come": lambda library: (f"{library.base}?min_as_of=2999-01-01", 503),
    "the same, written otherwise": lambda library: (f"{library.base}?min%5Fas%5fof=2999-01-01", 503),
    "no lead": lambda library: (f"{library.base}/nobody", 404),
}


@cases("case", REFUSED)
def test_what_is_refused_is_refused_with_any_tag(client: FlaskClient, library: Library, case: str) -> None:
    address, status = REFUSED[case](library)
    client.get(library.base)
    for tags in ('W/"v0"', 'W/"m0"', "*"):
        assert client.get(address, headers={"If-None-Match": tags}).status_code == status
