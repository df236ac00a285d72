"""Cron expressions: five fields as in crontab(5), minute, hour, day of the month, month and weekday."""

import re
from dataclasses import dataclass

_PART = re.compile(r"(?:\*|([a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?)(?:/([1-9]\d?))?")
"""One part of a field: `*`, a value or a range, each with a step. A field has one or more, with commas between."""

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class _Field:
    """The least and the greatest number of a field, and the names of its numbers from the least one on."""

    least: int
    greatest: int
    names: tuple[str, ...] = ()

    def number(self, value: str) -> int:
        """Return the number that a name or digits mean. Raises ValueError for another text."""
        return self.names.index(value) + self.least if value in self.names else int(value)

    def accepts(self, text: str) -> bool:
        """Return whether every part of the text is valid for this field."""
        return all(map(self._accepts_part, text.split(",")))

    def _accepts_part(self, part: str) -> bool:
        match = _PART.fullmatch(part)
        if match is None:
            return False
        try:
            bounds = [self.number(bound) for bound in match.groups()[:2] if bound is not None]
        except ValueError:
            return False
        if bounds != sorted(bounds) or any(not self.least <= bound <= self.greatest for bound in bounds):
            return False
        # A step needs a range, or `*`, to go through.
        return not (match[3] and len(bounds) == 1)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIELDS = (
    _Field(0, 59),
    _Field(0, 23),
    _Field(1, 31),
    _Field(1, 12, _MONTHS),
    # A range of names may end with Sunday, `sat-sun`, and one of numbers may begin with it, `0-2`.
    _Field(0, 6, (*_WEEKDAYS[1:], _WEEKDAYS[0])),
)


def is_cron(text: str) -> bool:
    """Return whether a text is a cron expression of five fields."""
    fields = text.lower().split()
    return len(fields) == len(_FIELDS) and all(
        field.accepts(part) for field, part in zip(_FIELDS, fields, strict=True)
    )


def name_weekdays(text: str) -> str:
    """Return a weekday field with each of its days named, as `mon,wed,fri`.

    Cron counts weekdays from Sunday, and other programs from Monday; all of them agree on the names.
    """
    named: set[str] = set()
    for part in text.split(","):
        days, _, step = part.partition("/")
        first, _, last = days.partition("-")
        if first == "*":
            first, last = "0", "6"
        start = int(first) if first.isdigit() else _WEEKDAYS.index(first)
        last = last or first
        stop = int(last) if last.isdigit() else _WEEKDAYS.index(last)
        # A range may go over the end of the week, from Saturday to Sunday.
        stop += 7 * (stop < start)
        named |= {_WEEKDAYS[day % 7] for day in range(start, stop + 1, int(step or 1))}
    return ",".join(sorted(named, key=_WEEKDAYS.index))
