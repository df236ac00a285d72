"""The request at hand, what is noted of it, and its application, without the proxies of Flask.

Through a proxy, such as flask.g, each attribute takes about a microsecond, and a request reads and sets dozens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import flask
from flask.ctx import _AppCtxGlobals
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_STATE = "leads"


@dataclass(slots=True)
class RequestState:
    """What is noted of a request; it is in its environment, because Flask begins with it later, or not at all."""

    # The perf_counter() of its arrival.
    started: float | None = None
    # Whose place it has among the requests that run.
    tenant: str | None = None
    # What the rate limit has counted.
    counted: Any = None
    # Whether the version of the tenant was looked at, and why that failed.
    has_looked: bool = False
    failure: Exception | None = None
    # Of its answer, whatever becomes of it.
    headers: dict[str, str] = field(default_factory=dict)


def state_of(environ: "WSGIEnvironment") -> RequestState:
    """Returns what is noted of a request."""
    state: RequestState | None = environ.get(_STATE)
    if state is None:
        state = environ[_STATE] = RequestState()
    return state


def _behind(proxy: object) -> Callable[[], Any]:
    """Returns what returns the object that a proxy stands for at that moment."""
    return cast("LocalProxy[Any]", proxy)._get_current_object  # noqa: SLF001  # Werkzeug documents it for use.


app: Callable[[], flask.Flask] = _behind(flask.current_app)
request: Callable[[], flask.Request] = _behind(flask.request)
values: Callable[[], _AppCtxGlobals] = _behind(flask.g)


def query_string() -> str:
    """Returns what the request asks behind its path."""
    return str(request().environ.get("QUERY_STRING", ""))


def put_headers(headers: Mapping[str, str]) -> None:
    """Have the answer to this request carry headers, whatever becomes of it. Each value is one line.

    Werkzeug would check and copy each of them.
    """
    state_of(request().environ).headers.update(headers)
