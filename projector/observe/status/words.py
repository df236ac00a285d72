"""Moments, ages, sizes and keys as `status` shows them."""

from datetime import datetime

from projector.observe.status.read import COUNTED_CHANGES, Status
from projector.observe.status.results import DeadLetter, Drift, KnownScheduler, Queue
from projector.report.counted import counted, escape_hidden

_LONGEST_TEXT = 100


def _tenant(row: DeadLetter | Drift) -> str:
    return str(row.user_id) if row.tenant_name is None else f"{row.tenant_name} ({row.user_id})"


def waiting(queue: Queue) -> str:
    """Return how many changes wait, as a clause."""
    if queue.changes >= COUNTED_CHANGES:
        return f"{queue.changes:,} or more changes wait"
    return f"{counted(queue.changes, 'change')} {'waits' if queue.changes == 1 else 'wait'}"


def late_seconds(queue: Queue) -> float | None:
    """Return how many seconds the late keys take at the pace of the last half minute; None where that is unknown."""
    if not queue.late_keys or queue.late_keys >= COUNTED_CHANGES or not queue.late_keys_per_second:
        return None
    return float(queue.late_keys / queue.late_keys_per_second)


def late(queue: Queue) -> str:
    """Return whom mass changes concern, how much of them waits, and how long that takes."""
    more = " or more" if queue.late_keys >= COUNTED_CHANGES else ""
    seconds = late_seconds(queue)
    if queue.late_keys_per_second is None:
        pace = "none was taken in the last half minute"
    else:
        pace = f"{queue.late_keys_per_second:,.0f} a second"
    end = "" if seconds is None else f": about {age(seconds)} more"
    return f"{queue.late_keys:,}{more} keys of {counted(queue.late_tenants, 'tenant')} wait, {pace}{end}"


def filling(status: Status) -> str | None:
    """Return what a rebuild fills where the gap is planned, how much is done, and how long the rest takes; else None.

    The rest is taken to go on at the pace until now.
    """
    run, done = status.rebuild_run, status.rebuild_done
    if status.fills is None or run is None or not done:
        return status.fills
    return f"{status.fills}: {done:.0%}, about {age(run.seconds * (1 - done) / done)} left"


def schedulers(status: Status) -> str:
    """Return whether a scheduler runs, or else cron refreshes."""
    if status.no_scheduler_runs:
        return (
            "none connected" if status.cron is None else f"none; `refresh` each {age(status.cron.distance)}"
        )
    if status.schedulers.sessions:
        return f"running, {counted(status.schedulers.sessions, 'session')}"
    return "running" if status.known_schedulers else "cannot be seen by this database user"


def lost(scheduler: KnownScheduler) -> str:
    """Return which scheduler is gone, and how, as a clause."""
    named = f"the projector on {scheduler.host} (pid {scheduler.pid})"
    if scheduler.is_held:
        return f"{named} hangs, or its host is lost: it gave its last sign at {moment(scheduler.beat_at)}"
    return f"{named} ended without notice at about {moment(scheduler.beat_at)}"


def moment(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def age(seconds: float) -> str:
    """Return a number of seconds in the largest unit of which there are at least two."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def percent(part: float) -> float:
    """Return a part of 1 in percent, with one decimal."""
    return round(100 * part, 1)


def short(text: str) -> str:
    """Return a text of at most 100 characters, all of which can be seen."""
    text = escape_hidden(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def item(row: DeadLetter | Drift) -> str:
    """Return what a row is about: a lead, a key with its lead if that is known, or the statistics of a tenant."""
    if row.user_id is None:
        return f"{row.kind} {row.key}"
    if row.kind == "statistics":
        return f"the statistics of {_tenant(row)}"
    lead = f"lead {row.customer_phone} of {_tenant(row)}"
    return f"{lead} ({row.kind} {row.key})" if row.key else lead


def differing(items: int) -> str:
    """Return how many items differ. An item is a lead, a key, or the statistics of a tenant."""
    return f"{counted(items, 'item')} {'differs' if items == 1 else 'differ'} from the source rows"
