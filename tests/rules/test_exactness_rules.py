"""The table of exactness rules in docs/internals/exactness-rules.md names a file, a test and a mutant for each rule."""

import ast
import re
from typing import NamedTuple

from tests.rules.files import ROOT, check

PAGE = ROOT / "docs" / "internals" / "exactness-rules.md"
MUTANTS = ROOT / "tests" / "exactness" / "test_mutants.py"
RULES = [*(f"C{number}" for number in range(1, 11)), *(f"R{number}" for number in range(1, 11))]
_FILE = re.compile(r"[\w./-]+\.(?:py|sql)\b")
_TEST = re.compile(r"tests/[\w/]+\.py::test_\w+")


class Row(NamedTuple):
    rule: str
    says: str
    files: str
    test: str
    mutants: str


def rows() -> list[Row]:
    """Return the rows of all tables of the page."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    described = [Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in lines]
    return [row for row in described if row.rule != "Rule"]


def mutants_of_the_page() -> dict[str, Row]:
    """Return the row of each mutant, in their order."""
    return {mutant: row for row in rows() for mutant in row.mutants.split("; ")}


def test_each_rule_has_complete_rows_and_each_row_names_one_test() -> None:
    wrong = [rule for rule in RULES if rule not in {row.rule for row in rows()}]
    wrong += [f"{row.rule}: {row.says}" for row in rows() if not all(row) or not _TEST.fullmatch(row.test)]
    check(
        wrong, "docs/internals/exactness-rules.md has no row for it, or one that does not name path::test_…:"
    )


def test_each_file_and_test_of_the_table_exists() -> None:
    named = {(row.rule, name) for row in rows() for name in _FILE.findall(f"{row.files} {row.test}")}
    gone = {f"{name} (of {rule})" for rule, name in named if not (ROOT / name).is_file()}
    for row in rows():
        file, _, test = row.test.partition("::")
        if (ROOT / file).is_file() and f"\ndef {test}(" not in (ROOT / file).read_text("utf-8"):
            gone.add(f"{row.test} (of {row.rule})")
    check(sorted(gone), "docs/internals/exactness-rules.md names files or tests that do not exist:")


def test_the_page_and_the_table_of_mutants_have_the_same() -> None:
    [table] = [
        node.value
        for node in ast.parse(MUTANTS.read_text("utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MUTANTS"
    ]
    assert isinstance(table, ast.Dict)
    made = {ast.literal_eval(key) for key in table.keys if key is not None}
    check(
        sorted(made ^ set(mutants_of_the_page())),
        "One of docs/internals/exactness-rules.md and tests/exactness/test_mutants.py does not have the mutant:",
    )
