"""A caller who has the present answer is told so: by the version of the tenant alone, and by any of its tags."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.database.statement import CompiledStatement
from api.response import conditional
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp, endpoints
from tests.unit.api.observe.test_metrics import value

LIMIT = "2 per minute"


def test_it_reads_nothing_but_the_version(
    make_app: MakeApp, library: Library, statements: list[CompiledStatement[Any]]
) -> None:
    client = make_app(library.database, answers_mb=0).test_client()
    client.get("/health/ready")
    for address in endpoints(library):
        tag = client.get(address).headers["ETag"]
        statements.clear()
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
        [statement] = statements
        # The statistics move with the clock.
        assert (b"lead" in statement.text) is address.endswith("/stats")
    # A tag of another kind costs no statement, and what has changed is looked at once.
    for path, tags, count in (
        ("", 'W/"m0"', 1), ("", '"abc"', 1), ("", "*", 1), ("", "", 1), ("", 'W/"v0"', 2), ("/stats", 'W/"m0"', 1),
    ):  # fmt: skip
        statements.clear()
        client.get(f"{library.base}{path}", headers={"If-None-Match": tags})
        assert len(statements) == count


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


@cases(
    ("address", "status"),
    [
        (f"/users/{'x' * 256}/leads", 400),
        ("{base}/1%00", 400),
        ("{base}?limit=0", 400),
        # A moment that is to come, written in two ways.
        ("{base}?min_as_of=2999-01-01", 400),
        ("{base}?min%5Fas%5fof=2999-01-01", 400),
        ("{base}/nobody", 404),
    ],
)
def test_what_is_refused_is_refused_with_any_tag(
    client: FlaskClient, library: Library, address: str, status: int
) -> None:
    client.get(library.base)
    for tags in ('W/"v0"', 'W/"m0"', "*"):
        answer = client.get(address.replace("{base}", library.base), headers={"If-None-Match": tags})
        assert answer.status_code == status


@cases(
    ("header", "status"),
    [
        ("{tag}", 304),
        # As a strong one: the comparison is a weak one.
        ("{strong}", 304),
        ('W/"other", {tag}', 304),
        ('"a,b",{strong} , "c"', 304),
        ("*", 304),
        (" * ", 304),
        ('W/"other"', 200),
        ('"*"', 200),
        ("", 200),
        ("{bare}", 200),
        ('W/"{bare}', 200),
        ("\N{SNOWMAN}", 200),
    ],
)
def test_any_tag_of_the_list_counts(client: FlaskClient, library: Library, header: str, status: int) -> None:
    # Of the four endpoints, and of a list that moves with the clock.
    for address in [*endpoints(library), f"{library.base}?days=7"]:
        tag = client.get(address).headers["ETag"]
        strong = tag.removeprefix("W/")
        tags = header.replace("{tag}", tag).replace("{strong}", strong).replace("{bare}", strong.strip('"'))
        answer = client.get(address, environ_overrides={"HTTP_IF_NONE_MATCH": tags})
        assert answer.status_code == status, address
        assert answer.headers["ETag"] == tag
        assert answer.headers["X-Data-As-Of"]
        assert bool(answer.data) is ("Content-Type" in answer.headers) is (status == 200)


def test_another_version_of_the_program_has_other_tags(
    make_app: MakeApp, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_app(library.database, answers_mb=0).test_client()
    tag = client.get(library.base).headers["ETag"]
    monkeypatch.setattr(conditional, "__version__", "another")
    assert client.get(library.base, headers={"If-None-Match": tag}).status_code == 200
