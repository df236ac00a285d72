"""Text that is safe on a terminal, and fits it."""

import pytest

from projector.operate.explain.text import WIDTH, columns, escape, quote, shorten, wrap


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[2Jcleared", "\\u001b[2Jcleared"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x7f\x9b31m", "\\u007f\\u009b31m"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}txt.exe", "\\u202etxt.exe"),
        ("\N{LINE SEPARATOR}\N{ZERO WIDTH SPACE}\ufeff", "\\u2028\\u200b\\ufeff"),
        ("Ümit 山田 😀", "Ümit 山田 😀"),
    ],
)
def test_a_terminal_obeys_nothing_of_a_row(text: str, safe: str) -> None:
    assert escape(text) == safe
    assert quote(text) == f'"{safe}"'


def test_values_that_are_no_texts_are_printed_as_in_json() -> None:
    assert [quote(value) for value in (None, True, 7, ["a", "\x1b"])] == [
        "null",
        "true",
        "7",
        '["a", "\\u001b"]',
    ]
    # A text that looks like an escape is told from one.
    assert quote("\\u001b") == '"\\\\u001b"'


@pytest.mark.parametrize(
    "text",
    ["word " * 40, "x" * 500, "山" * 200, "a " + "山a" * 90 + " b", "e\N{COMBINING ACUTE ACCENT}" * 200, ""],
)
def test_no_line_is_wider_than_the_screen_and_nothing_is_lost(text: str) -> None:
    lines = list(wrap(text, "  label      "))
    assert all(columns(line) <= WIDTH for line in lines)
    assert lines[0].startswith("  label")
    assert "".join(lines).replace(" ", "") == f"label{text}".replace(" ", "")
    assert all(line.startswith(" " * 13) for line in lines[1:])


def test_a_wide_character_takes_two_columns() -> None:
    assert [columns(text) for text in ("ab", "山田", "e\N{COMBINING ACUTE ACCENT}")] == [2, 4, 1]
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("山山山", 4) == "山…"
    assert shorten("abcd", 4) == "abcd"
