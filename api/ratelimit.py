"""So many requests a minute for each tenant."""

from http import HTTPStatus

from flask import Flask, Response, current_app, request
from flask_limiter import Limiter
from werkzeug.exceptions import MethodNotAllowed

from api.config import MEMORY, Config
from api.errors import RETRY_AFTER_SECONDS

LIMITED_BLUEPRINT = "leads"
# A store that does not answer must not hold up the requests: they are counted in memory until it is back.
STORE_TIMEOUT_SECONDS = 1


def install(app: Flask, config: Config) -> None:
    """Count every request of the four endpoints, and say on every answer what is left."""
    if not config.rate_limit:
        return
    shared = config.rate_limit_storage != MEMORY
    timeouts: dict[str, str | int] = {
        "socket_connect_timeout": STORE_TIMEOUT_SECONDS,
        "socket_timeout": STORE_TIMEOUT_SECONDS,
    }
    limiter = Limiter(
        _tenant,
        application_limits=[config.rate_limit],
        strategy="fixed-window",
        headers_enabled=True,
        storage_uri=config.rate_limit_storage,
        storage_options=dict(timeouts) if shared else {},
        in_memory_fallback_enabled=shared,
    )
    limiter.request_filter(lambda: request.blueprint != LIMITED_BLUEPRINT)
    app.before_request(_count_refused_method)
    # What is registered first comes last on the way out, so this sees the headers of the limiter.
    app.after_request(_tidy_retry_after)
    limiter.init_app(app)


def _tenant() -> str:
    return str((request.view_args or {}).get("user_id"))


def _count_refused_method() -> None:
    """Let a request count whose method is refused: that too is an answer of the endpoint."""
    if isinstance(request.routing_exception, MethodNotAllowed):
        adapter = current_app.create_url_adapter(request)
        if adapter is not None:
            request.url_rule, arguments = adapter.match(method="GET", return_rule=True)
            request.view_args = dict(arguments)


def _tidy_retry_after(response: Response) -> Response:
    """The limiter puts Retry-After on every answer; it belongs to those that ask for patience."""
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(max(1, int(response.headers.get("Retry-After", 1))))
    elif response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    else:
        response.headers.pop("Retry-After", None)
    return response
