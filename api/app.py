"""The Flask application."""

from flask import Flask, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from api import log, metrics, rate_limit, request_log
from api.auth import gate
from api.config import Config
from api.database.pool import Database
from api.request.text import is_broken
from api.response import errors
from api.response.body import Clock, JsonResponse, begin, put_headers, system_clock
from api.routes import read_model
from api.routes.docs import docs
from api.routes.health import health
from api.routes.leads import leads
from api.routes.metrics import metrics as metrics_page

# No endpoint reads a body.
MAX_BODY_BYTES = 64 * 1024


def create_app(config: Config, *, clock: Clock = system_clock) -> Flask:
    """Returns an application with its own pool of connections and its own rate limit."""
    log.configure(config.log_level, config.log_format, personal_data=config.log_personal_data)
    app = Flask("api", static_folder=None)
    app.response_class = JsonResponse
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions["leads_clock"] = clock
    database = Database(config)
    read_model.install(app, database)
    errors.install(app)
    app.before_request(begin)
    app.after_request(put_headers)
    request_log.install(app, config)
    metrics.install(app, several_workers=config.workers > 1)
    # The order of a request: who calls and for which tenant, how much that tenant asks for, what is asked. What a
    # stranger sends ends at the first, so that it takes nothing from a tenant.
    gate.install(app, config.auth, database)
    rate_limit.install(app, config)
    app.before_request(_refuse_unreadable_request)
    for blueprint in (leads, health, metrics_page, docs):
        app.register_blueprint(blueprint)
    return app


def _refuse_unreadable_request() -> None:
    """Raise BadRequest for a path with NUL or broken UTF-8, and RequestEntityTooLarge for a large body."""
    # A WSGI server passes the bytes of the path on as Latin-1.
    path = request.environ.get("PATH_INFO", "")
    if is_broken(path.encode("latin-1").decode(errors="surrogateescape")):
        raise BadRequest("the path contains a NUL character (%00) or bytes that are not UTF-8")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
