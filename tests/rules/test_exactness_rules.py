"""The table of exactness rules in docs/exactness-rules.md names a file, a test and a mutant for each rule."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rules.files import ROOT

PAGE = ROOT / "docs" / "exactness-rules.md"
MUTANTS = ROOT / "tests" / "exactness" / "test_mutants.py"
COLUMNS = ("rule", "what it says", "file", "test", "mutant")
RULES = [*(f"C{number}" for number in range(1, 10)), *(f"R{number}" for number in range(1, 11))]
_FILE = re.compile(r"[\w./-]+\.(?:py|sql)\b")
_TEST = re.compile(r"\btest_\w+")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table, by the names of its columns in lower case."""

    cells: dict[str, str]

    def files(self) -> set[str]:
        """The files that the row names, from the root of the repository."""
        named = _FILE.findall(f"{self.cells['file']} {self.cells['test']}")
        return {name.removeprefix("../") for name in named}

    def tests(self) -> set[str]:
        """The functions that the row names."""
        return set(_TEST.findall(_FILE.sub(" ", self.cells["test"])))


def rows_of(text: str) -> dict[str, list[Row]]:
    """The rows of every table that has these columns, by the rule's id; a rule may have several rows."""
    found: dict[str, list[Row]] = {}
    header: list[str] = []
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if not header:
            header = [cell.strip("*` ").lower() for cell in cells]
        elif set(COLUMNS) <= set(header) and not set(line) <= set("|-: "):
            row = Row(dict(zip(header, cells, strict=False)))
            found.setdefault(row.cells["rule"].strip("*` "), []).append(row)
    return found


def page() -> dict[str, list[Row]]:
    """The rows of the page."""
    assert PAGE.is_file(), "docs/exactness-rules.md does not exist: write the table of exactness rules there."
    return rows_of(PAGE.read_text("utf-8"))


def mutants() -> list[tuple[str, str]]:
    """The rule and the text of each mutant."""
    found = []
    for node in ast.walk(ast.parse(MUTANTS.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Mutant":
            rule, what = (argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant))
            found.append((str(rule), str(what)))
    return found


def functions_of(path: Path) -> set[str]:
    """The functions that a file defines."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_a_complete_row(rule: str) -> None:
    rows = page().get(rule)
    assert rows, f"docs/exactness-rules.md has no row for {rule}."
    for row in rows:
        empty = [column for column in COLUMNS if not row.cells.get(column)]
        assert not empty, f"docs/exactness-rules.md: the row of {rule} says nothing under {', '.join(empty)}."


def test_each_file_of_the_table_exists() -> None:
    gone = sorted(
        {
            f"{name} (of {rule})"
            for rule, rows in page().items()
            for row in rows
            for name in row.files()
            if not (ROOT / name).is_file()
        }
    )
    assert not gone, f"docs/exactness-rules.md names files that do not exist: {', '.join(gone)}."


def test_each_test_of_the_table_exists() -> None:
    there = {name for path in (ROOT / "tests").rglob("test_*.py") for name in functions_of(path)}
    gone = sorted(
        f"{name} (of {rule})" for rule, rows in page().items() for row in rows for name in row.tests() - there
    )
    assert not gone, f"docs/exactness-rules.md names tests that do not exist: {', '.join(gone)}."


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_names_a_test(rule: str) -> None:
    rows = page().get(rule, [])
    assert any(row.tests() for row in rows), (
        f"docs/exactness-rules.md: the row of {rule} names no test_… function."
    )


@pytest.mark.parametrize(("rule", "what"), mutants(), ids=lambda value: value)
def test_each_mutant_is_in_the_table(rule: str, what: str) -> None:
    named = " ".join(row.cells["mutant"] for row in page().get(rule, []))
    assert what in named, (
        f"docs/exactness-rules.md: the row of {rule} does not name the mutant “{what}” of "
        "tests/exactness/test_mutants.py under “mutant”."
    )


def test_the_table_is_read_whatever_its_layout() -> None:
    text = (
        "# Rules\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n"
        "| Rule | What it says | File | Test | Mutant |\n| :-- | --- | --- | --- | --- |\n"
        "| **C1** | It \\| that | `sql/a.sql`, `projector/b.py` |"
        " [`test_this`](../tests/unit/api/test_c.py), `test_that` | one |\n"
        "| `C1` | It | sql/a.sql | tests/unit/api/test_c.py::test_more | two |\n"
    )
    rows = rows_of(text)
    assert list(rows) == ["C1"]
    assert [row.cells["mutant"] for row in rows["C1"]] == ["one", "two"]
    assert rows["C1"][0].files() == {"sql/a.sql", "projector/b.py", "tests/unit/api/test_c.py"}
    assert rows["C1"][0].tests() == {"test_this", "test_that"}
    assert rows["C1"][1].tests() == {"test_more"}


def test_the_mutants_are_found() -> None:
    assert ("C1", "the queue is unique") in mutants()
