"""Records what a comparison found: what differs is noted and logged, what is right again is ended."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog

from projector.core.pipeline import Connection
from projector.report.log import Personal, digest
from projector.sweep import drift_log
from projector.sweep.drift_log import Item
from projector.sweep.verify.drift import Comparison, Drift

_log = structlog.get_logger(__name__)


def record(conn: Connection, found: Comparison) -> None:
    """Record a comparison, in the caller's transaction.

    What was compared and does not differ any more is right, but what was left out stays as it was.
    """
    new = drift_log.note(conn, found.differences, found.at)
    # What was just noted was seen at this very moment, and so not before it.
    drift_log.end(conn, found.compared, before=found.at, at=found.at, outcome="right")
    drift_log.publish(conn, new)


def record_healed(conn: Connection, items: Sequence[Item], since: datetime, at: datetime) -> None:
    """Record that a heal, which began at `since` and ended `at`, has corrected these items."""
    with conn.transaction():
        drift_log.end(conn, items, before=since, at=at, outcome="healed")
        drift_log.publish(conn)


def log_drifts(drifts: Iterable[Drift]) -> None:
    """Log each field that differs."""
    for drift in drifts:
        _log.error(
            "drift",
            tenant=drift.user_id,
            lead=Personal(drift.customer_phone, drift.customer_phone and digest(drift.customer_phone)),
            field=drift.field,
            expected=Personal(drift.expected),
            found=Personal(drift.found),
        )
