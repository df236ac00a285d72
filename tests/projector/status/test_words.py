"""How status writes moments, ages, sizes and keys."""

from datetime import UTC, datetime

import pytest

from projector.status import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (119.9, "119.9 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_an_age_is_in_the_largest_unit_of_which_there_are_two(seconds: float, text: str) -> None:
    assert words.age_in_words(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 kB"), (5 * 1024**2, "5 MB"), (3 * 1024**3 // 2, "1.5 GB")],
)
def test_a_size_is_in_a_unit_that_keeps_it_short(number: int, text: str) -> None:
    assert words.bytes_in_words(number) == text


def test_a_moment_is_in_utc_to_the_second() -> None:
    assert words.moment_in_words(datetime(2025, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2025-01-02 03:04:05 UTC"


def test_a_long_text_is_cut() -> None:
    assert words.shorten("x" * 100) == "x" * 100
    assert words.shorten("x" * 101) == "x" * 99 + "…"
