"""The tags of answers, and 304 for a caller who has the present one."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.response import conditional
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp, answer_keys


def addresses(library: Library) -> list[str]:
    """Of the four endpoints, and of a list that moves with the clock."""
    return [*answer_keys(library), f"{library.base}?days=7", f"{library.base}?lead_status=Hot&limit=3"]


def ask(client: FlaskClient, address: str, tags: str) -> TestResponse:
    return client.get(address, headers={"If-None-Match": tags})


@cases(
    ("given", "status"),
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
def test_any_tag_of_the_list_counts(client: FlaskClient, library: Library, given: str, status: int) -> None:
    for address in addresses(library):
        tag = client.get(address).headers["ETag"]
        strong = tag.removeprefix("W/")
        tags = given.replace("{tag}", tag).replace("{strong}", strong).replace("{bare}", strong.strip('"'))
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
    assert ask(client, library.base, tag).status_code == 200
