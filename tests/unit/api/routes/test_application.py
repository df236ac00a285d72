"""Flask without what this API does not use: all that is left works as Flask's own does."""

from functools import partial
from typing import NoReturn

from flask import Blueprint, Flask, Request, Response, request, url_for
from werkzeug.test import EnvironBuilder

from api.config.auth import AuthConfig
from api.request import current
from api.request.addresses import find_address
from api.routes.application import Application, LazyRequest
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp

READ = (
    "method", "path", "full_path", "url", "base_url", "host", "root_path", "query_string", "scheme", "remote_addr",
    "args", "headers", "is_secure", "content_length", "mimetype", "cookies", "access_route", "blueprints", "endpoint",
    "server", "shallow", "url_rule", "view_args",
)  # fmt: skip


@cases("name", READ)
def test_each_part_of_a_request_is_what_flask_reads(name: str) -> None:
    builder = EnvironBuilder(
        "/users/é/leads", query_string="a=1&a=2", headers=[("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4")]
    )
    lazy, eager = LazyRequest(builder.get_environ()), Request(builder.get_environ())
    found, wanted = getattr(lazy, name), getattr(eager, name)
    assert (dict(found) if name == "headers" else found) == (dict(wanted) if name == "headers" else wanted)


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


@cases("host", ["a..b", "a" * 70 + ".example", "[::1", "höst", ""])
def test_a_host_is_taken_as_flask_takes_it(library: Library, make_app: MakeApp, host: str) -> None:
    client = make_app(library.database, auth=AuthConfig(("none",))).test_client()
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


def _fail(*_: object) -> NoReturn:
    raise ZeroDivisionError


def _with_hooks(app: Flask) -> list[str]:
    """Give an application hooks and endpoints. Returns what notes each call."""
    calls: list[str] = []
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)

    def before(name: str) -> None:
        # As the API does: after it, an address that does not take the method has an endpoint too.
        find_address(current.request())
        calls.append(f"before {name}")

    def after(response: Response, name: str) -> Response:
        calls.append(f"after {name} {response.status_code}")
        return response

    for number in (1, 2):
        for owner in (app, outer, inner):
            name = f"{owner.name} {number}"
            owner.before_request(partial(before, name))
            owner.after_request(partial(after, name=name))
            owner.teardown_request(partial(lambda _error, name: calls.append(f"teardown {name}"), name=name))
    inner.before_request(lambda: "early" if request.args.get("early") else None)
    inner.add_url_rule("/inner/<word>", "word", lambda word: (word, 201))
    inner.add_url_rule("/bug", "bug", _fail)
    outer.add_url_rule("/outer", "outer", lambda: "found")
    app.add_url_rule("/own", "own", lambda: {"found": True})
    app.register_error_handler(404, lambda _error: ("nothing there", 404))
    app.register_error_handler(ZeroDivisionError, lambda _error: ("bug", 500))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return calls


@cases("method", ["GET", "HEAD", "OPTIONS", "POST"])
@cases("path", ["/own", "/outer", "/inner/a", "/inner/b?early=1", "/bug", "/nothing"])
def test_hooks_run_as_flask_runs_them(path: str, method: str) -> None:
    apps = Application("app"), Flask("app", static_folder=None)
    made = [(app.test_client(), _with_hooks(app)) for app in apps]
    # Once more when the hooks of the endpoint are known.
    for _ in range(2):
        answers = [client.open(path, method=method) for client, _ in made]
        ours, theirs = (
            (one.status, one.data, sorted(one.headers.keys()), calls)
            for one, (_, calls) in zip(answers, made, strict=True)
        )
        assert ours == theirs
        assert "before app 1" in ours[3]
        assert "teardown app 2" in ours[3]
        for _, calls in made:
            calls.clear()


def test_an_error_after_the_view_is_answered_as_flask_answers_it() -> None:
    statuses = []
    for app in (Application("app"), Flask("app", static_folder=None)):
        app.add_url_rule("/", view_func=lambda: "found")
        app.register_error_handler(500, lambda _error: ("sorry", 500))
        app.after_request(_fail)
        app.logger.disabled = True
        answer = app.test_client().get("/")
        statuses.append((answer.status, answer.data))
    assert statuses[0] == statuses[1] == ("500 INTERNAL SERVER ERROR", b"sorry")


def test_no_hook_and_no_endpoint_is_a_coroutine(library: Library, make_app: MakeApp) -> None:
    """Flask is told not to look."""
    app = make_app(library.database, rate_limit="1 per minute", log_level="INFO")
    hooks = [
        hook
        for found in (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
        for hooks_of_one in found.values()
        for hook in hooks_of_one
    ]
    called = [*hooks, *app.view_functions.values()]
    assert len(called) > 10
    assert [one for one in called if Flask.ensure_sync(app, one) is not one] == []
