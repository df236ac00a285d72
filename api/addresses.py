"""Which endpoint a request is addressed to, also where it does not take the method."""

from flask import Request, current_app
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import Rule


def find_address(request: Request) -> Rule | None:
    """Returns the rule of the endpoint, and None for an address that does not exist.

    An endpoint answers a method that it does not take, too: such a request asks who calls and counts like any other.
    """
    if request.url_rule is None and isinstance(request.routing_exception, MethodNotAllowed):
        adapter = current_app.create_url_adapter(request)
        if adapter is not None:
            rule, arguments = adapter.match(method="GET", return_rule=True)
            request.url_rule, request.view_args = rule, dict(arguments)
    return request.url_rule
