"""The row of a rebuild in the run log, and what a complete build leaves behind."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import psycopg

from projector.core.batch import first_line, is_lead_failure
from projector.core.pipeline import BatchResult, Connection, tenants_parameter
from projector.database import locks
from projector.database.citus import require_finished
from projector.database.sql import PROJECTION_VERSION, query
from projector.database.step_failures import failing_step
from projector.report.errors import WHERE_SHOWN, RebuildFailedError, condition, note_of


@contextmanager
def logged_run(
    conn: Connection, tenants: Sequence[str] | None, leads_total: int | None = None
) -> Iterator[int]:
    """Open a row of the run log and note how the rebuild ends; yields its run_id.

    Raises RebuildFailedError, in words for an operator, if the data of a lead stopped it.
    """
    parameters = {**tenants_parameter(tenants), "leads_total": leads_total}
    row = conn.execute(query("rebuild", "open_run"), parameters).fetchone()
    if row is None:
        raise AssertionError
    run_id: int = row[0]
    try:
        yield run_id
    except psycopg.Error as error:
        if conn.closed:
            raise
        reason, step = first_line(error), failing_step(error)
        note = note_of(error) if step is None else f"{note_of(error)} ({step})"
        is_canceled = isinstance(error, psycopg.errors.QueryCanceled)
        _close(conn, run_id, "interrupted" if is_canceled else "failed", note)
        if not is_lead_failure(error):
            raise
        advice = (
            "The read model serves what it held. Correct the source row that cannot be projected,"
            " and run rebuild again."
        )
        raise RebuildFailedError(
            f"The rebuild stopped: {reason}. {advice}",
            without_values=f"The rebuild stopped: {condition(error)}. {advice} {WHERE_SHOWN}",
        ) from error
    except RebuildFailedError as error:
        _close(conn, run_id, "failed", note_of(error))
        raise
    except BaseException as error:
        if not conn.closed:
            _close(conn, run_id, "interrupted", note_of(error))
        raise
    _close(conn, run_id, "done", None)


def add_to_run(conn: Connection, run_id: int, done: BatchResult) -> None:
    """Add leads and messages to the row of the run log, where `status` reads how far the rebuild is."""
    parameters = {"run_id": run_id, "leads": done.leads, "messages": done.messages}
    conn.execute(query("rebuild", "add_to_run"), parameters)


def note_built(conn: Connection, since: datetime) -> None:
    """Note that everything was built from what was committed before `since`, or later.

    Raises OperationalError where a server of Citus has not finished what was built.
    """
    require_finished(conn)
    with conn.transaction():
        conn.execute(query("rebuild", "note_built"), {"version": PROJECTION_VERSION})
        found = conn.execute(query("rebuild", "find_start_of_freshness"), {"since": since}).fetchone()
        began_at = since if found is None else found[0]
        fresh = {"began_at": began_at, "shards": len(locks.SHARDS)}
        conn.execute(query("rebuild", "begin_freshness"), fresh)
        conn.execute(query("rebuild", "delete_plan"))


def read_clock(conn: Connection) -> datetime:
    """Return the clock of the server."""
    row = conn.execute(query("rebuild", "read_clock")).fetchone()
    if row is None:
        raise AssertionError
    moment: datetime = row[0]
    return moment


def _close(conn: Connection, run_id: int, outcome: str, note: str | None) -> None:
    conn.execute(query("rebuild", "close_run"), {"run_id": run_id, "outcome": outcome, "note": note})
