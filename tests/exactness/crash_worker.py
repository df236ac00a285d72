"""A projector that kills itself at a point: `python -m tests.exactness.crash_worker URL WORK POINT COUNT`.

WORK is refresh, first_build or in_place; it dies when it comes to the point for the COUNTth time.
"""

import os
import signal
import sys

import structlog

from projector import db
from projector.progress import QUIET
from projector.rebuild import rebuild
from projector.refresh import refresh


def main(url: str, work: str, point: str, count: str) -> None:
    """Work until death."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    left = int(count)

    def point_reached(reached: str) -> None:
        nonlocal left
        left -= reached == point
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    with db.connect(url, application_name="killed") as conn:
        if work == "refresh":
            refresh(conn, retry_failed=False, progress=QUIET, size=4, point=point_reached)
        else:
            rebuild(conn, tenants=None, progress=QUIET, point=point_reached)


if __name__ == "__main__":
    main(*sys.argv[1:])
