"""Whether an installation of an older version gets the columns of today.

CREATE TABLE IF NOT EXISTS leaves a table that exists as it is: a column of it comes by ALTER TABLE.
"""

import re
from collections.abc import Mapping

from tests.rules.select_lists import parse, table_columns

_COMMENT = re.compile(r"--[^\n]*")
_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?((?:read_model|projector)\.\w+) \(")
_ALTER = re.compile(r"ALTER TABLE (?:ONLY )?([\w.]+)([^;]*);")
_ADD = re.compile(r"\bADD COLUMN IF NOT EXISTS (\w+)")
_RENAME_TABLE = re.compile(r"\s+RENAME TO (\w+)")
_RENAME_COLUMN = re.compile(r"\s+RENAME COLUMN (\w+) TO (\w+)")


def created_columns(text: str) -> dict[str, list[str]]:
    """For each table of ours, the columns that CREATE TABLE gives it, in order."""
    tree = parse(_ALTER.sub("", _COMMENT.sub("", text)))
    return {name: table_columns(tree, *name.split(".")) for name in _TABLE.findall(text)}


def added_columns(text: str) -> dict[str, list[str]]:
    """For each table, the columns that ALTER TABLE … ADD COLUMN IF NOT EXISTS gives it, in order."""
    found: dict[str, list[str]] = {}
    for table, actions in _ALTER.findall(_COMMENT.sub("", text)):
        found.setdefault(table, []).extend(_ADD.findall(actions))
    return found


def renamed(columns: Mapping[str, list[str]], statements: str) -> dict[str, list[str]]:
    """The tables and columns under the names that ALTER TABLE … RENAME gives them."""
    found = dict(columns)
    for table, action in _ALTER.findall(_COMMENT.sub("", statements)):
        if table in found and (match := _RENAME_TABLE.fullmatch(action)):
            found[f"{table.partition('.')[0]}.{match[1]}"] = found.pop(table)
        elif table in found and (match := _RENAME_COLUMN.fullmatch(action)):
            found[table] = [match[2] if column == match[1] else column for column in found[table]]
    return found


def schema_against_older(schema: str, before_tables: str, older: str, version: str) -> list[str]:
    """The tables of schema.sql against those that an older version, of which `older` is a dump, becomes."""
    there = renamed(created_columns(older), before_tables)
    added = added_columns(before_tables + schema)
    sentences = []
    for table, columns in created_columns(schema).items():
        if table not in there:
            continue
        new = [column for column in added.get(table, []) if column not in there[table]]
        missing = [column for column in columns if column not in (*there[table], *new)]
        sentences += [
            f"{table} of version {version} has no column {column}: write `ALTER TABLE {table} ADD COLUMN IF NOT EXISTS "
            f"{column} …;` below its CREATE TABLE in schema.sql, with a default that old rows serve until they turn."
            for column in missing
        ]
        sentences += [
            f"ALTER TABLE adds {column} to {table}: add it to its CREATE TABLE in schema.sql too, with a comment."
            for column in new
            if column not in columns
        ]
        kept = [column for column in there[table] if column in columns]
        if new and not missing and set(new) <= set(columns) and columns != [*kept, *new]:
            sentences.append(
                f"ALTER TABLE puts {', '.join(new)} last in {table} of version {version}: in schema.sql, write "
                f"CREATE TABLE with the columns in the order {', '.join([*kept, *new])}."
            )
    return sentences
