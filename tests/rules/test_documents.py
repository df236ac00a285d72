"""The form of the documents: short lines, few pages, none that no one finds."""

import re
from collections.abc import Iterator

from tests.rules.files import ROOT, check, documents, name_of, read

MOST_COLUMNS = 100
# What a user needs, and how it is made: the most pages of each floor.
FLOORS = {"docs": 10, "docs/internals": 12}
_FENCE = re.compile(r"^\s*(```|~~~)")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Return the numbered lines of a document that are neither of a table nor of a block of code."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            in_code = not in_code
        elif not in_code and not line.lstrip().startswith("|"):
            yield number, line


def test_lines_are_short() -> None:
    check(
        [
            f"{name_of(path)}:{number}"
            for path in documents()
            for number, line in prose(path.read_text("utf-8"))
            # A link cannot be broken.
            if len(line) > MOST_COLUMNS and " " in re.sub(r"\[[^]]*\]\([^)]*\)", "", line).strip()
        ],
        f"More than {MOST_COLUMNS} columns; break the lines:",
    )
    assert [number for number, _ in prose("a\n| wide |\n```\ncode\n```\nb")] == [1, 6]


def test_the_examples_of_the_api_need_no_more_than_they_say() -> None:
    """They are for a clone after `make run`, but in the chapters on typed clients and agents."""
    chapters = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", read("docs/api.md"), re.MULTILINE))
    apart = [chapters.pop(name) for name in ("Typed clients", "Ask from an agent")]
    assert not [
        name for name, text in chapters.items() if re.search(r"leads-mcp|make client|pip install", text)
    ]
    assert all(re.search(r"pip .*install|needs Node", text) for text in apart)
    blocks = re.findall(r"```bash\n(.*?)```", "".join(chapters.values()), re.DOTALL)
    commands = {
        line.split()[0] for block in blocks for line in re.sub(r"\\\n", "", block).splitlines() if line
    }
    assert not {command for command in commands if command not in {"#", "curl"} and "=" not in command}


def test_each_floor_is_small() -> None:
    for folder, most_pages in FLOORS.items():
        pages = list((ROOT / folder).glob("*.md"))
        assert len(pages) <= most_pages, (
            f"{folder} has {len(pages)} pages, more than {most_pages}: merge two."
        )
    assert {path.parent for path in (ROOT / "docs").rglob("*.md")} == {ROOT / folder for folder in FLOORS}


def test_each_page_can_be_found() -> None:
    starts = read("README.md") + read("CONTRIBUTING.md")
    linked = {(ROOT / link).resolve() for link in _LINK.findall(starts)}
    check(
        [name_of(path) for path in documents() if path.parent != ROOT and path not in linked],
        "Linked neither from README.md nor from CONTRIBUTING.md:",
    )
