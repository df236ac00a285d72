"""An installation of an older version gets every column; a red test names the statement that schema.sql lacks.

CREATE TABLE IF NOT EXISTS leaves a table that exists as it is. tests/exactness/test_upgrade.py shows that an upgraded
database is the same as a new one.
"""

import gzip
import re

from pglast import ast
from pglast.enums import AlterTableType

from tests.rules.files import ROOT, check, read
from tests.rules.sql import created_columns, nodes, parse, qualified

DUMPS = sorted((ROOT / "tests" / "exactness" / "data").glob("version_*.sql.gz"))


def columns_of_dump(text: str) -> dict[str, list[str]]:
    """Return the columns of the tables in a dump, of which PostgreSQL's parser does not take each line."""
    return created_columns("\n".join(re.findall(r"^CREATE TABLE [^;]*;", text, re.MULTILINE)))


def added_columns(text: str) -> set[tuple[str, str]]:
    """Return what ALTER TABLE … ADD COLUMN IF NOT EXISTS adds, as tables and columns."""
    return {
        (qualified(node.relation), command.def_.colname)
        for node in nodes(parse(text), ast.AlterTableStmt)
        for command in node.cmds
        if command.subtype == AlterTableType.AT_AddColumn and command.missing_ok
    }


def missing_statements(schema: str, older: dict[str, list[str]]) -> list[str]:
    """Return the statements that an installation with these tables needs."""
    added = added_columns(schema)
    return [
        f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} …;"
        for table, columns in created_columns(schema).items()
        if table in older
        for column in columns
        if column not in older[table] and (table, column) not in added
    ]


def test_a_table_of_an_older_version_gets_each_new_column() -> None:
    assert DUMPS
    for dump in DUMPS:
        older = columns_of_dump(gzip.decompress(dump.read_bytes()).decode())
        assert "read_model.leads" in older
        check(
            missing_statements(read("schema.sql"), older),
            f"Since {dump.name}: write it below the CREATE TABLE in schema.sql; NOT NULL needs a default for old rows:",
        )


def test_a_created_column_asks_to_be_added() -> None:
    created = "CREATE TABLE IF NOT EXISTS s.t (a text, b text);"
    alter = "ALTER TABLE s.t ADD COLUMN IF NOT EXISTS b text;"
    older = columns_of_dump("CREATE TABLE s.t (\n    a text\n);")
    assert missing_statements(created + alter, older) == []
    for instead in ("", f"-- {alter}", alter.replace("IF NOT EXISTS ", "")):
        assert missing_statements(created + instead, older) == [
            "ALTER TABLE s.t ADD COLUMN IF NOT EXISTS b …;"
        ]
