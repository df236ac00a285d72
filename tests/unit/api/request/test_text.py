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


def test_white_space_is_ascii_and_no_break_space() -> None:
    assert trim("\t a\N{NO-BREAK SPACE}b \n\N{NO-BREAK SPACE}") == "a\N{NO-BREAK SPACE}b"
    assert trim("\N{EM SPACE}a") == "\N{EM SPACE}a"
    assert words(" a\N{NO-BREAK SPACE}b\v\fc ") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Andrés Núñez", "Andres Nunez"),
        ("e\N{COMBINING ACUTE ACCENT}e", "ee"),
        ("Zürich, Çeşme", "Zurich, Cesme"),
        ("Ёлка й", "Елка и"),
        ("Ørsted Łódź ß", "Ørsted Łodz ß"),
        # Marks that belong to a letter, and syllables.
        ("が 김철수 क्षि", "が 김철수 क्षि"),
        ("\N{COMBINING ACUTE ACCENT}", ""),
        ("50%_\\", "50%_\\"),
    ],
)
def test_accents_are_what_unicode_can_take_off(text: str, plain: str) -> None:
    assert without_accents(text) == plain


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("+91 (897) 95-56.941", "918979556941"),
        ("7", "7"),
        ("+", None),
        ("", None),
        ("91a", None),
        ("1+2", None),
        ("++1", None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", None),
    ],
)
def test_the_digits_of_a_phone(text: str, digits: str | None) -> None:
    assert phone_digits(text) == digits


@pytest.mark.parametrize(("text", "phone"), [(" +4 9 ", "49"), (" web-1+2 ", "web-1+2"), ("  ", "")])
def test_a_canonical_phone(text: str, phone: str) -> None:
    assert canonical_phone(text) == phone


@pytest.mark.parametrize(
    ("text", "broken"), [("é", False), ("a\0", True), ("\udcff", True), ("\N{GRINNING FACE}", False)]
)
def test_broken_text(text: str, *, broken: bool) -> None:
    assert is_broken(text) is broken


def test_a_date_names_its_whole_day_and_a_time_its_millisecond() -> None:
    first, last = read_moment("2025-01-31")
    assert last - first == timedelta(days=1, milliseconds=-1)
    first, last = read_moment("2025-01-31T10:00:00.1239+02:00")
    assert first == last == datetime(2025, 1, 31, 8, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2025", "2025-02-29", "2025-01-01T24:00", "2025-01-01Z", "now"])
def test_no_other_text_is_a_moment(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # Its message is not used.
        read_moment(text)


def test_a_moment_stays_within_what_a_datetime_can_be() -> None:
    assert shift(LAST_MOMENT, timedelta(days=1)) == LAST_MOMENT
    assert shift(FIRST_MOMENT, -timedelta(days=1)) == FIRST_MOMENT
    assert next_millisecond(FIRST_MOMENT) == FIRST_MOMENT + timedelta(milliseconds=1)
    assert next_millisecond(LAST_MOMENT) == LAST_MOMENT


def test_a_time_is_printed_in_milliseconds() -> None:
    assert format_time(datetime(2025, 1, 31, 9, 30, 0, 123_999, tzinfo=UTC)) == "2025-01-31T09:30:00.123Z"
    assert format_time(FIRST_MOMENT) == "0001-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-31", "2025-01-31T00:00:00+00:00"),
        ("2025-01-31T09:30", "2025-01-31T09:30:00+00:00"),
        ("2025-01-31T09:30:00.123456Z", "2025-01-31T09:30:00.123456+00:00"),
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


@pytest.mark.parametrize("text", ["", "now", "2025-01-31T25:00Z", "2025-01-31+02", "2025-01-31T09:30:00+2"])
def test_no_other_text_is_an_exact_moment(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # Its message is not used.
        read_exact_moment(text)
