"""SQL that reads tables is in sql/, where sqlfluff checks it and a reader finds it; not in Python strings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rules.files import name_of, python_files

METHODS = {"execute", "executemany", "executescript", "stream", "copy"}
# COPY … FROM STDIN reads what the program sends.
READS_TABLES = re.compile(r"\b(FROM(?! STDIN)|JOIN)\b")


def statements_in(source: str) -> list[int]:
    """The lines of strings with FROM, JOIN or a second line that a call executes.

    A string counts where it is part of the first argument, or of an assignment to a name that is part of it.
    """
    tree = ast.parse(source)
    assigned = _assignments(tree)
    return sorted(
        {
            string.lineno
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in METHODS
            and call.args
            for string in _strings(call.args[0], assigned, frozenset())
            if READS_TABLES.search(_text(string)) or "\n" in _text(string) or _ends(string) > string.lineno
        }
    )


def _assignments(tree: ast.Module) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
            targets, value = [node.target], node.value
        elif isinstance(node, ast.For | ast.comprehension):
            targets, value = [node.target], node.iter
        else:
            continue
        for target in targets:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    found.setdefault(name.id, []).append(value)
    return found


def _strings(
    node: ast.AST, assigned: dict[str, list[ast.expr]], seen: frozenset[str]
) -> Iterator[ast.Constant | ast.JoinedStr]:
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        yield node
    if isinstance(node, ast.Name) and node.id not in seen:
        for value in assigned.get(node.id, ()):
            yield from _strings(value, assigned, seen | {node.id})
    for child in ast.iter_child_nodes(node):
        yield from _strings(child, assigned, seen)


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))


def _ends(node: ast.expr) -> int:
    return node.end_lineno or node.lineno


@pytest.mark.parametrize("path", python_files("projector"), ids=name_of)
def test_no_statement_that_reads_tables_is_a_string_in_python(path: Path) -> None:
    found = [f"{name_of(path)}:{line}" for line in statements_in(path.read_text("utf-8"))]
    assert not found, (
        f"{', '.join(found)}: this SQL has FROM, JOIN or a second line. "
        f"Move it to sql/queries/{_queries_of(path)}.sql and fetch it by projector.sql.query()."
    )


def _queries_of(path: Path) -> str:
    """The file of queries of a module; a package has one for all its modules."""
    package = path.parent.name
    return path.stem if package == "projector" else package


@pytest.mark.parametrize(
    "source",
    [
        "conn.execute('SELECT 1 FROM t')",
        "conn.execute('DELETE ' 'FROM t')",
        "conn.execute(\n    'SELECT'\n    ' 1'\n)",
        "conn.execute('''SELECT\n1''')",
        "conn.execute(f'SELECT {column} FROM t'.encode())",
        "cursor.executemany(sql.SQL('SELECT 1 FROM {}').format(table), rows)",
        "conn.execute('SELECT 1' + ' FROM t')",
        "_TEXT = 'SELECT 1 FROM t'\ndef read(conn):\n    conn.execute(_TEXT)",
        "def read(conn):\n    text = 'SELECT 1 FROM t'\n    conn.execute(text.encode())",
        "for text in ('SELECT 1 FROM t', 'SELECT 2'):\n    conn.execute(text)",
    ],
)
def test_the_rule_finds_a_statement(source: str) -> None:
    assert len(statements_in(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "conn.execute('SET work_mem = 1')",
        "conn.execute(query('status', 'read_queue'), {'from': 'FROM'})",
        "conn.execute('SELECT pg_try_advisory_lock(%s, %s)', (1, 2))",
        "conn.execute(\n    query('status', 'read_queue'),\n    {'x': 1},\n)",
        "say('Taken FROM the queue')",
        "cursor.copy('COPY t FROM STDIN')",
        "text = text.strip()\nconn.execute(text)",
    ],
)
def test_the_rule_lets_short_commands_and_named_queries_pass(source: str) -> None:
    assert statements_in(source) == []
