"""How a text is read: white space, phones, words and moments."""

import re
from datetime import UTC, date, datetime, time, timedelta

WHITE_SPACE = " \t\n\v\f\r\N{NO-BREAK SPACE}"
MILLISECOND = timedelta(milliseconds=1)
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)

_BLANKS = re.compile(f"[{WHITE_SPACE}]+")
_PHONE = re.compile(r"\+?[ ().-]*[0-9][0-9 ().-]*")
_NOT_DIGITS = re.compile(r"[^0-9]+")
# A blank before a final HH:MM stands for the + that a query string loses.
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(?:Z|([-+ ])([0-9]{2}):([0-9]{2}))?)?"
)


def trim(text: str) -> str:
    """The text without white space at its ends."""
    return text.strip(WHITE_SPACE)


def words(text: str) -> list[str]:
    """The text split at white space."""
    return [word for word in _BLANKS.split(text) if word]


def phone_digits(text: str) -> str | None:
    """The digits of a text that is a phone; None for any other."""
    return _NOT_DIGITS.sub("", text) if _PHONE.fullmatch(text) else None


def canonical_phone(text: str) -> str:
    """The form in which a customer_phone is stored, compared and printed."""
    trimmed = trim(text)
    return phone_digits(trimmed) or trimmed


def is_broken(text: str) -> bool:
    """Whether the text holds a NUL, or bytes that are not UTF-8 (which stand in it as lone surrogates)."""
    return "\0" in text or (
        not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
    )


def read_moment(text: str) -> tuple[datetime, datetime]:
    """First and last millisecond that a date, or a date with a time, names; else a ValueError."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, hour, minute, second, fraction, sign, hours, minutes = match.groups()
    midnight = datetime.combine(date.fromisoformat(day), time.min, UTC)
    if hour is None:
        return midnight, midnight + timedelta(days=1, milliseconds=-1)
    milliseconds = int((fraction or "").ljust(3, "0")[:3])
    clock = time(int(hour), int(minute), int(second or 0), milliseconds * 1000)
    moment = datetime.combine(midnight, clock, UTC)
    if sign is not None:
        offset = time(int(hours), int(minutes))
        distance = timedelta(hours=offset.hour, minutes=offset.minute)
        moment = shifted(moment, distance if sign == "-" else -distance)
    return moment, moment


def shifted(moment: datetime, distance: timedelta) -> datetime:
    """The moment moved, but not beyond what a datetime can hold, where no lead is either."""
    try:
        return moment + distance
    except OverflowError:
        return LAST_MOMENT if distance > timedelta(0) else FIRST_MOMENT


def after(moment: datetime) -> datetime:
    """The next millisecond."""
    return shifted(moment, MILLISECOND)


def printed(moment: datetime) -> str:
    """A moment in UTC as the API prints it: milliseconds, cut."""
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
