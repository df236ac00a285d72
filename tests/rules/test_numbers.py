"""A number and its noun agree: `counted` and `counted_of` write them, so that no line says "1 leads"."""

import ast
import re
from pathlib import Path

import pytest

from tests.rules.files import ROOT, name_of, python_files

# Where both helpers are.
HELPERS = "projector/report/counted.py"
# "1,000 or more changes" are several in any case.
PLURAL = re.compile(r" (?!or more )(?:[a-z]+ )?([a-z]+s)\b(?!=)")
# Words that may follow a value, and end in s though they are no plural.
NO_PLURALS = {
    "always", "answers", "arrives", "as", "asks", "belongs", "differs", "does", "ends", "expects", "fails", "has",
    "holds", "is", "keeps", "lacks", "means", "needs", "says", "stays", "takes", "this", "waits", "was",
}  # fmt: skip
# What a sentence in SQL could count.
NOUNS = (
    "changes|conversations|customers|fields|keys|leads|letters|messages|pieces|rows|runs|tables|tenants|times"
)
IN_SQL = re.compile(rf"(?:\|\|\s*'|%s) (?:{NOUNS})\b")


def bare_plurals(source: str) -> list[str]:
    """What f-strings write behind a value, where that is a plural."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                if isinstance(value.value, ast.Name) and value.value.id.isupper():
                    # A constant of the program, which is not 1.
                    continue
                plural = PLURAL.match(str(text.value))
                if plural is not None and plural[1] not in NO_PLURALS:
                    found.append(f"{{{ast.unparse(value.value)}}}{plural[0]}")
    return found


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_no_text_has_a_plural_behind_a_number(path: Path) -> None:
    assert name_of(path) == HELPERS or bare_plurals(path.read_text("utf-8")) == [], (
        f"{name_of(path)}: one of them would be wrong. Write it with counted() of {HELPERS};"
        " a word that is no plural belongs into NO_PLURALS of tests/rules/test_numbers.py."
    )


@pytest.mark.parametrize("path", sorted((ROOT / "sql").rglob("*.sql")), ids=name_of)
def test_no_statement_makes_a_sentence_with_a_number(path: Path) -> None:
    assert not IN_SQL.search(path.read_text("utf-8")), (
        f"{name_of(path)}: a number and its noun are put together in Python, by counted() of {HELPERS}."
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('f"{n} leads"', ["{n} leads"]),
        ('f"{n:,} message rows of it"', ["{n} message rows"]),
        ('f"{a} of {b:,} changes, {c} is fine"', ["{b} changes"]),
        ('f"{table} has no column"', []),
        ('f"{n:,} or more changes wait"', []),
        ('f"{MOST_CHARACTERS} characters at most"', []),
        ("f\"{counted(n, 'lead')} healed\"", []),
    ],
)
def test_the_rule_sees_what_it_forbids(source: str, found: list[str]) -> None:
    assert bare_plurals(source) == found


@pytest.mark.parametrize("text", ["count(*) || ' leads'", "format('%s changes wait', n)"])
def test_the_rule_sees_it_in_sql_too(text: str) -> None:
    assert IN_SQL.search(text)
