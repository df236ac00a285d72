"""Text for a terminal: nothing in it can move the cursor, and no line is wider than the screen."""

import json
import unicodedata
from collections.abc import Iterator

WIDTH = 80
"""Columns of a line."""

# Besides control characters: what reorders a line, hides in it, ends it, or has no glyph.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def escape(text: str) -> str:
    """Return the text with a JSON escape in place of each character that a terminal might obey or not show."""
    return "".join(json.dumps(one)[1:-1] if unicodedata.category(one) in _UNSAFE else one for one in text)


def quote(value: object) -> str:
    """Return a value as JSON in one line, with every unsafe character escaped; numbers and null as they are."""
    return escape(json.dumps(value, ensure_ascii=False))


def shorten(text: str, width: int) -> str:
    """Return a text of at most `width` columns, with an ellipsis where it was cut."""
    if columns(text) <= width:
        return text
    kept = ""
    for one in text:
        if columns(kept) + columns(one) >= width:
            break
        kept += one
    return f"{kept}…"


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )


def wrap(text: str, first: str = "", rest: str | None = None) -> Iterator[str]:
    """Break a text at blanks into lines of at most WIDTH columns; a longer word is broken where the line ends.

    `first` begins the first line, `rest` the others: blanks of the same width, unless given.
    """
    indent = " " * columns(first) if rest is None else rest
    line, is_empty = first, True
    for word in text.split(" "):
        if not is_empty and columns(line) + 1 + columns(word) > WIDTH:
            yield line.rstrip()
            line, is_empty = indent, True
        line += word if is_empty else f" {word}"
        is_empty = False
        while columns(line) > WIDTH:
            cut = _fits(line)
            yield line[:cut]
            line = indent + line[cut:]
    yield line.rstrip()


def _fits(line: str) -> int:
    """How many characters of a line fit."""
    used = 0
    for place, one in enumerate(line):
        used += columns(one)
        if used > WIDTH:
            return place
    return len(line)
