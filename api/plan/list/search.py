"""The search: the text of a profile contains every word, or its phone contains the digits of a phone."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, and_, bindparam, func, or_
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from api.plan.sql import ZERO, Condition
from api.request.kinds import Search
from api.request.text import without_accents

# The columns of lead_profiles that a search looks into; each has a trigram index.
COLUMNS = ("search_text", "search_plain")

# The trigram index finds a word by any three letters or digits in a row.
_TRIGRAM = re.compile(r"[^\W_]{3}")


class SearchShape(NamedTuple):
    """The ways in which a text is found, as far as they change the statement's text.

    Each way is a column, and for each word that the column has to contain, whether the trigram index finds the word.
    `digits` says the same of a phone, if there is one.
    """

    ways: tuple[tuple[str, tuple[bool, ...]], ...]
    digits: bool | None

    @property
    def uses_index(self) -> bool:
        """Whether the index narrows the search."""
        return bool(self.digits) or all(any(indexed) for _, indexed in self.ways)


def shape_of(search: Search) -> SearchShape:
    """Return the part of a search that changes the statement's text."""
    ways = tuple((column, tuple(map(_is_indexed, words))) for column, words in _ways(search))
    digits = _digits(search)
    return SearchShape(ways, None if digits is None else _is_indexed(digits))


def bind(search: Search) -> dict[str, object]:
    """Return the values of a search: a word of each way as `word_0_0`, `word_0_1`, and `digits` if there are any."""
    values: dict[str, object] = {
        f"word_{way}_{number}": _like_pattern(word) if _is_indexed(word) else word
        for way, (_, words) in enumerate(_ways(search))
        for number, word in enumerate(words)
    }
    digits = _digits(search)
    return values if digits is None else {**values, "digits": digits}


def condition(columns: ReadOnlyColumnCollection[str, Any], shape: SearchShape) -> Condition:
    """Return the condition on the columns of lead_profiles. Each way is one look-up in an index."""
    ways = [
        [_contains(columns[column], f"word_{way}_{number}", word) for number, word in enumerate(indexed)]
        for way, (column, indexed) in enumerate(shape.ways)
    ]
    has_words = or_(*(and_(*words) for words in ways))
    if shape.digits is None:
        return has_words
    digits = bindparam("digits", type_=Text)
    in_phone = func.strpos(columns.customer_phone, digits) > ZERO
    # The index covers the text, which contains the phone among others.
    return or_(has_words, and_(columns.search_text.contains(digits), in_phone) if shape.digits else in_phone)


def _contains(column: ColumnElement[str], name: str, indexed: bool) -> Condition:  # noqa: FBT001  # Of a shape.
    """Return whether a column contains the word that is bound by this name."""
    word = func.lower(bindparam(name, type_=Text))
    # For a word without three letters or digits in a row, LIKE would read the whole index.
    return column.like(word) if indexed else func.strpos(column, word) > ZERO


def _ways(search: Search) -> list[tuple[str, list[str]]]:
    """Return the ways in which a text is found: a column, and the words that it has to contain."""
    as_typed = _in_few_orders(search.words)
    if not search.ignore_accents:
        return [("search_text", as_typed)]
    # A word of accents alone stays as it is, because every text contains the empty one.
    plain = _in_few_orders(without_accents(word) or word for word in search.words)
    # The words as they were given are searched too: a lead of an older version has no search_plain before the rebuild.
    # A text without accents is in search_text alone.
    texts = [("search_text", as_typed), ("search_text", plain), ("search_plain", plain)]
    return texts[1:] if plain == as_typed else texts


def _in_few_orders(words: Iterable[str]) -> list[str]:
    """Return each word once, first those that the index does not find, so that there are few different statements."""
    return sorted({*words}, key=lambda word: (_is_indexed(word), word))


def _digits(search: Search) -> str | None:
    """Return the digits of a phone, unless it is written as digits alone, which are a word like any other."""
    return None if search.words == (search.digits,) else search.digits


def _is_indexed(text: str) -> bool:
    return _TRIGRAM.search(text) is not None


def _like_pattern(word: str) -> str:
    """Return a pattern for LIKE in which every character of the word stands for itself."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
