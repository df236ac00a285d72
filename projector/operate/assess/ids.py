"""Move the ids of a scratch database apart.

In a young platform the ids of two tables grow in step, so a rule that queues the wrong id finds the right rows. Joined
columns are moved by the same distance, and each group of them by another one.
"""

import re
from collections.abc import Iterator

import psycopg
from psycopg import sql

from projector.capture.fit import Fit
from projector.capture.texts import equal_sides, fixed_columns
from projector.database.kinds import key_kinds, kinds
from projector.database.rows import Connection, value
from projector.database.sql import query

Place = tuple[str, str]
"""A table and a column of it."""

# A prime, so that no sum of ids is a multiple of it by chance.
_DISTANCE = 10_000_019
# Conditions that find a row by something other than an equation of two columns.
_UNTOLD = re.compile(r"\bIN\s*\(\s*SELECT\b|\bUSING\s*\(|\)\s*=\s*\(|\bWITH\b", re.IGNORECASE)


def move_ids(conn: Connection, fit: Fit, numbers: set[Place], keys: set[Place]) -> bool:
    """Move the ids of all tables. Return whether the relations read the same rows then; else they stay as they are.

    `numbers` are the columns of whole numbers, and `keys` those of primary keys.
    """
    if any(_UNTOLD.search(text) for text in fit.mapping.rules()):
        return False
    moves: dict[str, list[sql.Composable]] = {}
    for at, group in enumerate(_groups(fit, numbers, keys), 1):
        for table, column in group:
            move = sql.SQL("{0} = {0} + {1}").format(sql.Identifier(column), at * _DISTANCE)
            moves.setdefault(table, []).append(move)
    before = _count_values(conn, fit)
    try:
        with conn.transaction():
            for table, of in moves.items():
                names = {"relation": fit.found[table].full_name, "moves": sql.SQL(", ").join(of).as_string()}
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


def _groups(fit: Fit, numbers: set[Place], keys: set[Place]) -> list[set[Place]]:
    """Return each group of columns that can be moved: all are whole numbers, and none has to stay."""
    group_of: dict[Place | None, set[Place | None]] = {}
    for places in (*_joined(fit), *((key,) for key in keys)):
        together = set[Place | None]().union(*(group_of.get(place, {place}) for place in places))
        group_of |= dict.fromkeys(together, together)
    staying: set[Place | None] = {
        (table, column) for table in fit.found for column in fixed_columns(fit.mapping, table)
    }
    for places in _joined_by_rules(fit):
        # If a rule joins columns that no relation joins, nobody knows which of the two is wrong.
        if None in places or not {*places} <= group_of.keys():
            staying.update(*(group_of.get(place, ()) for place in places))
    groups = {id(group): group for group in group_of.values()}.values()
    return [{place for place in group if place is not None} for group in groups if group <= numbers - staying]


def _joined(fit: Fit) -> Iterator[list[Place | None]]:
    """Return the columns that relations join, or give as one id or as a phone; None for a computed column."""
    for text in fit.mapping.relations().values():
        for sides in equal_sides(text):
            yield [side.place for side in sides]
    given: dict[str, list[Place | None]] = {}
    for reading in fit.relations.values():
        for name, origin in reading.origins.items():
            if name.endswith(("_id", "phone")):
                given.setdefault(name.removeprefix("customer_"), []).append(origin)
    yield from given.values()


def _joined_by_rules(fit: Fit) -> Iterator[list[Place | None]]:
    """Return the columns that rules join, and each column that they give with the key that it must equal."""
    for text in fit.mapping.rules():
        for sides in equal_sides(text):
            yield [side.place for side in sides]
    for rule in fit.rules:
        yield [rule.changed, rule.origins[rule.columns[0].name]]
        own = key_kinds().get(kinds()[rule.touched].key_kind)
        if own is not None:
            yield [fit.relations[own.kind].origins[own.id], rule.origins[rule.touched]]
