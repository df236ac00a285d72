"""Moments, ages, sizes and keys as `status` shows them."""

from datetime import datetime
from typing import Any

from projector.report.counted import counted, escape_hidden

_LONGEST_TEXT = 100

Group = dict[str, Any]
"""A group of the document of the status, or an object in one."""


def waiting(queue: Group) -> str:
    """Return how many changes wait, as a clause."""
    if queue["changes"] >= queue["counted_up_to"]:
        return f"{queue['changes']:,} or more changes wait"
    return f"{counted(queue['changes'], 'change')} {'waits' if queue['changes'] == 1 else 'wait'}"


def late(queue: Group) -> str:
    """Return how many tenants mass changes concern, how many keys wait, and how long these take."""
    more = " or more" if queue["late_keys"] >= queue["counted_up_to"] else ""
    if queue["late_keys_per_second"] is None:
        pace = "none was taken in the last half minute"
    else:
        pace = f"{queue['late_keys_per_second']:,.0f} a second"
    end = "" if queue["late_seconds"] is None else f": about {age(queue['late_seconds'])} more"
    return (
        f"{queue['late_keys']:,}{more} keys of {counted(queue['late_tenants'], 'tenant')} wait, {pace}{end}"
    )


def filling(fills: str, rebuild: Group) -> str:
    """Return what the rebuild after a planned gap fills, how much is done, and how long the rest takes.

    The estimate assumes that the rebuild keeps its pace.
    """
    done = rebuild["done"]
    if not done:
        return fills
    return f"{fills}: {done:.0%}, about {age(rebuild['seconds'] * (1 - done) / done)} left"


def schedulers(found: Group) -> str:
    """Return in words whether a scheduler runs, or whether cron starts refreshes instead."""
    if found["none_runs"]:
        cron = found["cron"]
        return "none connected" if cron is None else f"none; `refresh` each {age(cron['distance'])}"
    if found["running"]:
        silent = f", of which {len(found['silent'])} without a sign" if found["silent"] else ""
        return f"running, {counted(found['running'], 'projector')}{silent}"
    return "running" if found["is_known"] or found["sessions"] else "cannot be seen by this database user"


def lost(scheduler: Group) -> str:
    """Return which scheduler is gone, and how, as a clause."""
    named = f"the projector on {scheduler['host']} (pid {scheduler['pid']})"
    if scheduler["is_held"]:
        return f"{named} hangs, or its host is lost: it gave its last sign at {moment(scheduler['beat_at'])}"
    return f"{named} ended without notice at about {moment(scheduler['beat_at'])}"


def missed_beside_others(found: Group) -> list[str]:
    """Return a sentence for each scheduler that is gone or gives no sign while others run."""
    if found["none_runs"]:
        return []
    silent = found["silent"] if found["running"] > len(found["silent"]) else []
    return [
        *(
            f"Another scheduler goes on, but {lost(scheduler)}: start it again."
            for scheduler in found["lost"]
        ),
        *(
            f"Another scheduler goes on, but the projector on {scheduler['host']} (pid {scheduler['pid']}) gave its"
            f" last sign at {moment(scheduler['beat_at'])}: {wake(scheduler)}."
            for scheduler in silent
        ),
    ]


def wake(scheduler: Group) -> str:
    """Return what to do about a scheduler whose process gives no sign, as a clause."""
    return (
        "its process is stopped, or its machine is suspended or overloaded. There, `ps -o stat= -p"
        f" {scheduler['pid']}` prints T for a process that is stopped, and `kill -CONT {scheduler['pid']}` lets it go"
        " on; else start it again"
    )


def moment(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def age(seconds: float) -> str:
    """Return a number of seconds in the largest unit of which there are at least two."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def short(text: str) -> str:
    """Return a text of at most 100 characters, all of which can be seen."""
    text = escape_hidden(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def item(row: Group) -> str:
    """Return what a row is about: a lead, a key with its lead if that is known, or the statistics of a tenant."""
    user_id, name, kind = row["user_id"], row["tenant_name"], row["kind"]
    if user_id is None:
        return f"{kind} {row['key']}"
    tenant = user_id if name is None else f"{name} ({user_id})"
    if kind == "statistics":
        return f"the statistics of {tenant}"
    lead = f"lead {row['customer_phone']} of {tenant}"
    return f"{lead} ({kind} {row['key']})" if row["key"] else lead


def differing(items: int) -> str:
    """Return how many items differ. An item is a lead, a key, or the statistics of a tenant."""
    return f"{counted(items, 'item')} {'differs' if items == 1 else 'differ'} from the source rows"
