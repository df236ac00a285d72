"""The Flask application, and what runs around each request, in its order."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from flask import Flask, Response, current_app, g
from werkzeug.exceptions import RequestEntityTooLarge

from api.auth.authorizer import Authorizer
from api.config import MEMORY, Config
from api.config.values import ANY_ORIGIN
from api.database.pool import Database
from api.limits.admission import Admission, Slots
from api.limits.exports import Exports
from api.limits.rate import TenantLimit
from api.observe import log
from api.observe.meters import IN_FLIGHT
from api.observe.request_log import RequestLog
from api.request.address import find_addressee
from api.request.body import MAX_BODY_BYTES
from api.request.error_codes import ErrorCode, RequestError
from api.request.record import Clock, Record, begin, system_clock
from api.request.text import MAX_ID_LENGTH
from api.response import body, compression, errors
from api.response.body import After, JsonResponse
from api.response.cors import Cors
from api.response.plain import PlainAnswers
from api.routes import changes, exports, unchanged
from api.routes.docs import docs
from api.routes.health import health
from api.routes.leads import leads
from api.routes.memory import AnswerCache
from api.routes.metrics import metrics as metrics_page
from api.routes.page import page
from api.routes.read_model import ReadModel, State

Hook = Callable[[Record], Any]


def create_app(config: Config, *, clock: Clock | None = None) -> Flask:
    """Return an application with its own pool of connections and its own rate limit.

    Only tests pass a `clock`. Otherwise the clock of the database decides which leads a time range has.
    """
    log.configure(config.log_level, config.log_format, personal_data=config.log_personal_data)
    app = Flask("api", static_folder=None)
    app.response_class = JsonResponse
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    parts = app.extensions["leads"] = _parts(app, config, clock)
    errors.install(app)
    memory = AnswerCache(parts) if config.answers_mb else None
    _hook_in(app, parts, [*filter(None, _after(parts, memory))])
    for blueprint in (leads, exports.exports, changes.changes, health, docs):
        app.register_blueprint(blueprint)
    if not config.metrics_port:
        app.register_blueprint(metrics_page)
    if config.page:
        app.register_blueprint(page)
    if memory is not None:
        # A trace begins in front of Flask, and a shared store of the rate limit would make an answer wait.
        if parts.tracing is None and config.rate_limit_storage == MEMORY:
            parts.answer_at_once = memory.answer_at_once
        app.wsgi_app = memory.in_front_of(app.wsgi_app)  # type: ignore[assignment,method-assign]
    if parts.tracing is not None:
        app.wsgi_app = parts.tracing.around(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _parts(app: Flask, config: Config, clock: Clock | None) -> State:
    tracing = None
    if config.tracing:
        from api.observe.tracing import Tracing  # noqa: PLC0415  # It imports OpenTelemetry, which an extra installs.

        tracing = Tracing(config)
    database = tracing.database if tracing else Database(config)
    request_log = RequestLog(config, tracing)
    constant = body.constant_headers(_varies_by(config))
    return State(
        config,
        clock,
        database,
        Admission(config),
        Authorizer(config.auth, database) if config.auth.is_on else None,
        TenantLimit(app, config) if config.rate_limit else None,
        ReadModel(database, clock),
        Exports(config.exports),
        Slots(config.streams),
        tracing,
        request_log,
        constant,
        PlainAnswers(clock or system_clock, constant, Cors(config.cors_origins), request_log),
    )


def _hook_in(app: Flask, parts: State, after: list[After]) -> None:
    """Have each request pass what _before() yields, and each answer what _after() yields and the constant headers.

    Flask gets one function of each kind, because it checks at every request whether each of its functions is a
    coroutine.
    """
    before = [*filter(None, _before(parts))]

    @app.before_request
    def answer_before() -> Any:  # noqa: ANN401  # Whatever Flask takes for an answer.
        begun = begin(parts.clock or system_clock)
        # The request counts as in flight from here on.
        IN_FLIGHT.inc()
        for hook in before:
            if (answer := hook(begun)) is not None:
                return answer
        return None

    @app.after_request
    def pass_on(response: Response) -> Response:
        current: Record = g.record
        current.headers.update(parts.constant)
        for hook in after:
            response = hook(response, current)
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        if "record" in g:
            IN_FLIGHT.dec()


def _before(parts: State) -> Iterator[Hook | None]:
    """Yield the hooks that a request passes before its endpoint; the first one that answers or raises ends it.

    Each hook gets the record of the request.

    The hooks first check who calls and for which tenant, then the rate limit of the tenant, then the request itself. A
    request of a stranger ends early, so that it takes nothing from a tenant.
    """
    config = parts.config
    # The Host is allowed: only this machine while LEADS_AUTH is not set. The endpoint is found even for a wrong method,
    # so that the following hooks apply.
    yield partial(find_addressee, None if config.auth.methods else config.host_names)
    # A preflight request of a browser is answered before credentials are checked or anything is counted.
    yield Cors(config.cors_origins).answer_preflight if config.cors_origins else None
    # OPTIONS needs no credentials.
    yield _answer_options
    # The caller has credentials that may read this tenant.
    yield parts.authorizer.check if parts.authorizer else None
    # The ids of the path are no longer than the platform stores.
    yield _refuse_long_ids
    # A caller who has the answer of the tenant's present version gets 304, which does not count against the limit.
    yield _answer_unchanged
    # The request counts against the rate limit of its tenant.
    yield parts.limit.check if parts.limit else None
    # The path and the body can be read. The endpoint reads the parameters.
    yield _refuse_unreadable_request


def _answer_unchanged(record: Record) -> Response | None:
    return unchanged.answer_unchanged(record) if "HTTP_IF_NONE_MATCH" in record.request.environ else None


def _answer_options(record: Record) -> Response | None:
    """Answer OPTIONS with the methods that an address takes; None for any other request."""
    request = record.request
    if request.method != "OPTIONS" or request.routing_exception is not None:
        return None
    return current_app.make_default_options_response()


def _after(parts: State, memory: AnswerCache | None) -> Iterator[After | None]:
    """Yield the hooks that each answer passes, in this order; errors pass them too."""
    config = parts.config
    # It is compressed if the caller accepts that.
    yield compression.compress if config.compression else None
    # Pages of allowed origins may read it.
    yield Cors(config.cors_origins).put_headers if config.cors_origins else None
    # It is kept in memory if it may be given again.
    yield memory.keep if memory else None
    # Its time is counted, a line is logged, and its span is completed.
    yield parts.log.write_response


def _varies_by(config: Config) -> Iterator[str]:
    """Yield the headers of a request on which its answer depends."""
    if config.compression:
        yield "Accept-Encoding"
    if config.auth.is_on:
        yield "Authorization"
    # Any origin gets the same header.
    if config.cors_origins and ANY_ORIGIN not in config.cors_origins:
        yield "Origin"


def _refuse_long_ids(record: Record) -> None:
    """Raise RequestError for an id that is longer than the platform can store."""
    for name, value in (record.request.view_args or {}).items():
        # A wrong method is refused as such.
        if len(value) > MAX_ID_LENGTH and record.request.routing_exception is None:
            raise RequestError(f"{name} is longer than {MAX_ID_LENGTH} characters", name, ErrorCode.BAD_ID)


def _refuse_unreadable_request(record: Record) -> None:
    """Raise RequestError for a path with NUL or broken UTF-8, and RequestEntityTooLarge for a large body."""
    request = record.request
    try:
        # A WSGI server passes the bytes of the path on as Latin-1.
        is_broken = "\0" in request.environ.get("PATH_INFO", "").encode("latin-1").decode()
    except UnicodeDecodeError:
        is_broken = True
    if is_broken:
        raise RequestError(
            "the path contains a NUL character (%00) or bytes that are not UTF-8",
            code=ErrorCode.BAD_PATH,
        )
    if "CONTENT_LENGTH" in request.environ and (request.content_length or 0) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
