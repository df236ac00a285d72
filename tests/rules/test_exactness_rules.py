"""The table of exactness rules in docs/internals/exactness-rules.md names a file, a test and a mutant for each rule."""

import ast
import re

from tests.rules.files import ROOT, check, python_files

PAGE = ROOT / "docs" / "internals" / "exactness-rules.md"
MUTANTS = ROOT / "tests" / "exactness" / "test_mutants.py"
COLUMNS = ("rule", "what it says", "file", "test", "mutant")
RULES = [*(f"C{number}" for number in range(1, 11)), *(f"R{number}" for number in range(1, 11))]
_FILE = re.compile(r"[\w./-]+\.(?:py|sql)\b")
_TEST = re.compile(r"\btest_\w+")
_DEFINED = re.compile(r"^def (test_\w+)", re.MULTILINE)


# The cells of a row, by the names of its columns in lower case.
Row = dict[str, str]


def named_tests(row: Row) -> set[str]:
    return set(_TEST.findall(_FILE.sub(" ", row["test"])))


def rows_of(text: str) -> dict[str, list[Row]]:
    """Return the rows of every table that has these columns, by the rule's id; a rule may have several rows."""
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
            row = dict(zip(header, cells, strict=False))
            found.setdefault(row["rule"].strip("*` "), []).append(row)
    return found


def page() -> dict[str, list[Row]]:
    assert PAGE.is_file(), (
        "docs/internals/exactness-rules.md does not exist: write the table of exactness rules there."
    )
    return rows_of(PAGE.read_text("utf-8"))


def mutants() -> list[tuple[str, str]]:
    calls = [node for node in ast.walk(ast.parse(MUTANTS.read_text("utf-8"))) if isinstance(node, ast.Call)]
    made = [call.args[:2] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Mutant"]
    return [(ast.literal_eval(rule), ast.literal_eval(what)) for rule, what in made]


def test_each_rule_has_complete_rows_and_names_a_test() -> None:
    check(
        [
            *(rule for rule in RULES if not any(map(named_tests, page().get(rule, [])))),
            *(
                f"{rule} says nothing under {column}"
                for rule in RULES
                for row in page().get(rule, [])
                for column in COLUMNS
                if not row.get(column)
            ),
        ],
        "docs/internals/exactness-rules.md has no row for it that names a test_… function, or an incomplete one:",
    )


def test_each_file_and_test_of_the_table_exists() -> None:
    there = {name for path in python_files("tests") for name in _DEFINED.findall(path.read_text("utf-8"))}
    rows = [(rule, row) for rule, rows in page().items() for row in rows]
    gone = {
        f"{name} (of {rule})"
        for rule, row in rows
        for name in _FILE.findall(f"{row['file']} {row['test']}")
        if not (ROOT / name.removeprefix("../")).is_file()
    }
    gone |= {f"{name} (of {rule})" for rule, row in rows for name in named_tests(row) - there}
    check(sorted(gone), "docs/internals/exactness-rules.md names files or tests that do not exist:")


def test_each_mutant_is_in_the_table() -> None:
    assert ("C1", "the queue is unique") in mutants()
    check(
        [
            f"{rule}: “{what}”"
            for rule, what in mutants()
            if what not in " ".join(row["mutant"] for row in page().get(rule, []))
        ],
        "docs/internals/exactness-rules.md: the row does not name the mutant of tests/exactness/test_mutants.py:",
    )
