"""The form of the documents: short lines, a short README, no page that no one finds."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rules.files import ROOT, documents, name_of

MOST_COLUMNS = 100
MOST_WORDS = 1250
_FENCE = re.compile(r"^\s*(```|~~~)")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of a document that are neither of a table nor of a block of code."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            in_code = not in_code
        elif not in_code and not line.lstrip().startswith("|"):
            yield number, line


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_lines_are_short(path: Path) -> None:
    long = [
        f"{name_of(path)}:{number}"
        for number, line in prose(path.read_text("utf-8"))
        # A link cannot be broken.
        if len(line) > MOST_COLUMNS and " " in re.sub(r"\[[^]]*\]\([^)]*\)", "", line).strip()
    ]
    assert not long, f"{', '.join(long)}: more than {MOST_COLUMNS} columns; break the lines."


def test_the_readme_is_short() -> None:
    words = len((ROOT / "README.md").read_text("utf-8").split())
    assert words <= MOST_WORDS, (
        f"README.md has {words} words, more than {MOST_WORDS}: move what not every reader needs to a page in docs/."
    )


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("**/*.md")), ids=name_of)
def test_each_page_can_be_found(path: Path) -> None:
    linked = {
        (ROOT / link).resolve()
        for start in ("README.md", "CONTRIBUTING.md")
        for link in _LINK.findall((ROOT / start).read_text("utf-8"))
    }
    assert path in linked, f"{name_of(path)} is linked neither from README.md nor from CONTRIBUTING.md."


def test_tables_and_code_may_be_wide() -> None:
    assert [number for number, _ in prose("a\n| wide |\n```\ncode\n```\nb")] == [1, 6]
