"""The names that a caller or an operator may have meant by a name that does not exist."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

# As much of two names has to agree; below it, difflib finds a likeness between any two words.
LIKENESS = 0.75
MAX_LENGTH = 100

_END_OF_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Returns the known names that are near, the nearest first: the name misspelt, or some of the words of one.

    `sortBy`, `sort-by` and `sort_by` are the same words, and `date` is a word of `from_date` and of `to_date`.
    """
    by_words = {"_".join(_words(one)): one for one in known}
    words = _words(name[:MAX_LENGTH])
    [*alike] = get_close_matches("_".join(words), by_words, n=1, cutoff=LIKENESS)
    if not alike:
        alike = [one for one in by_words if _shares_words(set(words), set(one.split("_")))]
    return [by_words[one] for one in alike]


def _words(name: str) -> list[str]:
    return [word.lower() for word in _END_OF_WORD.split(name) if word]


def _shares_words(words: set[str], others: set[str]) -> bool:
    return bool(words) and (words <= others or others <= words)
