"""Rebuild: every lead from its source rows, whatever the read model held.

A read model that was never built has no readers: the first build fills its tables in one transaction (first_build).
One that serves is rebuilt in place, piece by piece, and only what differs is written (in_place).
"""

import time
from collections.abc import Sequence

from projector.core import pipeline
from projector.core.pipeline import Connection, InjectionPoint, no_injection_point
from projector.core.preconditions import is_built, require_installed, require_tenants
from projector.database import locks
from projector.report.counted import RunReport
from projector.report.errors import BlockedError
from projector.report.progress import Progress
from projector.sweep.rebuild.first_build import build
from projector.sweep.rebuild.in_place import rebuild_in_place

__all__ = ["rebuild"]


def rebuild(
    conn: Connection,
    *,
    tenants: Sequence[str] | None,
    progress: Progress,
    resume: bool = False,
    point: InjectionPoint = no_injection_point,
) -> RunReport:
    """Rebuild the given tenants, or everything; with `resume`, go on with a rebuild that was interrupted.

    Returns how many leads there are, and how many messages were written. Raises RebuildFailedError at the first
    lead that cannot be projected: unlike a refresh, a rebuild is strict. Raises BlockedError while another session
    rebuilds, and TenantNotFoundError for a tenant that does not exist.
    """
    started = time.monotonic()
    require_installed(conn)
    if tenants is not None:
        require_tenants(conn, tenants)
    with locks.try_session_lock(conn, locks.REBUILD) as is_ours:
        if not is_ours:
            raise BlockedError(
                "Another rebuild is under way: wait until `status` says that it has ended, then try again."
            )
        pipeline.prepare_session(conn)
        if tenants is None and not is_built(conn):
            written = build(conn, progress, point=point)
        else:
            written = rebuild_in_place(conn, tenants, progress, resume=resume, point=point)
    return RunReport("rebuild", time.monotonic() - started, written.leads, written.messages)
