"""A projector that kills itself at a point: `python -m tests.exactness.crash_worker URL WORK POINT COUNT`.

WORK is refresh, share (one of several projectors that share a queue), first_build or in_place; it dies when it comes to
the point for the COUNTth time. With a further argument it stops there instead, as by Ctrl-Z; that is how long
PostgreSQL lets it stand still in a transaction. LEADS_READ_MODEL_URL has the read model in another database; then there
is the point `between the commits` too.
"""

import os
import signal
import sys
from contextlib import suppress
from random import sample

import structlog

from projector import db
from projector.batch import refresh_batch
from projector.choice import Passes
from projector.errors import BlockedError
from projector.locks import SHARDS
from projector.look import has_changes
from projector.pipeline import Connection, InjectionPoint, prepare_session
from projector.progress import QUIET
from projector.rebuild import rebuild
from projector.refresh import refresh


def main(url: str, work: str, point: str, count: str, timeout: str | None = None) -> None:
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

    apart = os.environ.get("LEADS_READ_MODEL_URL", "")
    with db.connect(url, application_name="killed", read_model_url=apart) as conn:
        conn.between_commits = lambda: point_reached("between the commits")
        if timeout is not None:
            conn.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (timeout,))
        if work == "refresh":
            refresh(conn, retry_failed=False, progress=QUIET, size=4, point=point_reached)
        elif work == "share":
            share(conn, point_reached)
        else:
            rebuild(conn, tenants=None, progress=QUIET, point=point_reached)


def share(conn: Connection, point: InjectionPoint) -> None:
    """Take shard after shard by batches that choose among the changes, until none waits."""
    prepare_session(conn)
    passes = Passes()
    while has_changes(conn):
        for shard in sample(SHARDS, len(SHARDS)):
            with suppress(BlockedError):
                done = refresh_batch(conn, [shard], size=3, overdue=passes.overdue, point=point)
                passes.note(done.owned, done.passed_over)


if __name__ == "__main__":
    main(*sys.argv[1:])
