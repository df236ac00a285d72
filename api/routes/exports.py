"""Exports: all matching leads, all messages of a time range, or all changes of statuses, as a file."""

from collections.abc import Callable
from contextlib import ExitStack, closing

from flask import Blueprint, Response

from api.database.snapshot import Snapshot
from api.database.statement import NOTHING_CLAIMED
from api.limits.exports import ExportsBusyError, ExportStream
from api.plan.exports import (
    Export,
    leads_as_csv,
    leads_as_ndjson,
    messages_as_ndjson,
    status_history_as_csv,
    status_history_as_ndjson,
)
from api.request.parameters import Parameters
from api.request.record import record
from api.routes.read_model import parameters_of, read_model, state

exports = Blueprint("exports", __name__, url_prefix="/users/<user_id>")

CSV = "text/csv; charset=utf-8"
NDJSON = "application/x-ndjson"


@exports.get("/leads.csv")
def export_leads_as_csv(user_id: str) -> Response:
    """All leads that match, as a table without their conversations."""
    return _export(user_id, "exportLeadsAsCsv", leads_as_csv)


@exports.get("/leads.ndjson")
def export_leads(user_id: str) -> Response:
    """All leads that match, each in its printed form."""
    return _export(user_id, "exportLeads", leads_as_ndjson)


@exports.get("/leads/status-history.ndjson")
def export_status_history(user_id: str) -> Response:
    """All changes of the statuses of leads."""
    return _export(user_id, "exportStatusHistory", status_history_as_ndjson)


@exports.get("/leads/status-history.csv")
def export_status_history_as_csv(user_id: str) -> Response:
    """All changes of the statuses of leads, as a table."""
    return _export(user_id, "exportStatusHistoryAsCsv", status_history_as_csv)


@exports.get("/messages.ndjson")
def export_messages(user_id: str) -> Response:
    """All messages of a time range."""
    return _export(user_id, "exportMessages", messages_as_ndjson)


def _export(user_id: str, operation: str, planned: Callable[[str, Parameters], Export]) -> Response:
    """Take a slot and a session, and begin to answer. Raises ExportsBusyError or UnavailableError."""
    parameters = parameters_of(operation)
    statement = planned(user_id, parameters)
    # Before anything is taken.
    read_model().require_built(statement)
    with ExitStack() as taken:
        if not state().exports.take(user_id):
            raise ExportsBusyError
        taken.callback(state().exports.give_back, user_id)
        snapshot = taken.enter_context(closing(Snapshot(state().config, user_id)))
        row = read_model().fetch(statement, parameters, snapshot.open)
        release = taken.pop_all().close
    record().rows = row.total
    moment = "" if row.as_of in (None, NOTHING_CLAIMED) else f"-{row.as_of:%Y%m%dT%H%M%SZ}"
    # The route ends in the name of the file.
    name, _, ending = str(record().request.url_rule).rpartition("/")[2].partition(".")
    kind = CSV if ending == "csv" else NDJSON
    stream = ExportStream(snapshot, release, record().correlation_id)
    headers = {
        # If a broken answer is shorter than the announced length, the client notices.
        "Content-Length": str(row.size),
        "Content-Disposition": f'attachment; filename="{name}{moment}.{ending}"',
        "X-Total-Count": str(row.total),
    }
    return Response(stream, content_type=kind, headers=headers, direct_passthrough=True)
