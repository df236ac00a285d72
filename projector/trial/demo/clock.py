"""Demo times: milliseconds since 1970, and how COPY takes them."""

from datetime import UTC, date, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_TIMES_OF_DAY = tuple(
    f" {hour:02}:{minute:02}:{second:02}."
    for hour in range(24)
    for minute in range(60)
    for second in range(60)
)
# The offset makes a `timestamptz` column right in every session; a `timestamp` column ignores it.
_MILLISECONDS = tuple(f"{millisecond:03}+00" for millisecond in range(1_000))


class _Dates(dict[int, str]):
    """The ISO date of each day number, worked out once."""

    def __missing__(self, day: int) -> str:
        self[day] = text = datetime.fromtimestamp(day * DAY // SECOND, UTC).date().isoformat()
        return text


_DATES = _Dates()


def midnight(day: date) -> int:
    """Return the instant at which a day begins in UTC."""
    return instant(datetime(day.year, day.month, day.day, tzinfo=UTC))


def instant(when: datetime) -> int:
    """Return a time that has an offset as milliseconds since 1970."""
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 24 * 60 * 60 + since.seconds) * SECOND + since.microseconds // 1_000


def timestamp(at: int) -> str:
    """Write an instant for COPY; two million a minute rule out `datetime.isoformat`."""
    day, within = divmod(at, DAY)
    second, millisecond = divmod(within, SECOND)
    return _DATES[day] + _TIMES_OF_DAY[second] + _MILLISECONDS[millisecond]


def timestamp_with_microseconds(at: int, microseconds: int) -> str:
    """Write an instant as a database's `now()` leaves it, finer than a millisecond."""
    return f"{timestamp(at)[:-3]}{microseconds:03}+00"
