"""Finds joins that may give two rows for one: no unique key of the table covers the columns that they compare.

PostgreSQL does not report this for a view. The compared columns are read from the text, without its sub-selects.
"""

import re
from collections.abc import Iterator

from projector.capture.fit import Fit
from projector.capture.texts import NAME, RELATIONS, aliases, bare, plain

_SELECT = re.compile(r"\(\s*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
_INNERMOST = re.compile(r"\(([^()]*)\)")
_BRANCHES = re.compile(r"\b(?:UNION|EXCEPT|INTERSECT)\b", re.IGNORECASE)
_ONE_OF_SEVERAL = re.compile(r"\bGROUP\s+BY\b|\bDISTINCT\b(?!\s+FROM\b)", re.IGNORECASE)


def loose_joins(fit: Fit) -> Iterator[tuple[str, str, list[str]]]:
    """Return each relation with a table whose join may give two rows for one, and the columns of the join."""
    for relation, text in fit.mapping.relations().items():
        if relation not in fit.relations:
            continue
        origin = fit.relations[relation].origins[RELATIONS[relation][0]]
        for branch in _BRANCHES.split(_outermost(text)):
            read = aliases(branch)
            # A computed key counts as a key of the first table.
            keyed = origin[0] if origin else next(iter(read.values()), "")
            own = next((alias for alias, table in read.items() if table == keyed), "")
            for alias, table in read.items():
                columns = _compared(branch, alias)
                is_covered = any({*key} <= columns for key in fit.found[table].unique_keys)
                if alias != own and not is_covered and not _ONE_OF_SEVERAL.search(branch):
                    yield relation, table, sorted(columns)


def _outermost(text: str) -> str:
    """Return the text without comments, literals, sub-selects and brackets."""
    text = bare(text)
    while _INNERMOST.search(text):
        # A literal replaces a sub-select, so that its alias is not that of a table.
        text = _INNERMOST.sub(lambda match: "''" if _SELECT.match(match[0]) else f" {match[1]} ", text)
    return text


def _compared(text: str, alias: str) -> set[str]:
    """Return the columns of an alias that a text without brackets says are equal to something."""
    column = rf"\b{re.escape(alias)}\.({NAME})(?:\s*::\w+)?"
    equal = re.findall(rf"{column}\s*=|(?<![<>!])=\s*{column}(?!\s*[-#]>)", text, re.IGNORECASE)
    same = re.findall(rf"\bAS\s+{re.escape(alias)}\s+USING\s+({NAME}(?:\s*,\s*{NAME})*)", text, re.IGNORECASE)
    names = [*map("".join, equal), *re.findall(NAME, " ".join(same))]
    return {plain(name) for name in names}
