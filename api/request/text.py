"""Reading texts: white space, phones, words, misspelt names, dates and times."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from unicodedata import normalize
from urllib.parse import parse_qsl

WHITE_SPACE = " \t\n\v\f\r\N{NO-BREAK SPACE}"
# The longest user_id or customer_phone that the platform stores.
MAX_ID_LENGTH = 255
MILLISECOND = timedelta(milliseconds=1)
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)

# The combining marks that Unicode can separate from a letter.
_ACCENTS = re.compile("[\u0300-\u036f]")
_BLANKS = re.compile(f"[{WHITE_SPACE}]+")
_PHONE = re.compile(r"\+?[ ().-]*[0-9][0-9 ().-]*")
_NOT_DIGITS = re.compile(r"[^0-9]+")
_HOUR, _MINUTE = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
# A query string turns the + of an offset such as +02:00 into a blank, so a blank is read as +.
_MOMENT = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_HOUR}:{_MINUTE}(:{_MINUTE}(\.[0-9]+)?)?(Z|[-+ ]{_HOUR}:{_MINUTE})?)?"
)
# An offset without minutes, after the minutes or the seconds of a time.
_HOURS_ALONE = re.compile(r":[0-9]{2}(\.[0-9]+)?[-+ ][0-9]{2}$")
_FINER_THAN_MICROSECONDS = re.compile(r"\.[0-9]{6}0*[1-9]")

# How similar two names have to be; with less, difflib finds any two words similar.
LIKENESS = 0.75
MAX_NAME_LENGTH = 100

_END_OF_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def trim(text: str) -> str:
    """Return the text without white space at its ends."""
    return text.strip(WHITE_SPACE)


def words(text: str) -> list[str]:
    """Return the words of a text, which white space separates."""
    return [word for word in _BLANKS.split(text) if word]


def without_accents(text: str) -> str:
    """Return the text without accents, by the rule of projector.without_accents in sql/definition/normalize.sql."""
    return normalize("NFC", _ACCENTS.sub("", normalize("NFD", text)))


def phone_digits(text: str) -> str | None:
    """Return the digits of a text that is a phone number, and None for any other text."""
    return _NOT_DIGITS.sub("", text) if _PHONE.fullmatch(text) else None


def canonical_phone(text: str) -> str:
    """Return the form in which the read model stores and the API prints a customer_phone."""
    trimmed = trim(text)
    return phone_digits(trimmed) or trimmed


def quoted(name: str) -> str:
    """Return a name in quotes, shortened so that a message can repeat it."""
    return repr(name if len(name) <= MAX_NAME_LENGTH else name[:MAX_NAME_LENGTH] + "…")


def is_broken(text: str) -> bool:
    """Return whether the text contains a NUL, or bytes that are not UTF-8 (decoded as lone surrogates)."""
    return "\0" in text or (
        not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
    )


def read_moment(text: str) -> tuple[datetime, datetime]:
    """Return the first and the last millisecond that a date, or a date with a time, names.

    Raises ValueError for any other text.
    """
    local = _as_written(text)
    first = _in_utc(local.replace(microsecond=local.microsecond // 1000 * 1000))
    is_date = len(text) == len("2025-01-31")
    return first, first + timedelta(days=1, milliseconds=-1) if is_date else first


def read_exact_moment(text: str) -> datetime:
    """Return the moment that a date, or a date with a time, names, in microseconds; finer fractions are rounded up.

    It takes the texts of read_moment, and offsets of hours alone, as PostgreSQL prints them. Raises ValueError for any
    other text.
    """
    moment = _in_utc(_as_written(f"{text}:00" if _HOURS_ALONE.search(text) else text))
    return shift(moment, timedelta(microseconds=1)) if _FINER_THAN_MICROSECONDS.search(text) else moment


def _as_written(text: str) -> datetime:
    if _MOMENT.fullmatch(text) is None:
        raise ValueError(text)
    return datetime.fromisoformat(text[:11] + text[11:].replace(" ", "+"))


def _in_utc(local: datetime) -> datetime:
    return shift(local.replace(tzinfo=UTC), -(local.utcoffset() or timedelta(0)))


def read_min_as_of(query_string: str) -> datetime | None:
    """Return the min_as_of of a query string; None if it is missing or wrong. The rest is not checked."""
    texts = [value for name, value in query_pairs(query_string) if name == "min_as_of" and value]
    try:
        return read_exact_moment(texts[0]) if texts else None
    except ValueError:
        return None


def query_pairs(query_string: str) -> Iterator[tuple[str, str]]:
    """Yield the names and trimmed values of a query string; bytes that are not UTF-8 become lone surrogates.

    They are read one by one, so that the caller can stop after enough errors.
    """
    # A WSGI server passes the bytes of the query string on as Latin-1.
    text = query_string.encode("latin-1").decode(errors="surrogateescape")
    for part in text.split("&"):
        for name, value in parse_qsl(part, keep_blank_values=True, errors="surrogateescape"):
            yield name, trim(value)


def shift(moment: datetime, distance: timedelta) -> datetime:
    """Return the moment moved by the distance, clamped to the range of datetime, in which all leads are."""
    try:
        return moment + distance
    except OverflowError:
        return LAST_MOMENT if distance > timedelta(0) else FIRST_MOMENT


def next_millisecond(moment: datetime) -> datetime:
    """Return the moment one millisecond later; times of the read model are cut to milliseconds."""
    return shift(moment, MILLISECOND)


def format_time(moment: datetime) -> str:
    """Return a moment in UTC as the API prints it, cut to milliseconds: `2025-01-31T09:30:00.000Z`."""
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return the known names that are similar, the most similar first: a misspelt name, or some words of one.

    `sortBy`, `sort-by` and `sort_by` are the same words, and `date` is a word of `from_date` and of `to_date`.
    """
    by_words = {"_".join(_words(candidate)): candidate for candidate in names}
    words = _words(name[:MAX_NAME_LENGTH])
    parts = set(words)
    [*alike] = get_close_matches("_".join(words), by_words, n=1, cutoff=LIKENESS)
    if not alike:
        others = {key: set(key.split("_")) for key in by_words if parts}
        alike = [key for key, of_one in others.items() if parts <= of_one or of_one <= parts]
    return [by_words[key] for key in alike]


def _words(name: str) -> list[str]:
    return [word.lower() for word in _END_OF_WORD.split(name) if word]
