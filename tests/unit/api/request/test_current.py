"""What stands behind Flask's proxies, each time for the request at hand."""

import flask
import pytest

from api.app import create_app
from api.config import Config
from api.request import current


def test_each_request_has_its_own() -> None:
    app = create_app(Config("", rate_limit="", log_level="ERROR"))
    for path in ("/one", "/other"):
        with app.test_request_context(path):
            flask.g.noted = path
            assert current.request().path == path
            assert current.values().noted == path
            assert current.app() is app
    for one in (current.request, current.values, current.app):
        with pytest.raises(RuntimeError):
            one()


def test_no_hook_and_no_endpoint_is_a_coroutine() -> None:
    """Flask is told not to look."""
    app = create_app(Config("", rate_limit="1 per minute", log_level="INFO"))
    hooks = [
        hook
        for found in (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
        for hooks_of_one in found.values()
        for hook in hooks_of_one
    ]
    called = [*hooks, *app.view_functions.values()]
    assert len(called) > 10
    assert [one for one in called if flask.Flask.ensure_sync(app, one) is not one] == []
