"""Which endpoint a request is for, whatever its method."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder, run_wsgi_app

from api.config.auth import AuthConfig
from api.request import addresses
from api.routes.application import Application
from tests.unit.api.auth.tokens import token_config
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
    # Werkzeug finds what takes no GET.
    assert {rule.endpoint for rule in rules if "GET" in (rule.methods or ())} == set(found_by_endpoint)
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


OPEN = AuthConfig(("none",))


def test_what_it_remembers_is_bounded(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(library.database, auth=OPEN)
    assert isinstance(app, Application)
    monkeypatch.setattr(addresses, "_MAX_SHAPES", 5)
    monkeypatch.setattr(addresses, "_MAX_HOSTS", 5)
    client, rng = app.test_client(), Random(1)
    for number in range(50):
        words = "/".join(rng.choice(WORDS) for _ in range(6))
        assert client.get(f"/users/{words}", headers={"Host": f"host-{number}"}).status_code == 404
    assert len(app.addresses._shapes) <= 5  # noqa: SLF001
    assert len(app.addresses._hosts) <= 5  # noqa: SLF001


LOCAL = (
    "localhost", "localhost:4000", "LOCALHOST", "127.0.0.1", "127.0.0.1:4000", "127.9.9.9", "[::1]", "[::1]:4000",
    "leads.internal", "Leads.Internal:80",
)  # fmt: skip
STRANGE = (
    "evil.example", "evil.example:4000", "127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost",
    "localhost.", "a.leads.internal", "leads", "192.168.0.1", "0.0.0.0", "[::]", "[fe80::1]", "[::1", "[1:2:3]",
    "evil@127.0.0.1", "127.0.0.1,evil.example", "127.0.0.1:99999", "localhost/", "localhost:4000 ", "\xe9",
    "x" * 1000,
)  # fmt: skip


def ask(app: Flask, path: str, method: str = "GET", **more: str) -> tuple[int, bytes]:
    """The status and the body of an answer; any Host gets to the application, as a server passes it on."""
    body, status, _ = run_wsgi_app(app, {**environ_of(path, method), **more})
    return int(status.split()[0]), b"".join(body)


def test_a_strangers_name_that_points_to_loopback_reads_nothing(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database, host_names=("leads.internal",))
    known = {"HTTP_IF_NONE_MATCH": app.test_client().get(library.base).headers["ETag"]}
    assert ask(app, library.base, **known)[0] == 304
    for path in ("/", "/page/main.js", "/metrics", "/health/live", "/nothing", f"{library.base}.csv"):
        status, body = ask(app, path, HTTP_HOST="evil.example:4000")
        assert status == 400, path
        assert b"The Host 'evil.example:4000' is not answered: while LEADS_AUTH is not set" in body
    for host in STRANGE:
        for more in ({}, known):
            assert ask(app, library.base, HTTP_HOST=host, **more)[0] == 400, host
        for method in ("HEAD", "OPTIONS", "POST"):
            assert ask(app, library.base, method, HTTP_HOST=host)[0] == 400, host


def test_names_of_this_machine_are_answered_and_any_where_somebody_has_decided(
    library: Library, make_app: MakeApp
) -> None:
    app = make_app(library.database, host_names=("leads.internal",))
    for host in LOCAL:
        assert ask(app, library.base, HTTP_HOST=host)[0] == 200, host
    # HTTP/1.0 may have none, which a server passes on as an empty one or not at all.
    without = {name: text for name, text in environ_of(library.base).items() if name != "HTTP_HOST"}
    assert run_wsgi_app(app, without)[1] == run_wsgi_app(app, {**without, "HTTP_HOST": ""})[1] == "200 OK"
    for auth, status in ((AuthConfig(), 400), (OPEN, 200), (token_config(), 401)):
        app = make_app(library.database, auth=auth)
        for host in ("leads.internal", "evil.example"):
            assert ask(app, library.base, HTTP_HOST=host)[0] == status
