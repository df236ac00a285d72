"""What changed since a token: the newest state of each lead that was written, and the leads that went."""

from collections.abc import Callable

from flask import Blueprint, Response
from werkzeug.exceptions import BadRequest

from api.limits.waiting import Waiting
from api.plan.changes import ChangesRow, IsChangedRow, NowRow, changes_since, is_changed_since, now_of
from api.plan.projection import tenant_version
from api.request import change_token
from api.request.change_token import Position, Token, TokenError, history_of
from api.request.query import CHANGES_QUERY
from api.request.record import Record, query_string, record
from api.response.body import JsonResponse, closed
from api.response.errors import TokenGoneError
from api.routes.read_model import read_model

changes = Blueprint("changes", __name__, url_prefix="/users/<user_id>/lead-changes")

_ENDPOINT = "changes.lead_changes"


@changes.get("")
def lead_changes(user_id: str) -> Response:
    """List what changed since a token."""
    parameters = CHANGES_QUERY.read(query_string())
    if parameters.since is None:
        now = read_model().fetch(now_of(user_id), parameters.min_as_of)
        return _answer(user_id, now, b"", _after_all(now), has_more=False)
    try:
        token = change_token.read(user_id, parameters.since)
    except TokenError:
        raise BadRequest("since takes what an answer for this tenant gave as next") from None
    row = read_model().fetch(changes_since(user_id, token.position, parameters), parameters.min_as_of)
    # This read model has to know every change since the token.
    is_pruned = row.pruned and token.position.version <= row.pruned
    if is_pruned or token.position > _after_all(row) or not _is_of_history(token, row):
        raise TokenGoneError
    if row.has_more and row.last_version is not None and row.last_phone is not None:
        following = Position(row.last_version, row.last_phone.decode())
    else:
        following = _after_all(row)
    return _answer(user_id, row, b",".join(row.page), following, has_more=row.has_more)


def wait_for_change(waiting: Waiting) -> Callable[[Record], None]:
    """Returns what has requests to the feed wait before they count among those that run."""

    def version_of(user_id: str) -> bytes | None:
        return read_model().database.fetch(tenant_version(user_id)).version

    def wait(one: Record) -> None:
        user_id = one.user_id
        if user_id is None or one.request.endpoint != _ENDPOINT or "wait" not in one.query:
            return
        try:
            parameters = CHANGES_QUERY.read(one.query)
            if not parameters.wait or parameters.since is None:
                return
            token = change_token.read(user_id, parameters.since)
        except (BadRequest, TokenError):
            # The view refuses it.
            return

        def has_answer() -> bool:
            # A change, or that the token means nothing here.
            row: IsChangedRow = read_model().database.fetch(is_changed_since(user_id, token.position))
            return row.is_changed or not _is_of_history(token, row)

        waiting.for_change(user_id, parameters.wait, version_of, has_answer)

    return wait


def _is_of_history(token: Token, row: NowRow | ChangesRow | IsChangedRow) -> bool:
    # One that was given while the tenant was unknown: every lead came since.
    return token.history in {history_of(row.place, row.epoch), history_of(row.place, None)}


def _after_all(row: NowRow | ChangesRow) -> Position:
    """Returns the position after every change that the snapshot of a row has seen; of an unknown tenant, before all."""
    return Position(0 if row.newest is None else row.newest + 1)


def _answer(
    user_id: str, row: NowRow | ChangesRow, page: bytes, following: Position, *, has_more: bool
) -> Response:
    record().rows = page.count(b'"deleted":') if page else 0
    token = change_token.write(user_id, Token(following, history_of(row.place, row.epoch)))
    more = b"true" if has_more else b"false"
    return JsonResponse(
        closed(b'{"success":true,"data":[%b],"next":"%b","hasMore":%b,' % (page, token.encode(), more))
    )
