"""Which endpoint a request is for, whatever its method."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder

from api.request import addresses
from api.routes.application import Application
from tests.unit.api.conftest import Library, MakeApp

WORDS = (
    "users", "leads", "stats", "series", "messages", "changes", "leads.csv", "lead-changes", "health", "live", "docs",
)  # fmt: skip
OTHERS = ("", "a", "49 151", "+49", "..", "é", "a\nb", "a\0b", "<user_id>", "a,b", "STATS", "x" * 300)
METHODS = ("GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "PROPFIND")


@pytest.fixture
def app(library: Library, make_app: MakeApp) -> Application:
    made = make_app(library.database)
    assert isinstance(made, Application)
    return made


def environ_of(path: str, method: str = "GET", **more: str) -> dict[str, Any]:
    environ = EnvironBuilder(method=method).get_environ()
    return {**environ, "PATH_INFO": path.encode().decode("latin-1"), **more}


def paths(rng: Random, rules: list[str]) -> Iterator[str]:
    while True:
        length = rng.randrange(8)
        parts = ["users", *(rng.choice(WORDS if rng.random() < 0.5 else OTHERS) for _ in range(length))]
        yield f"/{'/'.join(parts)}"
        parts = [
            rng.choice(OTHERS) if part.startswith("<") else part for part in rng.choice(rules).split("/")
        ]
        yield f"{'/'.join(parts)}{rng.choice(('', '', '/'))}"


def test_it_finds_what_werkzeug_finds(app: Application) -> None:
    app.addresses.note_host(environ_of("/"))
    rng, found_by_endpoint = Random(5), dict[str, int]()
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/users/<")]
    for number, path in enumerate(paths(rng, [rule.rule for rule in rules])):
        if number == 6000:
            break
        environ = environ_of(path, rng.choice(METHODS))
        found = app.addresses.find(environ)
        try:
            rule, arguments = app.url_map.bind_to_environ(environ, subdomain="").match(return_rule=True)
        except HTTPException:
            assert found is None, path
            continue
        if found is not None:
            assert (found.rule, found.arguments) == (rule, arguments), path
            found_by_endpoint[rule.endpoint] = found_by_endpoint.get(rule.endpoint, 0) + 1
    assert {rule.endpoint for rule in rules} == set(found_by_endpoint)
    assert min(found_by_endpoint.values()) > 5


def test_what_only_werkzeug_can_say(app: Application) -> None:
    known = environ_of("/users/a/leads")
    assert app.addresses.find(known) is None
    app.addresses.note_host(known)
    assert app.addresses.find(known) is not None
    for other in (
        environ_of("/users/a/leads", HTTP_HOST="another"),
        environ_of("/users/a/leads", HTTP_UPGRADE="websocket", HTTP_CONNECTION="Upgrade"),
        environ_of("/users/é/leads"),
        environ_of("/users/a/leads", "POST"),
        environ_of("/users/a/leads/"),
        environ_of("//users/a/leads"),
        environ_of("/health/live"),
    ):
        assert app.addresses.find(other) is None


def test_what_it_remembers_is_bounded(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_MAX_SHAPES", 5)
    monkeypatch.setattr(addresses, "_MAX_HOSTS", 5)
    client, rng = app.test_client(), Random(1)
    for number in range(50):
        words = "/".join(rng.choice(WORDS) for _ in range(6))
        assert client.get(f"/users/{words}", headers={"Host": f"host-{number}"}).status_code == 404
    assert len(app.addresses._shapes) <= 5  # noqa: SLF001
    assert len(app.addresses._hosts) <= 5  # noqa: SLF001
