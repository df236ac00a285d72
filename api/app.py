"""The Flask application."""

from collections.abc import Iterator

from flask import Flask
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from api.auth import gate
from api.config import Config
from api.config.values import ANY_ORIGIN
from api.database.pool import Database
from api.limits import rate, running, waiting
from api.limits.exports import Exports
from api.limits.waiting import Seen, Waiting
from api.observe import log, metrics, request_log
from api.plan.projection import tenant_freshness
from api.request import current
from api.request.body import MAX_BODY_BYTES
from api.request.text import is_broken
from api.response import compression, cors, errors
from api.response.body import Clock, JsonResponse, begin, system_clock, with_constant_headers
from api.routes import changes, exports, unchanged
from api.routes.application import Application
from api.routes.docs import docs
from api.routes.health import health
from api.routes.leads import leads
from api.routes.metrics import metrics as metrics_page
from api.routes.page import page
from api.routes.read_model import ReadModel, State, read_model


def create_app(config: Config, *, clock: Clock | None = None) -> Flask:
    """Returns an application with its own pool of connections and its own rate limit.

    Only a test says by `clock` what time it is. Else the clock of the database decides what a window has.
    """
    log.configure(config.log_level, config.log_format, personal_data=config.log_personal_data)
    app = Application("api", None if config.auth.methods else config.host_names)
    app.response_class = JsonResponse
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["leads_clock"] = clock or system_clock
    if config.tracing:
        from api.observe import tracing  # noqa: PLC0415  # It imports OpenTelemetry, which an extra installs.

        database = tracing.install(app, config)
    else:
        database = Database(config)
    errors.install(app)
    app.before_request(begin)
    request_log.install(app, config)
    metrics.install(app)
    cors.install(app, config.cors_origins)
    # The order of a request: who calls and for which tenant, how much that tenant asks for, what is asked. What a
    # stranger sends ends at the first, so that it takes nothing from a tenant.
    asks = gate.install(app, config.auth, database)
    # What waits holds no place among those that run.
    room = Waiting()
    waiting.install(app, room, _seen)
    changes.install(app, room)
    bound = running.install(app, config)
    unchanged.install(app)
    limit = rate.install(app, config)
    app.before_request(_refuse_unreadable_request)
    compression.install(app, config)
    for blueprint in (leads, exports.exports, changes.changes, health, docs):
        app.register_blueprint(blueprint)
    if not config.metrics_port:
        app.register_blueprint(metrics_page)
    if config.page:
        app.register_blueprint(page)
    state = State(config, clock, database, bound, asks, limit, ReadModel(database), Exports(config.exports))
    app.extensions["leads"] = state
    unchanged.install_shortcut(app, state)
    # Around all else, so that each answer has them.
    app.wsgi_app = with_constant_headers(app.wsgi_app, *_varies_by(config))  # type: ignore[assignment,method-assign]
    return app


def _varies_by(config: Config) -> Iterator[str]:
    """Yields the headers of a request that decide on its answer."""
    if config.compression:
        yield "Accept-Encoding"
    if config.auth.is_on:
        yield "Authorization"
    # Any origin gets the same header.
    if config.cors_origins and ANY_ORIGIN not in config.cors_origins:
        yield "Origin"


def _seen(tenant: str) -> Seen:
    read_model().require_built()
    return Seen(*read_model().database.fetch(tenant_freshness(tenant)))


def _refuse_unreadable_request() -> None:
    """Raise BadRequest for a path with NUL or broken UTF-8, and RequestEntityTooLarge for a large body."""
    # A WSGI server passes the bytes of the path on as Latin-1.
    environ = current.request().environ
    path = environ.get("PATH_INFO", "")
    if is_broken(path.encode("latin-1").decode(errors="surrogateescape")):
        raise BadRequest("the path contains a NUL character (%00) or bytes that are not UTF-8")
    if "CONTENT_LENGTH" in environ and (current.request().content_length or 0) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
