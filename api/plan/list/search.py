"""The search: every word occurs in the text of a profile, or the digits of a phone occur in its phone."""

import re
from collections.abc import Iterator
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
    """For each word whether the trigram index finds it, and whether it finds the word without accents.

    The second is None of a word that has none, and where accents count. `digits` says the same of a phone, if there is
    one.
    """

    words: tuple[tuple[bool, bool | None], ...]
    digits: bool | None
    ignores_accents: bool = False

    @property
    def uses_index(self) -> bool:
        """Whether the index narrows the search."""
        given = any(indexed for indexed, _ in self.words)
        plain = any(indexed if other is None else other for indexed, other in self.words)
        return bool(self.digits) or (given and plain)


class _Word(NamedTuple):
    """A word, and the same without accents if that is another one, each with whether the index finds it."""

    indexed: bool
    plain_indexed: bool | None
    text: str
    plain: str


def shape_of(search: Search) -> SearchShape:
    """Returns what of a search changes the statement's text."""
    digits = _digits(search)
    return SearchShape(
        tuple((word.indexed, word.plain_indexed) for word in _words(search)),
        None if digits is None else _is_indexed(digits),
        search.ignore_accents,
    )


def bind(search: Search) -> dict[str, object]:
    """Returns the values of a search: `word_0`, `plain_0`, `word_1` and so on, and `digits` if there are any."""
    values: dict[str, object] = {}
    for number, word in enumerate(_words(search)):
        values[f"word_{number}"] = _like_pattern(word.text) if word.indexed else word.text
        if word.plain_indexed is not None:
            values[f"plain_{number}"] = _like_pattern(word.plain) if word.plain_indexed else word.plain
    digits = _digits(search)
    return values if digits is None else {**values, "digits": digits}


def condition(columns: ReadOnlyColumnCollection[str, Any], shape: SearchShape) -> Condition:
    """Returns the condition on the columns of lead_profiles."""
    words = or_(*(and_(*way) for way in _ways(columns, shape)))
    if shape.digits is None:
        return words
    digits = bindparam("digits", type_=Text)
    in_phone = func.strpos(columns.customer_phone, digits) > ZERO
    # The index covers the text, which contains the phone among others.
    return or_(words, and_(columns.search_text.contains(digits), in_phone) if shape.digits else in_phone)


def _ways(columns: ReadOnlyColumnCollection[str, Any], shape: SearchShape) -> Iterator[list[Condition]]:
    """Returns the ways in which all words occur, each of which is one look-up in an index."""
    given = [(f"word_{number}", indexed) for number, (indexed, _) in enumerate(shape.words)]
    yield [_contains(columns.search_text, *word) for word in given]
    if not shape.ignores_accents:
        return
    # What occurs as it was given is found, too: a lead of an older version has no search_plain until the rebuild.
    plain = [
        given[number] if indexed is None else (f"plain_{number}", indexed)
        for number, (_, indexed) in enumerate(shape.words)
    ]
    # A text without accents is in search_text alone.
    if plain != given:
        yield [_contains(columns.search_text, *word) for word in plain]
    yield [_contains(columns.search_plain, *word) for word in plain]


def _contains(column: ColumnElement[str], name: str, indexed: bool) -> Condition:  # noqa: FBT001  # Of a shape.
    """Returns whether a column contains the word that is bound by this name."""
    word = func.lower(bindparam(name, type_=Text))
    # For a word without three letters or digits in a row, LIKE would read the whole index.
    return column.like(word) if indexed else func.strpos(column, word) > ZERO


def _words(search: Search) -> list[_Word]:
    """Returns each word once, in an order that does not depend on the request's."""
    words = set()
    for text in search.words:
        # Nothing but accents stays as it is: every text contains nothing.
        plain = (without_accents(text) if search.ignore_accents else "") or text
        words.add(_Word(_is_indexed(text), None if plain == text else _is_indexed(plain), text, plain))
    # Few orders of their shapes, so that there are few statements.
    return sorted(words, key=lambda word: (word.indexed, str(word.plain_indexed), word.text))


def _digits(search: Search) -> str | None:
    """Returns the digits of a phone; one that is written as its digits alone is a word like any other."""
    return None if search.words == (search.digits,) else search.digits


def _is_indexed(text: str) -> bool:
    return _TRIGRAM.search(text) is not None


def _like_pattern(word: str) -> str:
    """Returns a pattern for LIKE in which every character of the word stands for itself."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
