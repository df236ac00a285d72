"""A ratchet: no folder has more lines of code than `sizes.txt` allows."""

from tests.rules.files import check
from tests.rules.sizes import allowed, code_lines, folder_of, measure

PYTHON = '''"""A module."""

# A comment.
A = 1  # Another one.


def function() -> str:
    """Return a text
    in two lines."""
    return """
text
"""
'''


def too_large(sizes: dict[str, int], most: dict[str, int]) -> list[str]:
    """Return a line for each folder that has more lines of code than it may have."""
    return [
        f"{folder}: {size:,} lines of code, {size - most.get(folder, 0):,} more than its number"
        for folder, size in sizes.items()
        if size > most.get(folder, 0)
    ]


def test_no_folder_has_more_code_than_its_number() -> None:
    check(
        too_large(measure(), allowed()),
        "Remove as much elsewhere in the folder; or run `python -m tests.rules.sizes --write`, commit"
        " tests/rules/sizes.txt too, and say in the message of the commit why the folder needs more:",
    )


def test_a_folder_that_grew_or_is_new_is_named() -> None:
    assert too_large({"api/plan": 10, "sql/refresh": 11}, {"api/plan": 10, "sql/refresh": 11}) == []
    assert too_large({"api/plan": 11}, {"api/plan": 10}) == [
        "api/plan: 11 lines of code, 1 more than its number"
    ]
    assert too_large({"api/new": 3}, {}) == ["api/new: 3 lines of code, 3 more than its number"]


def test_blank_lines_comments_and_docstrings_are_not_counted() -> None:
    assert code_lines(PYTHON, ".py") == 5
    assert code_lines("-- A comment\nSELECT 1  -- and one\n\n/* more\nlines */;\n", ".sql") == 2
    assert code_lines("// A comment\nrun();\n/* more */\n", ".js") == 1


def test_each_file_is_counted_under_one_folder() -> None:
    names = (
        "schema.sql",
        "api/__main__.py",
        "api/plan/list/plan.py",
        "api/page/static/list.js",
        "tests/unit/api/a.py",
    )
    assert [*map(folder_of, names)] == ["schema.sql", "api", "api/plan", "api/page", "tests"]
