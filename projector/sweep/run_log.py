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
from projector.report.progress import QUIET, Progress


class Run:
    """A run in progress. If it succeeds, its row gets `note` and `leads`; None keeps what `add` counted."""

    def __init__(self, conn: Connection, run_id: int, progress: Progress, *, is_of_all: bool) -> None:
        self.note: str | None = None
        self.leads: int | None = None
        self._conn = conn
        self._run_id = run_id
        self._progress = progress
        self._is_of_all = is_of_all
        self._total = 0

    def expect(self, leads: int) -> None:
        """Note about how many leads a rebuild has to do."""
        self._total = leads
        self._write("expect_leads", leads_total=leads)
        # The progress counts customers of tenants: one with only a queued template is not a lead yet.
        self._progress.start("rebuild", leads, "customers")

    def add(self, done: BatchResult) -> None:
        """Add finished work to the row of a rebuild, which `status` reads, and tell the API the progress."""
        self._write("add_to_run", leads=done.leads, messages=done.messages)
        self._progress.advance(done.leads)
        if self._is_of_all:
            self._write("note_rebuild_done", more=done.leads / max(self._total, 1))

    def close(self, outcome: str, note: str | None) -> None:
        """Note how it ended, unless the connection has ended too."""
        if not self._conn.closed:
            self._write("close_run", outcome=outcome, note=note, leads=self.leads)

    def _write(self, name: str, **parameters: object) -> None:
        self._conn.execute(query("sweep", name), {"run_id": self._run_id, **parameters})


@contextmanager
def logged_run(
    conn: Connection, kind: str, tenants: Sequence[str] | None, progress: Progress = QUIET
) -> Iterator[Run]:
    """Open a row of the run log, and note how the rebuild or the verify ends."""
    parameters = {**tenants_parameter(tenants), "kind": kind}
    run_id = rows.value(conn, query("sweep", "open_run"), parameters)
    run = Run(conn, run_id, progress, is_of_all=tenants is None)
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
