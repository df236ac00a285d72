"""By which names of this machine the API answers while nobody has decided who may read."""

from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from api.config.auth import AuthConfig
from tests.unit.api.auth.tokens import token_config
from tests.unit.api.conftest import Library, MakeApp


def environ_of(path: str, method: str = "GET", **more: str) -> dict[str, Any]:
    environ = EnvironBuilder(method=method).get_environ()
    return {**environ, "PATH_INFO": path.encode().decode("latin-1"), **more}


OPEN = AuthConfig(("none",))


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
