"""The search: every word occurs in the text of a profile, or the digits of a phone occur in its phone."""

import re
from typing import Any, NamedTuple

from sqlalchemy import Text, and_, bindparam, func, or_
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from api.request.fields import Search
from api.sql_helpers import ZERO, Condition

# The trigram index finds a word by any three letters or digits in a row.
_TRIGRAM = re.compile(r"[^\W_]{3}")


class SearchShape(NamedTuple):
    """For each word, and for the digits if there are any, whether the trigram index finds it."""

    words: tuple[bool, ...]
    digits: bool | None

    @property
    def uses_index(self) -> bool:
        """Whether the index narrows the search."""
        return any(self.words) or bool(self.digits)


def shape_of(search: Search) -> SearchShape:
    """Returns what of a search changes the statement's text."""
    digits = _digits(search)
    return SearchShape(
        tuple(indexed for indexed, _ in _words(search)), None if digits is None else _is_indexed(digits)
    )


def bind(search: Search) -> dict[str, object]:
    """Returns the values of a search: `word_0`, `word_1` and so on, and `digits` if there are any."""
    values: dict[str, object] = {}
    for number, (indexed, word) in enumerate(_words(search)):
        values[f"word_{number}"] = _like_pattern(word) if indexed else word
    digits = _digits(search)
    return values if digits is None else {**values, "digits": digits}


def condition(columns: ReadOnlyColumnCollection[str, Any], shape: SearchShape) -> Condition:
    """Returns the condition on the columns of lead_profiles."""
    conditions: list[Condition] = []
    for number, indexed in enumerate(shape.words):
        word = func.lower(bindparam(f"word_{number}", type_=Text))
        # For a word without three letters or digits in a row, LIKE would read the whole index.
        conditions.append(
            columns.search_text.like(word) if indexed else func.strpos(columns.search_text, word) > ZERO
        )
    words = and_(*conditions)
    if shape.digits is None:
        return words
    digits = bindparam("digits", type_=Text)
    in_phone = func.strpos(columns.customer_phone, digits) > ZERO
    # The index covers the text, which contains the phone among others.
    return or_(words, and_(columns.search_text.contains(digits), in_phone) if shape.digits else in_phone)


def _words(search: Search) -> list[tuple[bool, str]]:
    """Returns each word once, and whether the index finds it, in an order that does not depend on the request's."""
    return sorted((_is_indexed(word), word) for word in set(search.words))


def _digits(search: Search) -> str | None:
    """Returns the digits of a phone; one that is written as its digits alone is a word like any other."""
    return None if search.words == (search.digits,) else search.digits


def _is_indexed(text: str) -> bool:
    return _TRIGRAM.search(text) is not None


def _like_pattern(word: str) -> str:
    """Returns a pattern for LIKE in which every character of the word stands for itself."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
