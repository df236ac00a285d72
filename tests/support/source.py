"""The platform's tables of schema.sql: their columns, and what `migrate` notes of them where nothing is missing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from projector.capture.texts import default_mapping
from projector.database.schema import sections
from projector.database.source_names import SourceTable

_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)\n\);", re.DOTALL)
_COLUMN = re.compile(r"^    ([a-z_]\w*) (\w+(?:\[\])?)(?:\((\d+)\))?(.*)$", re.MULTILINE)
_UNIQUE = re.compile(r"^    UNIQUE \((.*)\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its type, the most characters that it takes, and the table that it refers to, if any."""

    table: str
    name: str
    type: str
    length: int | None
    parent: str
    is_key: bool
    is_required: bool
    is_unique: bool

    def takes(self, value: object) -> bool:
        """Return whether the column's length and nullability allow the value."""
        if value is None:
            return not self.is_required
        return self.length is None or len(str(value)) <= self.length


def _columns(table: str, body: str) -> Iterator[Column]:
    for name, type_, length, rest in _COLUMN.findall(body):
        parent = re.search(r"REFERENCES (\w+)", rest)
        yield Column(
            table,
            name,
            type_,
            int(length) if length else None,
            parent[1] if parent else "",
            is_key="PRIMARY KEY" in rest,
            is_required="NOT NULL" in rest or "PRIMARY KEY" in rest,
            is_unique="UNIQUE" in rest,
        )


_BODIES = dict(_TABLE.findall(sections()["source"]))
COLUMNS = {table: [*_columns(table, body)] for table, body in _BODIES.items()}
"""The columns of each table; the first one is its key."""

KEYS = {table: columns[0].name for table, columns in COLUMNS.items()}
UNIQUE = {table: [names.split(", ") for names in _UNIQUE.findall(body)] for table, body in _BODIES.items()}
"""The groups of columns of each table of which no two rows have the same values."""

CHILDREN = {
    table: [column for columns in COLUMNS.values() for column in columns if column.parent == table]
    for table in COLUMNS
}
"""The columns that refer to each table."""

_READ = default_mapping().tables()
_QUEUED = dict(re.findall(r'"(\w+)\.(\w+)"', "".join(default_mapping().rules())))
SOURCE_TABLES = tuple(
    SourceTable(
        name=table,
        schema="public",
        primary_key=key,
        columns=list(_READ[table]),
        kind="tenants" if table == "users" else table,
        queue_key=_QUEUED[table],
        has_ids=table == "messages",
    )
    for table, key in KEYS.items()
    if table in _QUEUED
)
