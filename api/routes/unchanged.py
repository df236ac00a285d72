"""Answers a caller who has the present answer, by the version of the tenant alone.

For the statistics, it takes the oldest lead of each time range too, and counts against the rate limit.

A tag of a version was given with an answer of this very address. So the address is a good one, and nothing of it has to
be read again. Such a request is answered before Flask begins with it, which would cost as much as the answer does.
Whatever is not as plain as that, such as a caller who has to be looked up or a tenant who is busy, is left to Flask,
which asks for the version in its turn.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from flask import Response

from api.auth.access import NOTHING, Access
from api.observe import request_log
from api.observe.meters import IN_FLIGHT, count_response
from api.plan.projection import tenant_version
from api.plan.statistics import statistics_state, windows_of
from api.request import current
from api.request.addresses import Address
from api.request.text import MAX_ID_LENGTH
from api.response.body import correlation_id, freshness_headers, system_clock
from api.response.conditional import (
    known_tags,
    may_be_decided_by_version,
    may_be_of_a_moment,
    not_modified,
    present_tag,
)
from api.response.cors import Cors
from api.routes.application import Application
from api.routes.read_model import State, read_model

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ENDPOINTS = "leads."
_STATISTICS = "leads.lead_statistics"
_METHODS = ("GET", "HEAD")
_STATUS = 304
_STATUS_LINE = "304 NOT MODIFIED"


def install(app: Application) -> None:
    """Have requests that name such a tag answered before they count against the rate limit."""
    app.before_request(_answer_unchanged)


def install_shortcut(app: Application, state: State) -> None:
    """Have the plain ones of these requests answered before Flask, once all other parts are installed."""
    # A trace has a span of each request, which begins and ends within Flask.
    if state.config.tracing:
        return
    app.before_request(_raise_failure)
    app.wsgi_app = Shortcut(app, state)  # type: ignore[method-assign]


def _answer_unchanged() -> Response | None:
    """Returns 304 if a tag of the request is that of the tenant's present version; else the request goes on."""
    request = current.request()
    if current.state_of(request.environ).has_looked:
        # The statistics count against the limit before they are read.
        if request.endpoint != _STATISTICS:
            _raise_failure()
        return None
    known, rule = known_tags(request.environ), request.url_rule
    if known is None or rule is None or rule.endpoint == _STATISTICS or request.method not in _METHODS:
        return None
    address = Address(rule, request.view_args or {})
    if not _may_be_short(request.environ, address, known):
        return None
    row = read_model().fetch(tenant_version(address.arguments["user_id"]))
    tag = present_tag(request.environ, row.version, known)
    return None if tag is None else not_modified(tag)


def _raise_failure() -> None:
    """Raise what kept the shortcut from its answer, at the place in the order of a request where it would be met."""
    failure = current.state_of(current.request().environ).failure
    if failure is not None:
        raise failure


class Shortcut:
    """The application, with what it is asked answered by the version of the tenant where that is possible at once.

    It keeps the order of a request: who calls, the lengths of the ids, the bound of running requests, the database.
    """

    def __init__(self, app: Application, parts: State) -> None:
        self._addresses = app.addresses
        self._wsgi_app = app.wsgi_app
        self._parts = parts
        self._cors = Cors(parts.config.cors_origins) if parts.config.cors_origins else None
        self._write_log = request_log.writer(parts.config)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answers the request, or has the application answer it."""
        known = known_tags(environ)
        if known is not None:
            try:
                headers = self._headers(environ, known)
            # Flask has an answer to each, and the order in which it comes.
            except Exception as error:  # noqa: BLE001
                state = current.state_of(environ)
                state.has_looked, state.failure = True, error
                headers = None
            if headers is not None:
                start_response(_STATUS_LINE, headers)
                return []
        return self._wsgi_app(environ, start_response)

    def _headers(self, environ: "WSGIEnvironment", known: AbstractSet[str]) -> list[tuple[str, str]] | None:
        """Returns the headers of 304 where that is the answer; None where Flask has to say what is."""
        address = self._addresses.find(environ)
        if address is None or not _may_be_short(environ, address, known):
            return None
        tenant = address.arguments["user_id"]
        caller = self._caller(environ, tenant)
        if caller is None or not self._parts.running.enter_at_once(environ, tenant):
            return None
        current.state_of(environ).started = perf_counter()
        IN_FLIGHT.inc()
        try:
            headers = self._present(environ, address, known)
        finally:
            IN_FLIGHT.dec()
        if headers is None:
            current.state_of(environ).has_looked = True
            return None
        name = correlation_id(environ, system_clock())
        headers.append(("X-Correlation-Id", name))
        if self._cors is not None:
            headers += self._cors.headers_for(environ)
        self._note(environ, address, caller, name)
        self._parts.running.leave_noted(environ)
        return headers

    def _present(
        self, environ: "WSGIEnvironment", address: Address, known: AbstractSet[str]
    ) -> list[tuple[str, str]] | None:
        """Returns the headers of the present answer if the caller has that."""
        model, tenant = self._parts.read_model, address.arguments["user_id"]
        if address.rule.endpoint != _STATISTICS:
            row = model.look(tenant_version(tenant))
            tag = present_tag(environ, row.version, known)
            return None if tag is None else [("ETag", tag), *freshness_headers(row).items()]
        limited: Mapping[str, str] = {}
        if self._parts.limit is not None:
            counted = self._parts.limit.count(environ, tenant)
            if counted.is_beyond:
                return None
            limited = self._parts.limit.headers_for(counted)
        state = model.look(statistics_state(tenant, self._parts.now()))
        tag = present_tag(environ, state.version, known, moving=windows_of(state))
        return None if tag is None else [("ETag", tag), *freshness_headers(state).items(), *limited.items()]

    def _caller(self, environ: "WSGIEnvironment", tenant: str) -> Access | None:
        """Returns who calls; None if that has to be checked, and NOTHING where nobody is asked."""
        gate = self._parts.gate
        if gate is None:
            return NOTHING
        return gate.has_let_through(environ.get("HTTP_AUTHORIZATION", ""), tenant)

    def _note(self, environ: "WSGIEnvironment", address: Address, caller: Access, name: str) -> None:
        """Count the answer, and log it."""
        started, route = current.state_of(environ).started or 0.0, address.rule.rule
        count_response(route, _STATUS, perf_counter() - started)
        if self._write_log is not None:
            answered = request_log.Answered(
                route, address.arguments["user_id"], _STATUS, started, 0, name, caller.name or None
            )
            self._write_log(environ, answered)


def _may_be_short(environ: "WSGIEnvironment", address: Address, known: AbstractSet[str]) -> bool:
    """Returns whether one of the tags may be the present one, and the address needs no refusal."""
    endpoint = address.rule.endpoint
    may_fit = may_be_of_a_moment if endpoint == _STATISTICS else may_be_decided_by_version
    if not endpoint.startswith(_ENDPOINTS) or not may_fit(known):
        return False
    if max(map(len, address.arguments.values())) > MAX_ID_LENGTH or "\0" in environ["PATH_INFO"]:
        return False
    # Whether an answer is as fresh as such a request asks is compared where its rows are read.
    return "min_as_of" not in unquote_plus(environ.get("QUERY_STRING", ""))
