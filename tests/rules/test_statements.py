"""What a statement may do, and where it is written."""

import ast
import re
from functools import cache

from projector.capture.texts import RELATIONS
from projector.database.schema import source_tables
from tests.rules.files import check, name_of, python_files, read, sql_files
from tests.rules.sql import created_columns
from tests.support.tenant_filter import SHARED_TABLES

SCHEMA = created_columns(read("schema.sql"))
PLATFORM = "|".join(name for name in SCHEMA if "." not in name)
# `uninstall --drop-dependents`.
MAY_CASCADE = "projector/operate/uninstall.py"
# What the platform's own rows do, in the tables that are created for trials only, is no CASCADE of ours.
DROPS_OTHERS = re.compile(r"(?<!ON DELETE )\b(CASCADE|DROP OWNED|REASSIGN OWNED)\b")
BARE_NAME = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|ONLY|LOCK)\s+({PLATFORM})\b(?!\s*[.(])")
BEGINS = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|TRUNCATE|COPY|CREATE|ALTER|DROP)\b")
# COPY … FROM STDIN reads what the program sends.
READS_TABLES = re.compile(r"\b(?:FROM(?! STDIN)|JOIN)\b|\n")
_COMMENT = re.compile(r"--.*")


@cache
def strings(source: str) -> list[tuple[int, str]]:
    """Return the strings of a Python file with their lines, without those that describe."""
    nodes = list(ast.walk(ast.parse(source)))
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    left_out = parts | {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [
        (node.lineno, "".join(str(getattr(part, "value", "x")) for part in node.values))
        for node in nodes
        if isinstance(node, ast.JoinedStr)
    ]
    return texts + [
        (node.lineno, node.value)
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out
    ]


def test_no_statement_drops_what_others_made() -> None:
    texts = [(name_of(path), _COMMENT.sub("", path.read_text("utf-8"))) for path in sql_files()]
    texts += [
        (name_of(path), text) for path in python_files() for _, text in strings(path.read_text("utf-8"))
    ]
    dropping = {name for name, text in texts if DROPS_OTHERS.search(text)}
    check(
        sorted(dropping - {MAY_CASCADE}),
        "Drop what is ours by its name, so that PostgreSQL refuses if others depend on it:",
    )
    assert MAY_CASCADE in dropping


def test_no_statement_has_the_bare_name_of_a_table_of_the_platform() -> None:
    """A bare name would be looked for on the search_path."""
    check(
        [
            f"{name_of(path)}: {name}"
            for path in sql_files()
            if path.name != "schema.sql" and path.parent.name != "mapping"
            for name in BARE_NAME.findall(_COMMENT.sub("", path.read_text("utf-8")))
        ],
        "Call projector.source_RELATION():",
    )
    assert BARE_NAME.findall("FROM messages AS m JOIN\n    users") == ["messages", "users"]
    assert BARE_NAME.findall("FROM projector.source_users() AS users, public.messages") == []


def test_nothing_but_the_mapping_knows_a_table_of_the_platform() -> None:
    """The relations of the mapping have the names of some of them, and `users` is a word of ours."""
    named = re.compile(rf"\b(?:{'|'.join({*source_tables()} - {*RELATIONS, 'users'})})\b")
    texts = [
        (name_of(path), _COMMENT.sub("", path.read_text("utf-8")))
        for path in sql_files()
        if path.name != "schema.sql" and path.parent.name != "mapping"
    ]
    texts += [
        (f"{name_of(path)}:{line}", text)
        for path in python_files("projector")
        # The demo writes rows of the reference tables.
        if "trial" not in path.parts
        for line, text in strings(path.read_text("utf-8"))
    ]
    check(
        sorted({name for name, text in texts if named.search(text)}),
        "Say it in sql/mapping/, and nowhere else:",
    )


def test_no_statement_that_reads_tables_is_a_string_in_python() -> None:
    """In sql/, sqlfluff checks a statement and a reader finds it."""
    check(
        [
            f"{name_of(path)}:{line}"
            for path in python_files("projector")
            for line, text in strings(path.read_text("utf-8"))
            if BEGINS.match(text) and READS_TABLES.search(text)
        ],
        "This SQL has FROM, JOIN or a second line. Move it to a file of sql/queries/, and load it by query():",
    )


def test_the_rules_read_strings() -> None:
    source = '"""SELECT 1 FROM t"""\na = f"SELECT {b} FROM t"\nc = "DELETE " "FROM t"\nd = "DROP SCHEMA s CASCADE"\n'
    texts = dict(strings(source))
    assert [line for line, text in texts.items() if BEGINS.match(text) and READS_TABLES.search(text)] == [
        2,
        3,
    ]
    assert [line for line, text in texts.items() if DROPS_OTHERS.search(text)] == [4]
    assert not READS_TABLES.search("COPY t FROM STDIN")
    assert not DROPS_OTHERS.search("a text REFERENCES t ON DELETE CASCADE")


def test_the_check_of_the_tenant_leaves_out_only_tables_without_tenants() -> None:
    without = {
        name.removeprefix("read_model.")
        for name, columns in SCHEMA.items()
        if name.startswith("read_model.") and "user_id" not in columns
    }
    # And views: of the tables, of the place of versions, and of the tenants, of whom they tell that they are there, and
    # how many are late.
    assert {*without, "late_tenants", "place_of_versions", "row_security", "tenant_ids"} == SHARED_TABLES


def test_no_vacuum_truncates_a_table_that_readers_read() -> None:
    """To truncate one takes a lock that readers wait for; a TOAST table has a setting of its own."""
    tables = re.findall(
        r"^CREATE TABLE IF NOT EXISTS ((?:read_model|leads_access)\.\w+) \(.*?^\)([^;]*);",
        read("schema.sql"),
        re.MULTILINE | re.DOTALL,
    )
    assert len(tables) > 10
    check(
        [name for name, options in tables if options.count("vacuum_truncate = off") != 2],
        "Write WITH (vacuum_truncate = off, toast.vacuum_truncate = off) behind the table in schema.sql:",
    )
