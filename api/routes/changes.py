"""The changes since a token, as a page or as a stream.

There are two feeds: the newest state of each lead that was written or deleted, and each change of the status of a lead
that was written or withdrawn.
"""

from functools import partial
from typing import NamedTuple
from wsgiref.types import WSGIEnvironment

from flask import Blueprint, Response
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import BadRequest
from werkzeug.http import parse_accept_header
from werkzeug.routing import Rule

from api.database.errors import UnavailableError
from api.plan.changes import FEEDS, ChangesRow, Feed, NowRow, json_of_change, now_of
from api.request.error_codes import ErrorCode, RequestError
from api.request.parameters import Parameters
from api.request.position import change_token
from api.request.position.change_token import LEADS, STATUSES, Position, Token, TokenError, history_of
from api.request.query import QUERIES
from api.request.record import record
from api.response.body import JsonResponse, closed
from api.response.errors import TokenGoneError
from api.response.events import EventStream, open_stream
from api.response.openapi import EVENTS
from api.routes.read_model import parameters_of, read_model, state

changes = Blueprint("changes", __name__, url_prefix="/users/<user_id>")

_FEEDS = {"changes.lead_changes": FEEDS[LEADS], "changes.status_changes": FEEDS[STATUSES]}
BUSY = (
    "As many event streams are open as there may be (LEADS_STREAMS): ask without a stream, or try again later"
)


@changes.get("/lead-changes")
def lead_changes(user_id: str) -> Response:
    """List the leads that changed since a token."""
    return _changes(user_id, FEEDS[LEADS])


@changes.get("/status-changes")
def status_changes(user_id: str) -> Response:
    """List the changes of statuses that were written or withdrawn since a token."""
    return _changes(user_id, FEEDS[STATUSES])


def _changes(user_id: str, feed: Feed) -> Response:
    parameters = parameters_of(feed.operation)
    if _wants_events(record().request.environ):
        return _begin_stream(user_id, feed, parameters)
    if parameters.since is None:
        now = _now(user_id, feed, parameters)
        return _answer(user_id, feed, now, ChangesPage([], after_all(now), has_more=False))
    token = _token(user_id, feed, "since", parameters.since)
    asked = feed.changes_since(user_id, token.position, parameters)
    row = read_model().fetch(asked, parameters)
    return _answer(user_id, feed, row, page_after(feed, token, row, parameters))


def _now(user_id: str, feed: Feed, parameters: Parameters) -> NowRow:
    """Return the present position of a feed. Raises UnavailableError while the feed cannot tell what comes next."""
    row = read_model().fetch(now_of(user_id), parameters)
    read_model().require_parts(row, feed.changes_since(user_id, after_all(row), parameters), parameters)
    return row


def _wants_events(environ: WSGIEnvironment) -> bool:
    """Return whether the caller prefers a stream to a page."""
    accepted = environ.get("HTTP_ACCEPT", "")
    if environ["REQUEST_METHOD"].upper() != "GET" or EVENTS not in accepted:
        return False
    return parse_accept_header(accepted, MIMEAccept).best_match(("application/json", EVENTS)) == EVENTS


def _begin_stream(user_id: str, feed: Feed, parameters: Parameters) -> Response:
    """Begin a stream at the caller's position or at the present one, and take a slot."""
    environ = record().request.environ
    name, text = "Last-Event-ID", environ.get("HTTP_LAST_EVENT_ID")
    if not text:
        name, text = "since", parameters.since
    token = _token(user_id, feed, name, text) if text else None
    row = _now(user_id, feed, parameters)
    since = token or Token(after_all(row), history_of(row.place, row.epoch))
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    stream = EventStream(
        user_id, feed.name, parameters, since, authorization, is_gone=not _is_known(feed, since, row)
    )
    streams = state().streams
    if not streams.take(user_id):
        raise UnavailableError(BUSY)
    return open_stream(stream, partial(streams.give_back, user_id))


def _token(user_id: str, feed: Feed, name: str, text: str) -> Token:
    try:
        return change_token.read(user_id, text, feed.name)
    except TokenError:
        raise RequestError(
            f"{name} takes what an answer for this tenant gave as next", name, ErrorCode.BAD_TOKEN
        ) from None


class ChangesPage(NamedTuple):
    """The changes of a page, and the position after them."""

    changes: list[bytes]
    following: Position
    has_more: bool


def page_after(feed: Feed, token: Token, row: ChangesRow, parameters: Parameters) -> ChangesPage:
    """Return the page after a token. Raises TokenGoneError unless every change since the token is known."""
    if not _is_known(feed, token, row):
        raise TokenGoneError(feed.export)
    changes = row.page[: parameters.page.limit]
    has_more = len(row.page) > len(changes)
    return ChangesPage(changes, feed.position_of(changes[-1]) if has_more else after_all(row), has_more)


def awaited_change(rule: Rule, user_id: str, environ: WSGIEnvironment) -> tuple[EventStream, float] | None:
    """Return the stream that a request to a feed waits for, and the seconds; None if the request does not wait."""
    feed = _FEEDS.get(rule.endpoint)
    if feed is None or _wants_events(environ):
        return None
    try:
        parameters = QUERIES[feed.operation].read(environ["QUERY_STRING"])
        if not parameters.wait or parameters.since is None:
            return None
        token = change_token.read(user_id, parameters.since, feed.name)
    except (BadRequest, TokenError):
        # The view answers with the error.
        return None
    return EventStream(user_id, feed.name, parameters, token, "", is_gone=False), parameters.wait


def _is_known(feed: Feed, token: Token, row: NowRow) -> bool:
    """Return whether this read model knows every change since the token."""
    pruned = feed.pruned(row)
    is_pruned = pruned and token.position.version <= pruned
    # A token of the second history was given while the tenant was unknown, so all leads came later.
    histories = {history_of(row.place, row.epoch), history_of(row.place, None)}
    return not is_pruned and token.position <= after_all(row) and token.history in histories


def after_all(row: NowRow) -> Position:
    """Return the position after every change in the snapshot of a row; for an unknown tenant, before all."""
    return Position(0 if row.newest is None else row.newest + 1)


def _answer(user_id: str, feed: Feed, row: NowRow, page: ChangesPage) -> Response:
    record().rows = len(page.changes)
    printed = b",".join(map(json_of_change, page.changes))
    following = Token(page.following, history_of(row.place, row.epoch))
    token = change_token.write(user_id, following, feed.name)
    more = b"true" if page.has_more else b"false"
    return JsonResponse(
        closed(b'{"success":true,"data":[%b],"next":"%b","hasMore":%b,' % (printed, token.encode(), more))
    )
