"""A statement names a table of the platform by a placeholder: its name alone would be looked for on the search_path."""

import re
from pathlib import Path

import pytest

from projector.database.schema import source_tables
from tests.rules.files import ROOT, name_of

STATEMENTS = sorted((ROOT / "sql").rglob("*.sql"))
_COMMENT = re.compile(r"--.*")


def bare_names(text: str) -> list[str]:
    """The tables of the platform that a text reads or writes by their bare names."""
    tables = "|".join(source_tables())
    found = re.findall(
        rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|ONLY|LOCK)\s+({tables})\b(?!\s*[.(])", _COMMENT.sub("", text)
    )
    return sorted(set(found))


@pytest.mark.parametrize("file", STATEMENTS, ids=name_of)
def test_no_statement_has_the_bare_name_of_a_table_of_the_platform(file: Path) -> None:
    assert bare_names(file.read_text("utf-8")) == [], "write {source.TABLE}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT m.text FROM messages AS m", ["messages"]),
        ("SELECT 1 FROM\n    users", ["users"]),
        ("SELECT 1 FROM {source.users} JOIN agents USING (user_id)", ["agents"]),
        ("SELECT 1 FROM {source.users} AS users -- FROM agents", []),
        ("SELECT 1 FROM public.messages", []),
    ],
)
def test_a_bare_name_is_found(text: str, found: list[str]) -> None:
    assert bare_names(text) == found
