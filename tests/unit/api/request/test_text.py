"""How a text is read."""

from datetime import UTC, datetime, timedelta

import pytest

from api.request.text import (
    FIRST_MOMENT,
    LAST_MOMENT,
    canonical_phone,
    format_time,
    is_broken,
    next_millisecond,
    phone_digits,
    read_exact_moment,
    read_moment,
    shift,
    trim,
    without_accents,
    words,
)
from tests.support.cases import cases


def test_white_space_is_ascii_and_no_break_space() -> None:
    assert trim("\t a\N{NO-BREAK SPACE}b \n\N{NO-BREAK SPACE}") == "a\N{NO-BREAK SPACE}b"
    assert trim("\N{EM SPACE}a") == "\N{EM SPACE}a"
    assert words(" a\N{NO-BREAK SPACE}b\v\fc ") == ["a", "b", "c"]


@cases(
    ("text", "plain"),
    [
        ("Andrés Núñez", "Andres Nunez"),
        ("e\N{COMBINING ACUTE ACCENT}e", "ee"),
        ("Ёлка й", "Елка и"),
        ("Ørsted Łódź ß", "Ørsted Łodz ß"),
        # Marks that belong to a letter, and syllables.
        ("が 김철수 क्षि", "が 김철수 क्षि"),
        ("50%_\\", "50%_\\"),
    ],
)
def test_accents_are_what_unicode_can_take_off(text: str, plain: str) -> None:
    assert without_accents(text) == plain


def test_phones() -> None:
    assert phone_digits("+91 (897) 95-56.941") == "918979556941"
    for text in ("+", "", "91a", "1+2", "++1", "\N{ARABIC-INDIC DIGIT SEVEN}"):
        assert phone_digits(text) is None, text
    assert [canonical_phone(text) for text in (" +4 9 ", " web-1+2 ", "  ")] == ["49", "web-1+2", ""]


def test_broken_text() -> None:
    assert [is_broken(text) for text in ("é", "\N{GRINNING FACE}", "a\0", "\udcff")] == [
        False,
        False,
        True,
        True,
    ]


def test_a_date_names_its_whole_day_and_a_time_its_millisecond() -> None:
    first, last = read_moment("2025-01-31")
    assert last - first == timedelta(days=1, milliseconds=-1)
    first, last = read_moment("2025-01-31T10:00:00.1239+02:00")
    assert first == last == datetime(2025, 1, 31, 8, 0, 0, 123_000, tzinfo=UTC)


def test_a_moment_stays_within_what_a_datetime_can_be() -> None:
    assert shift(LAST_MOMENT, timedelta(days=1)) == LAST_MOMENT
    assert shift(FIRST_MOMENT, -timedelta(days=1)) == FIRST_MOMENT
    assert next_millisecond(FIRST_MOMENT) == FIRST_MOMENT + timedelta(milliseconds=1)
    assert next_millisecond(LAST_MOMENT) == LAST_MOMENT


def test_a_time_is_printed_in_milliseconds() -> None:
    assert format_time(datetime(2025, 1, 31, 9, 30, 0, 123_999, tzinfo=UTC)) == "2025-01-31T09:30:00.123Z"
    assert format_time(FIRST_MOMENT) == "0001-01-01T00:00:00.000Z"


@cases(
    ("text", "moment"),
    [
        ("2025-01-31", "2025-01-31T00:00:00+00:00"),
        ("2025-01-31T09:30:00.12345Z", "2025-01-31T09:30:00.123450+00:00"),
        # As PostgreSQL prints it; a query string turns + into a blank.
        ("2025-01-31 09:30:00.123456+02", "2025-01-31T07:30:00.123456+00:00"),
        ("2025-01-31 09:30:00.1 05:30", "2025-01-31T04:00:00.100000+00:00"),
        ("2025-01-31 09:30:00-05", "2025-01-31T14:30:00+00:00"),
        # No part of a microsecond is lost: the moment would be before the commit.
        ("2025-01-31T09:30:00.1234560001Z", "2025-01-31T09:30:00.123457+00:00"),
        ("2025-01-31T09:30:00.9999999Z", "2025-01-31T09:30:01+00:00"),
        ("2025-01-31T09:30:00.123456000Z", "2025-01-31T09:30:00.123456+00:00"),
    ],
)
def test_an_exact_moment_keeps_its_microseconds(text: str, moment: str) -> None:
    assert read_exact_moment(text) == datetime.fromisoformat(moment)


@cases("text", ["", "now", "2025-01-31T25:00Z", "2025-01-31+02", "2025-01-31T09:30:00+2"])
def test_no_other_text_is_an_exact_moment(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # Its message is not used.
        read_exact_moment(text)
