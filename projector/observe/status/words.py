"""Moments, ages, sizes and keys as `status` shows them."""

from datetime import datetime

from projector.observe.status.lock_holders import LockHolder
from projector.observe.status.read import COUNTED_CHANGES, DeadLetter, Queue
from projector.report.counted import counted, escape_hidden

_LONGEST_TEXT = 100


def lead_in_words(letter: DeadLetter) -> str:
    """Return which lead a dead letter is about, or only its key where the lead is not known."""
    if letter.user_id is None:
        return escape_hidden(f"{letter.kind} {letter.key}")
    return escape_hidden(f"lead {letter.customer_phone} of {letter.user_id} ({letter.kind} {letter.key})")


def tries_in_words(attempts: int) -> str:
    """Return how often a dead letter failed alone."""
    return f"tried {counted(attempts, 'time')}" if attempts else "not tried alone yet"


def waiting_in_words(queue: Queue) -> str:
    """Return how many changes wait, as a clause."""
    if queue.changes >= COUNTED_CHANGES:
        return f"{queue.changes:,} or more changes wait"
    return f"{counted(queue.changes, 'change')} {'waits' if queue.changes == 1 else 'wait'}"


def moment_in_words(moment: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def age_in_words(seconds: float) -> str:
    """Return a number of seconds in the largest unit of which there are at least two."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def holder_in_words(holder: LockHolder) -> str:
    """Return a session that holds locks, since when it can have had them, and what they are for."""
    program = shorten(holder.application) if holder.application else "a program without a name"
    since = f" since {moment_in_words(holder.since)} at the earliest" if holder.since else ""
    return f"process {holder.pid}, {program}{since}, for {' and '.join(holder.purposes)}"


def bytes_in_words(number: float) -> str:
    """Return a number of bytes in a unit that keeps it short."""
    for unit in ("B", "kB", "MB"):
        if number < 1024:  # noqa: PLR2004  # As PostgreSQL counts.
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def shorten(text: str) -> str:
    """Return a text of at most 100 characters, all of which can be seen."""
    text = escape_hidden(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
