"""What the application refuses before any route sees it."""

from urllib.parse import unquote, unquote_to_bytes

from flask.testing import FlaskClient

from api.request.body import MAX_BODY_BYTES
from tests.support.cases import cases
from tests.unit.api.conftest import Library
from tests.unit.api.response.test_errors import check


@cases("path", ["/users/a%00b/leads", "/users/%ff/leads", "/users/a/leads/%c3%28", "/%00", "/health/live%00"])
def test_a_path_that_cannot_be_read(client: FlaskClient, path: str) -> None:
    # As servers hand it on; the client's own way through text would mend it.
    answer = client.get("/", environ_overrides={"PATH_INFO": unquote_to_bytes(path).decode("latin-1")})
    assert "path" in check(answer, 400)


@cases(
    "path",
    [
        "/nothing",
        "/users",
        "/users/a",
        "/users//leads",
        "/users/a/leads//messages",
        "/users/a/leads/1/messages/2",
        "/users/a/leads/b%2Fc",
        "/docs/nothing",
    ],
)
def test_unknown_route(client: FlaskClient, path: str) -> None:
    # As servers hand it on; the client takes what follows two slashes at the start for a host.
    answer = client.get("/", environ_overrides={"PATH_INFO": unquote(path)})
    assert check(answer, 404) == (
        "The path has an empty part (//): a user_id or a customer_phone may be missing"
        if "//" in path
        else "There is no endpoint at this address: /openapi.json and /docs/ list all"
    )


def test_a_body_that_is_too_large(client: FlaskClient, library: Library) -> None:
    message = check(client.get(library.base, data=b"x" * (MAX_BODY_BYTES + 1)), 413, "body")
    assert "64 KiB" in message
    assert client.get(library.base, data=b"x" * MAX_BODY_BYTES).status_code == 200
