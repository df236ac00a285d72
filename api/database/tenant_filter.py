"""Checks that a statement reads no table of the read model without the tenant of its request.

A predicate that somebody forgets would show one tenant the leads of another. So a statement is refused when it is
compiled unless each table in it is compared with the tenant, where that table is read.
"""

import re
from collections.abc import Iterator

# Their rows are of no tenant, or tell of each only that it is there.
SHARED_TABLES = frozenset({"freshness", "place_of_versions", "projection", "row_security", "tenant_ids"})

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_INNERMOST = re.compile(r"\(([^()]*)\)")
_SET_OPERATION = re.compile(r"\b(?:UNION(?: ALL)?|INTERSECT|EXCEPT)\b")
_OR = re.compile(r"\bOR\b")
_NEXT_TABLE = re.compile(r"\bJOIN\b|,")
_TABLE = re.compile(r"\bread_model\.(\w+)(?: AS (\w+))?")


class TenantError(TypeError):
    """A statement that reads a table for every tenant: a bug of the API."""


def require_tenant(text: str, place: int) -> None:
    """Raises TenantError if a table of the statement is not compared with the value `$place`, the tenant's."""
    tables = sorted(set(unfiltered_tables(text, place)))
    if tables:
        raise TenantError(f"A statement reads {', '.join(tables)} without the condition user_id = ${place}.")


def unfiltered_tables(text: str, place: int) -> Iterator[str]:
    """Yields each table that a select of the statement reads without a condition on its tenant."""
    text = _LITERAL.sub("''", text)
    # From the inside out, each pair of parentheses is read on its own, and then left out.
    while True:
        scopes = _INNERMOST.findall(text)
        for scope in scopes or [text]:
            for select in _SET_OPERATION.split(scope):
                yield from _unfiltered_in(select, place)
        if not scopes:
            return
        text = _INNERMOST.sub("", text)


def _unfiltered_in(select: str, place: int) -> Iterator[str]:
    """Yields the tables of a select, without its sub-selects, that neither WHERE nor the table's own join filters."""
    head, _, where = select.partition("WHERE ")
    # Readiness only looks whether the tables and columns are there.
    if where.strip() == "false":
        return
    for found in _TABLE.finditer(head):
        table, alias = found.groups()
        is_outer_on_both_sides = head[: found.start()].rstrip().endswith("FULL OUTER JOIN")
        on = "" if is_outer_on_both_sides else _NEXT_TABLE.split(head[found.end() :])[0]
        condition = re.compile(rf"(?<![\w.]){alias or f'read_model.{table}'}\.user_id = \${place}(?!\d)")
        is_filtered = any(condition.search(part) and not _OR.search(part) for part in (where, on))
        if table not in SHARED_TABLES and not is_filtered:
            yield table
