"""A projector that kills itself at a point: `python -m tests.exactness.crash_worker URL WORK POINT COUNT`.

WORK is refresh, first_build or in_place; it dies when it comes to the point for the COUNTth time. With a further
argument it stops there instead, as by Ctrl-Z; that is how long PostgreSQL lets it stand still in a transaction.
"""

import os
import signal
import sys

import structlog

from projector import db
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

    with db.connect(url, application_name="killed") as conn:
        if timeout is not None:
            conn.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (timeout,))
        if work == "refresh":
            refresh(conn, retry_failed=False, progress=QUIET, size=4, point=point_reached)
        else:
            rebuild(conn, tenants=None, progress=QUIET, point=point_reached)


if __name__ == "__main__":
    main(*sys.argv[1:])
