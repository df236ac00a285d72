"""The words of `status`."""

from datetime import UTC, datetime

import pytest

from projector.observe.status.read import COUNTED_CHANGES, DeadLetter, Queue
from projector.observe.status.words import (
    age_in_words,
    bytes_in_words,
    lead_in_words,
    moment_in_words,
    shorten,
    waiting_in_words,
)

MOMENT = datetime(2026, 11, 25, 1, 2, 3, 999000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (1.26, "1.3 s"),
        (119.9, "119.9 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (172800, "2 d"),
    ],
)
def test_an_age_is_in_the_largest_unit_of_which_there_are_two(seconds: float, words: str) -> None:
    assert age_in_words(seconds) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (1, "1 change waits"),
        (2004, "2,004 changes wait"),
        (COUNTED_CHANGES, "100,000 or more changes wait"),
    ],
)
def test_waiting_changes_are_a_clause(changes: int, words: str) -> None:
    assert waiting_in_words(Queue(changes, 1.0)) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 kB"),
        (1024**2, "1 MB"),
        (1.5 * 1024**3, "1.5 GB"),
        (1024**4, "1024.0 GB"),
    ],
)
def test_a_size_is_short(number: float, words: str) -> None:
    assert bytes_in_words(number) == words


def test_a_moment_is_told_to_the_second() -> None:
    assert moment_in_words(MOMENT) == "2026-11-25 01:02:03 UTC"


def test_a_long_text_is_cut() -> None:
    assert shorten("x" * 100) == "x" * 100
    assert shorten("x" * 101) == "x" * 99 + "…"


def test_a_dead_letter_is_told_by_its_lead_where_that_is_known() -> None:
    letter = DeadLetter("contacts", "k", "u", "4915", "error", 1, MOMENT, MOMENT, 1)
    assert lead_in_words(letter) == "lead 4915 of u (contacts k)"
    unknown = DeadLetter("contacts", "k", None, None, "error", 1, MOMENT, MOMENT, 1)
    assert lead_in_words(unknown) == "contacts k"


def test_a_text_with_hidden_characters_is_written_out() -> None:
    assert shorten("a\x1b[2Jb") == r"a\x1b[2Jb"
