"""Move the ids of a scratch database apart.

In a young platform the ids of two tables grow in step, so that a rule which queues the wrong one finds the right rows.
Columns that refer to each other are moved by one distance, and each group of them by its own. The relations and foreign
keys say which these are, and a rule only of a column of which they say nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from projector.capture.mapping import Fit, Reading, equal_sides, tables_of
from projector.database.kinds import key_kinds, kinds
from projector.database.rows import Connection, value
from projector.database.sql import query

Place = tuple[str, str]
"""A table and a column of it."""

# It is a prime: no sum of ids is a multiple of it by chance.
_DISTANCE = 10_000_019
_CONSTANT = re.compile(r'\b(\w+)\.("\w+"|\w+)(?:::\w+)?\s*(?:[=<>!]+|\bIN\b)[\s(\']*-?\d', re.IGNORECASE)
# What finds a row otherwise than by an equation of two columns.
_UNTOLD = re.compile(r"\bIN\s*\(\s*SELECT\b|\bUSING\s*\(|\)\s*=\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key from a column of a table to one of another, both as SQL writes them."""

    relation: str
    column_name: str
    other_relation: str
    other_column: str

    def between(self, names: Mapping[str, str]) -> tuple[Place, Place]:
        """Return both ends with the names of the tables."""
        return (names[self.relation], self.column_name), (names[self.other_relation], self.other_column)


class _Groups:
    """Columns that have the same ids. A group with one that is fixed is not moved."""

    def __init__(self) -> None:
        self._of: dict[Place, set[Place]] = {}
        self.fixed: set[Place] = set()

    def join(self, *places: Place) -> None:
        """Note that these columns have the same ids."""
        together = set[Place]().union(*(self._of.get(place, {place}) for place in places))
        self._of |= dict.fromkeys(together, together)

    def places(self) -> set[Place]:
        """Return the columns of all groups."""
        return {*self._of}

    def movable(self, numbers: set[Place]) -> list[set[Place]]:
        """Return the groups of nothing but these columns, without those that are fixed."""
        groups = {id(group): group for group in self._of.values()}.values()
        return [group for group in groups if group <= numbers and not group & self.fixed]


def move_ids(
    conn: Connection,
    fit: Fit,
    numbers: set[Place],
    keys: set[Place],
    references: Sequence[tuple[Place, Place]],
) -> bool:
    """Move the ids of all tables. Return whether the relations read the same rows then; else they stay as they are.

    `numbers` are the columns of whole numbers, `keys` those of primary keys, and `references` the two ends of each
    foreign key.
    """
    if any(_UNTOLD.search(text) for text in fit.mapping.rules()):
        return False
    moves: dict[str, list[sql.Composable]] = {}
    for at, group in enumerate(_group(fit, keys, references).movable(numbers), 1):
        for table, column in group:
            move = sql.SQL("{0} = {0} + {1}").format(sql.Identifier(column), at * _DISTANCE)
            moves.setdefault(table, []).append(move)
    before = _count_values(conn, fit)
    try:
        with conn.transaction():
            for table, of in moves.items():
                names = {
                    "relation": fit.found[table].full_name,
                    "moves": sql.SQL(", ").join(of).as_string(None),
                }
                conn.execute(query("assess", "move_ids", **names), prepare=False)
            if _count_values(conn, fit) != before:
                raise psycopg.Rollback
            return True
    except psycopg.errors.NumericValueOutOfRange:
        pass
    return False


def _count_values(conn: Connection, fit: Fit) -> list[list[int]]:
    """Return how many values each column of each relation has."""
    names = [
        {"rows": f"({reading.text})", "columns": ", ".join(f'count(r."{name}")' for name in reading.origins)}
        for reading in fit.relations.values()
    ]
    return [value(conn, query("assess", "count_present", **of)) for of in names]


def _group(fit: Fit, keys: set[Place], references: Sequence[tuple[Place, Place]]) -> _Groups:
    """Return which columns have the same ids."""
    groups = _Groups()
    for ends in references:
        groups.join(*ends)
    for text in fit.mapping.relations().values():
        _join_equal(groups, text, set())
    _join_named(groups, fit)
    for key in keys:
        groups.join(key)
    settled = groups.places()
    for text in fit.mapping.rules():
        _join_equal(groups, text, settled)
    for rule in fit.rules:
        for place, origin in _ends(rule, fit):
            if origin is None:
                groups.fixed.add(place)
            elif not {place, origin} <= settled:
                groups.join(place, origin)
    return groups


def _join_named(groups: _Groups, fit: Fit) -> None:
    """Join the columns that relations give as the same id, or as a phone."""
    origins: dict[str, list[Place | None]] = {}
    for reading in fit.relations.values():
        for name, origin in reading.origins.items():
            if name.endswith(("_id", "phone")):
                origins.setdefault(name.removeprefix("customer_"), []).append(origin)
    for of in origins.values():
        places = [origin for origin in of if origin is not None]
        groups.join(*places)
        # Beside one that is computed, the others keep their values.
        groups.fixed.update(places if None in of else ())


def _join_equal(groups: _Groups, text: str, settled: set[Place]) -> None:
    """Join the columns that a text equates, unless both are settled; fix those that it compares with a constant."""
    for left, right in equal_sides(text):
        if not {left.place, right.place} <= settled:
            groups.join(left.place, right.place)
    tables = tables_of(text)
    groups.fixed.update(
        (tables[alias], column.strip('"')) for alias, column in _CONSTANT.findall(text) if alias in tables
    )


def _ends(rule: Reading, fit: Fit) -> Iterator[tuple[Place, Place | None]]:
    """Return of a rule the columns whose values it gives, each with the column from which it takes them."""
    yield rule.changed, rule.origins[rule.columns[0].name]
    own = key_kinds().get(kinds()[rule.touched].key_kind)
    whole = fit.relations[own.kind].origins[own.id] if own is not None else None
    if own is not None and whole is not None:
        yield whole, rule.origins[rule.touched]
    message = fit.relations["messages"].origins["message_id"]
    if "message_id" in rule.origins and message is not None:
        yield message, rule.origins["message_id"]
