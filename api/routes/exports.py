"""All leads that match, or all messages of a time range, as a file."""

from collections.abc import Callable

from flask import Blueprint, Response

from api.database.snapshot import Snapshot
from api.limits.exports import ExportStream
from api.plan.exports import (
    CSV_HEADER,
    ExportPlan,
    ExportRow,
    leads_as_csv,
    leads_as_ndjson,
    messages_as_ndjson,
)
from api.request import current
from api.request.copy_parameters import EXPORT_QUERY, MESSAGE_EXPORT_QUERY
from api.routes.state import read_model, state

exports = Blueprint("exports", __name__, url_prefix="/users/<user_id>")

CSV = "text/csv; charset=utf-8"
NDJSON = "application/x-ndjson"


@exports.get("/leads.csv")
def export_leads_as_csv(user_id: str) -> Response:
    """All leads that match, as a table without their conversations."""
    parameters = EXPORT_QUERY.read(_query_string())
    plan = leads_as_csv(user_id, parameters, current.values().now)
    export = _begin(user_id, plan, lambda row: read_model().checked(row, parameters.min_as_of))
    return _answer(export, "leads", CSV, CSV_HEADER)


@exports.get("/leads.ndjson")
def export_leads(user_id: str) -> Response:
    """All leads that match, each as it is printed."""
    parameters = EXPORT_QUERY.read(_query_string())
    plan = leads_as_ndjson(user_id, parameters, current.values().now)
    export = _begin(user_id, plan, lambda row: read_model().checked(row, parameters.min_as_of))
    return _answer(export, "leads", NDJSON)


@exports.get("/messages.ndjson")
def export_messages(user_id: str) -> Response:
    """All messages of a time range."""
    parameters = MESSAGE_EXPORT_QUERY.read(_query_string())
    plan = messages_as_ndjson(user_id, parameters)
    export = _begin(user_id, plan, lambda row: read_model().checked(row, parameters.min_as_of))
    return _answer(export, "messages", NDJSON)


class _Export:
    """An export that has begun: its head, how much it has, its session, and what gives its place back."""

    def __init__(
        self, row: ExportRow, total: int, size: int, snapshot: Snapshot, give_back: Callable[[], None]
    ) -> None:
        self.row = row
        self.total = total
        self.size = size
        self.snapshot = snapshot
        self.give_back = give_back


def _begin(user_id: str, plan: ExportPlan, check: Callable[[ExportRow], ExportRow]) -> _Export:
    """Take a place and a session, and ask for what there is. Raises ExportsBusyError or UnavailableError."""
    read_model().require_built()
    give_back = state().exports.take()
    try:
        snapshot = Snapshot(state().config, user_id)
        try:
            row = check(snapshot.fetch(plan.head))
            total, size = _begin_lines(snapshot, plan, row)
        except BaseException:
            snapshot.close()
            raise
    except BaseException:
        give_back()
        raise
    return _Export(row, total, size, snapshot, give_back)


def _begin_lines(snapshot: Snapshot, plan: ExportPlan, row: ExportRow) -> tuple[int, int]:
    """Begin to read lines. Returns how many there are, and how many bytes."""
    if row.total is not None and row.size is not None:
        snapshot.open(plan.lines)
        return row.total, row.size
    first = snapshot.open_and_look(plan.lines)
    return (0, 0) if first is None else (first.total, first.size)


def _answer(export: _Export, name: str, kind: str, opening: bytes = b"") -> Response:
    """Returns the answer, which announces its length: a server can then end a broken one as broken only."""
    values, row = current.values(), export.row
    values.rows = export.total
    moment = "" if row.as_of is None else f"-{row.as_of:%Y%m%dT%H%M%SZ}"
    ending = "csv" if kind == CSV else "ndjson"
    stream = ExportStream(export.snapshot, opening, export.give_back, values.correlation_id)
    headers = {
        "Content-Length": str(len(opening) + export.size),
        "Content-Disposition": f'attachment; filename="{name}{moment}.{ending}"',
        "X-Total-Count": str(export.total),
    }
    return Response(stream, content_type=kind, headers=headers, direct_passthrough=True)


def _query_string() -> str:
    return str(current.request().environ.get("QUERY_STRING", ""))
