"""The request at hand, what is noted of it, and its application, without the proxies of Flask.

Through a proxy, such as flask.g, each attribute takes about a microsecond, and a request reads and sets dozens.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import flask
from flask.ctx import _AppCtxGlobals
from werkzeug.local import LocalProxy

OWN_HEADERS = "leads.headers"
"""Where the headers of put_headers are in the environment of a request."""


def _behind(proxy: object) -> Callable[[], Any]:
    """Returns what returns the object that a proxy stands for at that moment."""
    return cast("LocalProxy[Any]", proxy)._get_current_object  # noqa: SLF001  # Werkzeug documents it for use.


app: Callable[[], flask.Flask] = _behind(flask.current_app)
request: Callable[[], flask.Request] = _behind(flask.request)
values: Callable[[], _AppCtxGlobals] = _behind(flask.g)


def put_headers(headers: Mapping[str, str]) -> None:
    """Have the answer to this request carry headers, whatever becomes of it. Each value is one line.

    Werkzeug would check and copy each of them.
    """
    request().environ[OWN_HEADERS].update(headers)
