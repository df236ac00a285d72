"""The samples of errors are what the API says."""

import re
from datetime import datetime
from typing import Any

import orjson
from flask.testing import FlaskClient

from api.limits.waiting import StaleError
from api.request import change_token
from api.request.change_token import Position, Token, history_of
from api.response.openapi.document import document
from api.routes.read_model import NEVER_BUILT
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.auth.tokens import claims, signed, token_config
from tests.unit.api.conftest import Library, MakeApp

RESPONSES = orjson.loads(document(asks_who_calls=True))["components"]["responses"]


def sample(status: int, name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESPONSES[f"Error{status}"]["content"]["application/json"]["examples"][name][
        "value"
    ]
    return found


def check(answer: Any, status: int, name: str) -> None:  # noqa: ANN401
    """The answer is the sample, but for its moment and its id."""
    assert answer.status_code == status
    expected, found = sample(status, name), answer.get_json()
    assert list(found) == list(expected)
    for key in ("error", "message"):
        assert found[key] == expected[key]


@cases(
    ("query", "name"),
    [("lead_stauts=Hot&days=0", "parameters"), ("min_total_score=12&max_total_score=7", "range")],
)
def test_a_bad_request(client: FlaskClient, library: Library, query: str, name: str) -> None:
    check(client.get(f"{library.base}?{query}"), 400, name)


def test_an_unknown_lead_and_a_large_body(client: FlaskClient, library: Library) -> None:
    check(client.get(f"{library.base}/none"), 404, "lead")
    check(client.get(library.base, data=b"x" * 70_000), 413, "body")


def test_a_stranger_and_another_tenant(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, auth=token_config()).test_client()
    check(client.get(library.base), 401, "missing")
    token = signed(claims(sub="another"))
    check(client.get(library.base, headers={"Authorization": f"Bearer {token}"}), 403, "otherTenant")


def test_a_tenant_that_asks_too_often(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit="1 per minute").test_client()
    client.get(library.base)
    check(client.get(library.base), 429, "limit")


def test_too_many_exports_at_once(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database, exports=1)
    app.extensions["leads"].exports.take()
    check(app.test_client().get(f"{library.base}.ndjson"), 429, "exports")


def test_a_token_from_another_history(library: Library, client: FlaskClient) -> None:
    token = change_token.write(library.tenant, Token(Position(1), history_of(b"elsewhere", None)))
    check(client.get(f"/users/{library.tenant}/lead-changes?since={token}"), 410, "token")


def test_a_failure_of_the_api(client: FlaskClient, library: Library) -> None:
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    client.application.extensions["leads"].read_model = None
    check(client.get(library.base), 500, "failure")


def test_a_read_model_that_was_never_built(template: Database, make_app: MakeApp) -> None:
    check(make_app(template).test_client().get("/users/u/leads"), 503, "notBuilt")
    assert sample(503, "notBuilt")["message"] == NEVER_BUILT


def test_data_that_are_not_fresh_enough() -> None:
    moments = re.findall(r"\d{4}-\S+?Z", sample(503, "stale")["message"])
    as_of, min_as_of = map(datetime.fromisoformat, moments)
    assert str(StaleError(as_of, min_as_of)) == sample(503, "stale")["message"]
