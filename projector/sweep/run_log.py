"""The row of a rebuild or a verify in the run log."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import psycopg

from projector.core.pipeline import BatchResult, tenants_parameter
from projector.database import rows
from projector.database.rows import Connection
from projector.database.sql import failing_step, query
from projector.report.errors import RebuildFailedError, note_of


class Run:
    """A run in progress. `note` and `leads` are what its row says if it ends well; None leaves what was added."""

    def __init__(self, conn: Connection, run_id: int) -> None:
        self.note: str | None = None
        self.leads: int | None = None
        self._conn = conn
        self._run_id = run_id

    def add(self, done: BatchResult) -> None:
        """Add leads and messages to its row, where `status` reads how far it is."""
        self._write("add_to_run", leads=done.leads, messages=done.messages)

    def close(self, outcome: str, note: str | None) -> None:
        """Note how it ended, unless the connection has ended too."""
        if not self._conn.closed:
            self._write("close_run", outcome=outcome, note=note, leads=self.leads)

    def _write(self, name: str, **parameters: object) -> None:
        self._conn.execute(query("sweep", name), {"run_id": self._run_id, **parameters})


@contextmanager
def logged_run(
    conn: Connection, kind: str, tenants: Sequence[str] | None, leads_total: int | None = None
) -> Iterator[Run]:
    """Open a row of the run log, and note how the rebuild or the verify ends."""
    parameters = {**tenants_parameter(tenants), "kind": kind, "leads_total": leads_total}
    run = Run(conn, rows.value(conn, query("sweep", "open_run"), parameters))
    try:
        yield run
    except BaseException as error:
        step = failing_step(error)
        note = note_of(error) if step is None else f"{note_of(error)} ({step})"
        has_failed = isinstance(error, (psycopg.Error, RebuildFailedError))
        is_canceled = isinstance(error, psycopg.errors.QueryCanceled)
        run.close("failed" if has_failed and not is_canceled else "interrupted", note)
        raise
    run.close("done", run.note)


def read_clock(conn: Connection) -> datetime:
    """Return the clock of the server."""
    moment: datetime = rows.value(conn, query("sweep", "read_clock"))
    return moment
