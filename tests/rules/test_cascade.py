"""Nothing of ours drops what others made: CASCADE is in one place, for the operator who asks for it."""

import ast
import re
from pathlib import Path

import pytest

from tests.rules.files import ROOT, name_of, python_files

# `uninstall --drop-dependents`.
ASKED_FOR = "projector/operate/dependents.py"
DROPS_OTHERS = re.compile(r"\b(CASCADE|DROP OWNED|REASSIGN OWNED)\b")
# What the platform's own rows do, in the tables that are created for trials only.
OF_THE_PLATFORM = re.compile(r"ON DELETE CASCADE")


def statements_that_drop_others(name: str, text: str) -> list[str]:
    """The strings of a Python file, or the lines of an SQL file, that would drop what depends on something."""
    if name.endswith(".sql"):
        code = [re.sub(r"--.*", "", line) for line in text.splitlines()]
        return [line for line in code if DROPS_OTHERS.search(OF_THE_PLATFORM.sub("", line))]
    tree = ast.parse(text)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value not in docstrings
        and DROPS_OTHERS.search(node.value)
    ]


@pytest.mark.parametrize(
    "path", [*python_files(), *sorted(ROOT.glob("sql/**/*.sql")), ROOT / "schema.sql"], ids=name_of
)
def test_no_statement_drops_what_others_made(path: Path) -> None:
    found = statements_that_drop_others(name_of(path), path.read_text("utf-8"))
    allowed = 1 if name_of(path) == ASKED_FOR else 0
    assert len(found) == allowed, (
        f"{name_of(path)}: {found}: drop what is ours by its name, so that PostgreSQL refuses if others depend on it."
    )


def test_the_rule_finds_a_cascade() -> None:
    assert statements_that_drop_others(
        "a.py", '"""CASCADE is bad."""\nconn.execute("DROP SCHEMA s CASCADE")'
    ) == ["DROP SCHEMA s CASCADE"]
    assert statements_that_drop_others("a.sql", "DROP OWNED BY r; -- x") != []
    assert statements_that_drop_others("a.sql", "a text REFERENCES t ON DELETE CASCADE -- CASCADE") == []
