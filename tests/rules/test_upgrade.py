"""An installation of an older version gets every column; a red test names the statement that schema.sql lacks.

CREATE TABLE IF NOT EXISTS leaves a table that exists as it is. tests/exactness/test_upgrade.py shows that an upgraded
database is the same as a new one.
"""

import gzip
import re

from pglast import ast
from pglast.enums import AlterTableType

from projector.database.sql import query
from projector.operate.install import PREDECESSORS
from tests.rules.files import ROOT, check, read
from tests.rules.sql import created_columns, nodes, parse, qualified
from tests.support.cases import cases

VERSION = PREDECESSORS[0]
DUMP = gzip.decompress(
    (ROOT / "tests" / "exactness" / "data" / f"version_{VERSION}.sql.gz").read_bytes()
).decode()
ALTER = "ALTER TABLE s.t ADD COLUMN IF NOT EXISTS b text;"


def missing_statements(schema: str, dump: str) -> list[str]:
    """Return the statements that an installation with the tables of a dump needs."""
    # PostgreSQL's parser does not take each line of a dump.
    older = created_columns("\n".join(re.findall(r"^CREATE TABLE [^;]*;", dump, re.MULTILINE)))
    added = {
        (qualified(node.relation), command.def_.colname)
        for node in nodes(parse(schema), ast.AlterTableStmt)
        for command in node.cmds
        if command.subtype == AlterTableType.AT_AddColumn and command.missing_ok
    }
    return [
        f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} …;"
        for table, columns in created_columns(schema).items()
        if table in older
        for column in columns
        if column not in older[table] and (table, column) not in added
    ]


def test_a_table_of_an_older_version_gets_each_new_column() -> None:
    check(
        missing_statements(read("schema.sql"), DUMP),
        f"Since {VERSION}: write it below the CREATE TABLE in schema.sql; NOT NULL needs a default for old rows:",
    )


# What has no part: what the read model says of itself and of tenants.
_STATE = {"projection", "freshness", "tenants", "tenant_names", "attribute_counts"}


def columns_without_part(schema: str, dump: str, reads: str) -> list[str]:
    """Return the columns and tables of the read model that came since a dump, and that no part has."""
    older = created_columns("\n".join(re.findall(r"^CREATE TABLE [^;]*;", dump, re.MULTILINE)))
    known = {*reads.split()}
    return [
        f"{name}.{column}"
        for qualified_name, columns in created_columns(schema).items()
        for name in [qualified_name.removeprefix("read_model.")]
        if qualified_name.startswith("read_model.") and name not in _STATE
        for column in columns
        if column not in older.get(qualified_name, ()) and known.isdisjoint((name, f"{name}.{column}"))
    ]


def test_what_came_since_an_older_version_is_of_a_part_of_the_read_model() -> None:
    """Until a rebuild has filled it, the API then refuses what reads it."""
    reads = " ".join(re.findall(r"'([\w. ]+)'", query("operate", "note_parts")))
    check(
        columns_without_part(read("schema.sql"), DUMP, reads),
        f"Since {VERSION}: name it in a part of the query note_parts of sql/queries/operate.sql:",
    )
    assert f"'projection_version', '{VERSION}'" in DUMP
    table = "CREATE TABLE read_model.leads (a text, b text);\nCREATE TABLE read_model.calls (c text);"
    older = "CREATE TABLE read_model.leads (\n    a text\n);"
    assert columns_without_part(table, older, "leads.a") == ["leads.b", "calls.c"]
    assert columns_without_part(table, older, "leads.b calls") == []


@cases(
    ("statement", "missing"),
    [(ALTER, 0), ("", 1), (f"-- {ALTER}", 1), (ALTER.replace("IF NOT EXISTS ", ""), 1)],
)
def test_a_created_column_asks_to_be_added(statement: str, missing: int) -> None:
    schema = f"CREATE TABLE IF NOT EXISTS s.t (a text, b text);\n{statement}"
    statements = missing_statements(schema, "CREATE TABLE s.t (\n    a text\n);")
    assert statements == ["ALTER TABLE s.t ADD COLUMN IF NOT EXISTS b …;"] * missing
