"""How a step looks up and deletes rows of the read model: by one index scan for each key.

The steps leave this open, as `{look_up.TABLE as ALIAS by COLUMNS of STAGED}` and `-- deletes: TABLE by COLUMNS`. Each
row of STAGED, a sub-select, is joined with the rows of the table that have its values in these columns.

PostgreSQL never analyzes the staging tables, and can only guess how many rows they have. A join with one of them would
read a table of any size from end to end. So each look-up is a LATERAL with OFFSET 0, which holds the planner to one
index scan for each key, and rows are deleted by the ctid that such a scan has found, which the tenant's lock keeps
valid.
"""

import re
from collections.abc import Mapping

_LOOK_UP = re.compile(r"\{look_up\.(\w+) as (\w+) by (\w+(?:, \w+)*) of (\w+)\}")
_BOUND_FENCE = "OFFSET 0"

_JOIN = "CROSS JOIN LATERAL (SELECT stored.* FROM read_model.{table} AS stored WHERE {matches} {fence}) AS {alias}"
_DELETE = """DELETE FROM read_model.{table}
WHERE ctid = any(ARRAY(
    SELECT found.row_id
    FROM ({keys}) AS doomed
    CROSS JOIN LATERAL (
        SELECT stored.ctid AS row_id FROM read_model.{table} AS stored WHERE {matches} OFFSET 0
    ) AS found
))"""


def fill_look_ups(text: str, relations: Mapping[str, str]) -> str:
    """Return the text with its look-ups; `fence` among the relations replaces OFFSET 0."""
    fence = relations.get("fence", _BOUND_FENCE)

    def look_up(match: re.Match[str]) -> str:
        table, alias, columns, staged = match.groups()
        return _JOIN.format(
            table=table, alias=alias, matches=_matches("stored", staged, columns), fence=fence
        )

    return _LOOK_UP.sub(look_up, text)


def delete(table: str, columns: str, keys: str) -> str:
    """Return the statement that deletes the rows of a table whose values in these columns a query returns."""
    return _DELETE.format(
        table=table, keys=keys.rstrip().rstrip(";"), matches=_matches("stored", "doomed", columns)
    )


def _matches(stored: str, staged: str, columns: str) -> str:
    return " AND ".join(f"{stored}.{column} = {staged}.{column}" for column in columns.split(", "))
