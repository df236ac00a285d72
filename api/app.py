"""The Flask application."""

from flask import Flask, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from api import errors, logs, metrics, ratelimit
from api.answers import Clock, JsonResponse, begin, put_headers, system_clock
from api.blueprints.docs import docs
from api.blueprints.health import health
from api.blueprints.leads import leads
from api.blueprints.metrics import metrics as metrics_pages
from api.config import Config
from api.db import Database
from api.values import is_broken

# No endpoint reads a body.
LARGEST_BODY = 64 * 1024


def create_app(config: Config, *, clock: Clock = system_clock) -> Flask:
    """An application of its own, with its own pool and its own counts."""
    logs.configure(config)
    app = Flask("api", static_folder=None)
    app.response_class = JsonResponse
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions["leads_clock"] = clock
    app.extensions["leads_database"] = Database(config)
    errors.install(app)
    app.before_request(begin)
    app.after_request(put_headers)
    logs.install(app, config)
    metrics.install(app, several_workers=config.workers > 1)
    ratelimit.install(app, config)
    app.before_request(_refuse_what_cannot_be_read)
    for blueprint in (leads, health, metrics_pages, docs):
        app.register_blueprint(blueprint)
    return app


def _refuse_what_cannot_be_read() -> None:
    """A path has to be UTF-8 without NUL, and a body small."""
    # A server hands the bytes of the path on as Latin-1.
    path = request.environ.get("PATH_INFO", "")
    if is_broken(path.encode("latin-1").decode(errors="surrogateescape")):
        raise BadRequest("the path holds a NUL character or broken UTF-8")
    if (request.content_length or 0) > LARGEST_BODY:
        raise RequestEntityTooLarge
