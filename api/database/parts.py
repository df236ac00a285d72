"""Finds the parts of the read model that a statement reads, and those that no build has filled yet.

A version or a mapping adds parts: columns, tables and attributes. Until a rebuild has filled a part, its values mean
nothing. Each row has the unfilled parts of its snapshot, which the projector wrote in `read_model.projection`: the name
of each part, and what it `reads`, which are tables, columns such as `leads.waiting_since`, and attributes such as
`attributes.lead.city`.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Column, SelectBase, Table
from sqlalchemy.sql.elements import ClauseElement

_MAX_REMEMBERED = 1024
# A view of a table, whose columns are those of the table.
_VIEW = "_of_tenant"


def unfilled_parts(unfilled: bytes | None) -> list[dict[str, Any]]:
    """Return the unfilled parts of a row, each with `name`, `what` and `reads`."""
    return [] if unfilled is None else [*orjson.loads(unfilled).values()]


def unfilled_names(unfilled: bytes | None) -> frozenset[str]:
    """Return the tables, columns and attributes of the unfilled parts."""
    return frozenset(name for part in unfilled_parts(unfilled) for name in part["reads"])


def unfilled_part(unfilled: bytes | None, names: AbstractSet[str]) -> str | None:
    """Return the description of an unfilled part that has one of these names, or None."""
    found = (part["what"] for part in unfilled_parts(unfilled) if not names.isdisjoint(part["reads"]))
    return min(found, default=None)


@lru_cache(maxsize=_MAX_REMEMBERED)
def names_read(statement: SelectBase) -> frozenset[str]:
    """Return the tables, and the columns of tables, that a statement reads."""
    names: set[str] = set()
    for column in _columns(statement, set()):
        for base in column.base_columns:
            if isinstance(base, Column) and isinstance(base.table, Table):
                table = base.table.name.removesuffix(_VIEW)
                names |= {table, f"{table}.{base.name}"}
    return frozenset(names)


def _columns(element: ClauseElement, seen: set[int]) -> Iterator[Column[Any]]:
    """Yield the columns that a statement names; the other columns of its tables are not read."""
    if isinstance(element, Column):
        yield element
    if isinstance(element, Table) or id(element) in seen:
        return
    seen.add(id(element))
    for child in element.get_children():
        if isinstance(child, ClauseElement):
            yield from _columns(child, seen)
