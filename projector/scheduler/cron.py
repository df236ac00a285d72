"""Cron expressions: five fields as in crontab(5), minute, hour, day of the month, month and weekday, in UTC."""

import re
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

_PART = re.compile(r"\*(?:/[1-9]\d?)?|([a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2})(?:/[1-9]\d?)?)?")
"""One part of a field: a value, or a range or `*`, which may have a step. A field has parts with commas between."""

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def cron_trigger(text: str) -> "CronTrigger":
    """Return APScheduler's trigger for a cron expression. Raises ValueError for another text."""
    # Imported here, because every command reads the settings, and few installations set a cron expression.
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415

    minute, hour, day, month, weekdays = fields = text.lower().split()
    if not all(_PART.fullmatch(part) for field in fields for part in field.split(",")):
        raise ValueError(text)
    return CronTrigger(
        minute=minute,
        hour=hour,
        day=day,
        month=month,
        day_of_week=",".join(_name_weekdays(part) for part in weekdays.split(",")),
        timezone=UTC,
    )


def _name_weekdays(part: str) -> str:
    """Return a part of a weekday field with each of its days named, as `mon,wed,fri`.

    Cron counts weekdays from Sunday, and APScheduler from Monday; both agree on the names.
    """
    days, _, step = part.partition("/")
    first, _, last = ("0-6" if days == "*" else days).partition("-")
    start = _number_of(first)
    stop = _number_of(last or first)
    # A range may go over the end of the week, from Saturday to Sunday.
    stop += 7 * (stop < start)
    return ",".join(_WEEKDAYS[day % 7] for day in range(start, stop + 1, int(step or 1)))


def _number_of(weekday: str) -> int:
    return range(7).index(int(weekday)) if weekday.isdigit() else _WEEKDAYS.index(weekday)
