"""An installation of an older version gets every column; a red test names the statement that schema.sql lacks."""

from pathlib import Path

import pytest

from tests.rules.files import ROOT, name_of
from tests.rules.upgrade import added_columns, created_columns, renamed, schema_against_older

DUMPS = sorted((ROOT / "tests" / "exactness" / "data").glob("version_*.sql"))
# Of no older version.
ADDED_TABLES = {"read_model.lead_tombstones"}
BEFORE_TABLES = "\n".join(
    path.read_text("utf-8") for path in sorted((ROOT / "sql" / "install" / "before_tables").glob("*.sql"))
)


@pytest.mark.parametrize("dump", DUMPS, ids=name_of)
def test_a_table_of_an_older_version_gets_each_new_column(dump: Path) -> None:
    version = dump.stem.removeprefix("version_").replace("_", ".")
    schema = (ROOT / "schema.sql").read_text("utf-8")
    sentences = schema_against_older(schema, BEFORE_TABLES, dump.read_text("utf-8"), version)
    assert not sentences, "\n" + "\n".join(sentences)


@pytest.mark.parametrize("dump", DUMPS, ids=name_of)
def test_the_tables_of_an_older_version_are_found_under_their_names_of_today(dump: Path) -> None:
    older = renamed(created_columns(dump.read_text("utf-8")), BEFORE_TABLES)
    today = created_columns((ROOT / "schema.sql").read_text("utf-8"))
    assert {name for name in today if name.startswith("read_model.")} - ADDED_TABLES <= older.keys()
    assert all(columns for columns in (*older.values(), *today.values()))


# The rule itself, on a small schema.

SMALL_OLDER = "CREATE TABLE read_model.people (\n    id text NOT NULL,\n    called text\n);"
SMALL_RENAMES = """
ALTER TABLE read_model.people RENAME TO leads;
ALTER TABLE read_model.leads RENAME COLUMN called TO name;
"""
SMALL_SCHEMA = """
CREATE TABLE IF NOT EXISTS read_model.leads (
    id text NOT NULL,
    name text,
    -- The label.
    label text,
    CONSTRAINT leads_pkey PRIMARY KEY (id)
);
ALTER TABLE read_model.leads ADD COLUMN IF NOT EXISTS label text;
CREATE TABLE IF NOT EXISTS read_model.added_later (id text);
"""
ALTER = "ALTER TABLE read_model.leads ADD COLUMN IF NOT EXISTS label text;"


def asked_for(schema: str) -> list[str]:
    return schema_against_older(schema, SMALL_RENAMES, SMALL_OLDER, "0.1")


def test_a_column_that_is_created_and_added_is_enough() -> None:
    assert asked_for(SMALL_SCHEMA) == []
    assert added_columns(SMALL_SCHEMA) == {"read_model.leads": ["label"]}


@pytest.mark.parametrize("instead", ["", f"-- {ALTER}", ALTER.replace("IF NOT EXISTS ", "")])
def test_a_created_column_asks_to_be_added(instead: str) -> None:
    [sentence] = asked_for(SMALL_SCHEMA.replace(ALTER, instead))
    assert "`ALTER TABLE read_model.leads ADD COLUMN IF NOT EXISTS label …;`" in sentence
    assert "schema.sql" in sentence


def test_an_added_column_asks_to_be_created() -> None:
    [sentence] = asked_for(SMALL_SCHEMA.replace("    label text,\n", ""))
    assert "add it to its CREATE TABLE in schema.sql" in sentence


def test_an_added_column_asks_to_be_the_last() -> None:
    [sentence] = asked_for(
        SMALL_SCHEMA.replace("    label text,\n", "").replace(
            "    name text", "    label text,\n    name text"
        )
    )
    assert "in the order id, name, label" in sentence
