"""Flask without what this API does not use: all that is left works as Flask's own does."""

import pytest
from flask import Flask, Request, request, session, url_for
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from api.application import Application, LazyRequest
from tests.api.conftest import Library, MakeApp

READ = (
    "method", "path", "full_path", "url", "base_url", "host", "root_path", "query_string", "scheme", "remote_addr",
    "args", "headers", "is_secure", "content_length", "mimetype", "cookies", "access_route", "blueprints", "endpoint",
    "server", "shallow", "url_rule", "view_args",
)  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_each_part_of_a_request_is_what_flask_reads(name: str) -> None:
    builder = EnvironBuilder(
        "/users/é/leads", query_string="a=1&a=2", headers=[("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4")]
    )
    lazy, eager = LazyRequest(builder.get_environ()), Request(builder.get_environ())
    found, wanted = getattr(lazy, name), getattr(eager, name)
    assert (dict(found) if name == "headers" else found) == (dict(wanted) if name == "headers" else wanted)


def test_a_part_that_no_request_has() -> None:
    lazy = LazyRequest(EnvironBuilder().get_environ())
    for _ in range(2):
        with pytest.raises(AttributeError, match="nothing"):
            _ = lazy.nothing
        assert lazy.path == "/"


def test_a_request_whose_address_is_known_can_ask_for_all_that_an_adapter_has(
    library: Library, make_app: MakeApp
) -> None:
    app = make_app(library.database)
    for _ in range(2):
        with app.test_request_context("/users/a/leads/1"):
            assert request.endpoint == "leads.single_lead"
            assert url_for("leads.list_leads", user_id="b") == "/users/b/leads"
            assert (
                url_for("leads.list_leads", user_id="b", _external=True) == "http://localhost/users/b/leads"
            )
            adapter = app.create_url_adapter(request)
            assert adapter is not None
            assert adapter.match(return_rule=True)[1] == {"user_id": "a", "customer_phone": "1"}
            assert adapter.match(method="GET") == (
                "leads.single_lead",
                {"user_id": "a", "customer_phone": "1"},
            )
            assert set(adapter.allowed_methods()) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example", "[::1", "höst", ""])
def test_a_host_is_taken_as_flask_takes_it(client: FlaskClient, library: Library, host: str) -> None:
    plain = Flask("plain", static_folder=None)
    plain.add_url_rule("/users/<user_id>/leads", view_func=lambda user_id: user_id)
    statuses = [
        # Once its shape is known from another host.
        (client.get(library.base), one.get(library.base, environ_overrides={"HTTP_HOST": host}))[
            1
        ].status_code
        for one in (client, plain.test_client())
    ]
    assert statuses[0] == statuses[1]


def test_there_is_no_session(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database)
    with app.test_request_context("/"):
        assert "anything" not in session
        with pytest.raises(RuntimeError, match="secret key"):
            session["anything"] = 1
    assert "Set-Cookie" not in app.test_client().get(library.base).headers


def test_slashes_are_neither_added_nor_merged() -> None:
    app = Application("api")
    app.add_url_rule("/a/b", view_func=lambda: "found")
    client = app.test_client()
    assert client.get("/a/b/").status_code == 200
    assert client.get("/a//b").status_code == 404
