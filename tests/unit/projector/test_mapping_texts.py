"""What the mapping's own reading of SQL finds is what PostgreSQL's grammar does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pglast.parser import parse_sql_json

from projector.capture.texts import Texts

PARSED = {
    "comments in comments": "SELECT m.id /* FROM a AS x /* JOIN b AS y */ m.us */ FROM messages AS m",
    "comments five deep": "SELECT m.id /* /* /* /* JOIN b AS y */ */ */ */ FROM messages AS m",
    "a query of WITH": "WITH messages AS (SELECT n.id, n.text FROM notes AS n) SELECT m.id FROM messages AS m",
    "several of WITH": "WITH a (id) AS (SELECT n.id FROM notes AS n), b AS MATERIALIZED (SELECT x.id FROM a AS x)"
    " SELECT y.id FROM b AS y JOIN users AS u ON u.id = y.id",
    "a sub-select": "SELECT m.id, (SELECT u.name FROM users AS u WHERE u.id = m.user_id) FROM messages AS m",
    "a sub-select in FROM": "SELECT s.id FROM (SELECT m.id FROM messages AS m) AS s",
    "a condition with one": "SELECT m.id FROM messages AS m WHERE EXISTS (SELECT FROM notes AS n WHERE n.id = m.id)",
    "LATERAL": "SELECT m.id FROM messages AS m CROSS JOIN LATERAL (SELECT n.id FROM notes AS n LIMIT 1) AS x",
    "names in quotes": 'SELECT "M".id, "M"."of user" FROM "Mess ages" AS "M" JOIN crm."Of" AS o ON o."a.b" = "M".id',
    "a name with what names nothing": 'SELECT m."-- FROM x AS y" FROM messages AS m',
    "another spelling": "select M.ID from Messages as M join Users as U on U.Id = M.User_Id",
    "DISTINCT FROM": "SELECT m.a IS DISTINCT FROM m.b AS other FROM messages AS m",
    "EXTRACT": "SELECT extract(epoch FROM m.at), substring(m.text FROM 2) FROM messages AS m",
    "a literal": "SELECT 'FROM a AS b', E'\\' JOIN c AS d', $x$ FROM e AS f $x$ FROM messages AS m",
}
"""Texts that say what they read in less usual ways."""


def nodes(tree: Any, kind: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # What JSON has.
    """Return all nodes of a kind."""
    if isinstance(tree, dict):
        yield from [tree[kind]] if kind in tree else []
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from nodes(part, kind)


def read_by_postgresql(text: str) -> dict[str, set[str]]:
    """Return the tables that a text reads, each with the columns that are named of it."""
    tree = json.loads(parse_sql_json(text))
    own = {query["ctename"] for query in nodes(tree, "CommonTableExpr")}
    tables = {
        table["alias"]["aliasname"]: table["relname"]
        for table in nodes(tree, "RangeVar")
        if "schemaname" in table or table["relname"] not in own
    }
    columns: dict[str, set[str]] = {table: set() for table in tables.values()}
    for column in nodes(tree, "ColumnRef"):
        alias, *name = [part["String"]["sval"] for part in column["fields"] if "String" in part]
        if alias in tables and name:
            columns[tables[alias]].add(name[0])
    return columns


@pytest.mark.parametrize("text", PARSED.values(), ids=PARSED)
def test_what_a_text_reads_is_what_the_grammar_says(text: str) -> None:
    read = Texts({"messages": text}).tables()
    assert {table: {*columns} for table, columns in read.items()} == read_by_postgresql(text)


def test_a_semicolon_ends_a_rule_where_postgresql_ends_a_statement() -> None:
    rules = """SELECT m.a AS "a;
    b.id" FROM m AS m WHERE m.text <> ';
    ' /* ; /* ;
    */ ; */; SELECT 2 -- ;
    ; SELECT 3"""
    read = [" ".join(rule.split()) for rule in Texts({"changes": rules}).rules()]
    assert read == ["SELECT m.a AS \"a; b.id\" FROM m AS m WHERE m.text <> '; '", "SELECT 2", "SELECT 3"]
