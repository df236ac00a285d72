"""A projector that is killed at a point that it comes to.

WORK is refresh, share (one of several projectors that share a queue), first_build or in_place.
`python -m tests.exactness.crash_worker URL WORK POINT COUNT TIMEOUT` stops at the point instead, when it comes there
for the COUNTth time, as by Ctrl-Z; TIMEOUT is how long PostgreSQL lets it stand still in a transaction.
"""

import os
import signal
import sys
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from random import sample

import structlog

from projector.core.pipeline import AT_POINT, prepare_session
from projector.core.refresh import Drain, refresh
from projector.database import connect as db
from projector.database.locks import SHARDS
from projector.database.rows import Connection
from projector.report.errors import BlockedError
from projector.report.progress import QUIET
from projector.scheduler.refresh import has_changes
from projector.sweep import fill
from projector.sweep.rebuild import rebuild
from tests.support.patience import PATIENCE

NAME = "killed"
"""What its sessions are called in pg_stat_activity."""

# A process that has imported everything is forked for each worker: starting Python takes longer than the work.
_FORKED = get_context("forkserver")
_FORKED.set_forkserver_preload([__name__, "pytest.__main__"])


def kill_at(url: str, work: str, point: str, count: int) -> bool:
    """Let a projector work, and kill it when it comes to the point for the COUNTth time.

    Returns whether it was killed; if there was less work, it ended before.
    """
    worker = start(url, work, point, count)
    worker.join(PATIENCE)
    assert worker.exitcode in {-signal.SIGKILL, 0}
    return worker.exitcode != 0


def start(url: str, work: str, point: str, count: int) -> ForkServerProcess:
    """Start a projector that works, and kills itself when it comes to the point for the COUNTth time."""
    worker = _FORKED.Process(target=main, args=(url, work, point, str(count), None))
    worker.start()
    return worker


def main(  # As its command line has them.
    url: str, work: str, point: str, count: str, timeout: str | None = None
) -> None:
    """Work until death, or until the stop."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    left = int(count)

    def point_reached(reached: str) -> None:
        nonlocal left
        if reached != point:
            return
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL if timeout is None else signal.SIGSTOP)

    AT_POINT.set(point_reached)
    with db.connect(url, application_name=NAME) as conn:
        if timeout is not None:
            conn.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (timeout,))
        if work == "refresh":
            refresh(conn, retry_failed=False, progress=QUIET, size=4)
        elif work == "share":
            share(conn)
        else:
            # Few leads are many pieces.
            fill.FILL_LEADS = 5
            rebuild(conn, tenants=None, progress=QUIET)


def share(conn: Connection) -> None:
    """Take changes and late keys as a scheduler does, a few at a time, until none wait."""
    prepare_session(conn)
    drain = Drain(size=3)
    drain.late._size = 5  # noqa: SLF001
    while has_changes(conn):
        for shard in sample(SHARDS, len(SHARDS)):
            with suppress(BlockedError):
                drain.take_mass(conn, [shard], drain.take_singles(conn, [shard]))
                drain.late.end(conn)


if __name__ == "__main__":
    main(*sys.argv[1:])
