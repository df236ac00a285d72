"""Puts into a text of SQL what its placeholders mean: `{definition.NAME}`, `{columns.TABLE of ALIAS}` and the like."""

import re
from collections.abc import Callable, Mapping

from projector.database.schema import key_columns, lookup_columns, table_columns, typed_columns

FENCE = "OFFSET 0"
"""What `{fence}` means unless a step or its caller says otherwise: it holds the planner to one index scan for each key.

PostgreSQL never analyzes the staging tables, and can only guess how many rows they have: a join with one of them would
read a table of any size from end to end. So each look-up is a LATERAL that ends in `{fence}`.
"""

_PLACEHOLDER = re.compile(r"\{(\w+)(?:\.(\w+))?(?: of (\w+))?\}")


def fill(text: str, relations: Mapping[str, str], define: Callable[[str, Mapping[str, str]], str]) -> str:
    """Return the text with what each placeholder means.

    `{NAME}` is what `relations` say of it, `{definition.NAME}` what `define` returns. `{KIND.table}` is of the
    table that `relations` name. `{fence}` ends a look-up. `{source.TABLE}` stays: the connection knows what it is.

    Raises LookupError for a placeholder that means nothing.
    """

    def meaning(match: re.Match[str]) -> str:
        kind, name, alias = match.groups()
        if name is not None and kind == "source":
            return match[0]
        name = relations.get("table") if name == "table" else name
        if kind == "fence" and kind not in relations:
            return FENCE
        if name is None and kind in relations:
            return fill(relations[kind], relations, define)
        if name is not None and kind == "definition":
            return define(name, relations)
        if name is not None and kind in _LISTS:
            return ", ".join(_LISTS[kind](name, alias))
        raise LookupError(f"{match[0]} means nothing here: add a line `-- with {kind} = …` to the header.")

    return _PLACEHOLDER.sub(meaning, text)


def value_columns(table: str) -> tuple[str, ...]:
    """Return the columns that are not part of a table's key; in a table of statistics, the numbers of leads."""
    return tuple(column for column in table_columns(table) if column not in key_columns(table))


def _prefixed(columns: Callable[[str], tuple[str, ...]]) -> Callable[[str, str | None], list[str]]:
    """The columns of a table, with the alias if there is one."""
    return lambda table, alias: [f"{alias}.{column}" if alias else column for column in columns(table)]


def _of_values(pattern: str) -> Callable[[str, str | None], list[str]]:
    """The pattern for each column that is not part of the key."""
    return lambda table, alias: [pattern.format(column=column, of=alias) for column in value_columns(table)]


_LISTS: dict[str, Callable[[str, str | None], list[str]]] = {
    "columns": _prefixed(table_columns),
    "types": lambda table, _alias: list(typed_columns(table)),
    "key": _prefixed(key_columns),
    "lookup": _prefixed(lookup_columns),
    "values": _prefixed(value_columns),
    "zeros": _of_values("0"),
    "updates": _of_values("{column} = excluded.{column}"),
    "additions": _of_values("{column} = {of}.{column} + excluded.{column}"),
    # The sum of what is there and what was there before, by the sign of each.
    "net": _of_values("sum({of}.{column} * {of}.sign)::integer AS {column}"),
    # The sums of one side of a comparison.
    "sums": _of_values("coalesce(sum(side.{column}) FILTER (WHERE side.{of}), 0)"),
    "key_texts": lambda table, alias: [f"{alias}.{column}::text" for column in key_columns(table)],
}
