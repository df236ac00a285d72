"""How a step looks up and deletes rows of the read model: by one index scan for each key, or by a join on Citus.

The steps leave this open, as `{look_up.TABLE as ALIAS by COLUMNS of STAGED}` and `-- deletes: TABLE by COLUMNS`. Each
row of STAGED, a sub-select, is joined with the rows of the table that have its values in these columns.
`{pinned of ALIAS}` is a condition on Citus alone, that the rows are of the tenant for which the statement runs.

PostgreSQL never analyzes the staging tables, and can only guess how many rows they have. A join with one of them would
read a table of any size from end to end. So each look-up is a LATERAL with OFFSET 0, which holds the planner to one
index scan for each key, and rows are deleted by the ctid that such a scan has found, which the tenant's lock keeps
valid.

Citus refuses a LATERAL with OFFSET over a distributed table, and a ctid names rows of several tenants there. A join
with the staged keys for one tenant, which a constant names in each statement, goes to one server as a whole.
"""

import re
from collections.abc import Mapping

from psycopg import sql as composing

ENGINE, CITUS = "engine", "citus"
"""Among what placeholders mean: which engine a text is for, where that is not PostgreSQL alone."""

TENANT = "{tenant}"
"""Where a text for Citus names the tenant that it runs for."""

_LOOK_UP = re.compile(r"\{look_up\.(\w+) as (\w+) by (\w+(?:, \w+)*) of (\w+)\}")
_PINNED = re.compile(r"\{pinned of (\w+)\}")
_BOUND_FENCE = "OFFSET 0"

_JOIN = "CROSS JOIN LATERAL (SELECT stored.* FROM read_model.{table} AS stored WHERE {matches} {fence}) AS {alias}"
_JOIN_ON_CITUS = "INNER JOIN read_model.{table} AS {alias} ON {matches} AND {alias}.user_id = {{tenant}}"
_DELETE = """DELETE FROM read_model.{table}
WHERE ctid = any(ARRAY(
    SELECT found.row_id
    FROM ({keys}) AS doomed
    CROSS JOIN LATERAL (
        SELECT stored.ctid AS row_id FROM read_model.{table} AS stored WHERE {matches} OFFSET 0
    ) AS found
))"""
_DELETE_ON_CITUS = """DELETE FROM read_model.{table} AS stored
USING ({keys}) AS doomed
WHERE {matches} AND stored.user_id = {{tenant}}"""


def fill_look_ups(text: str, relations: Mapping[str, str]) -> str:
    """Return the text with its look-ups in the form of the engine; `fence` among the relations replaces OFFSET 0."""
    found = _LOOK_UP.sub(lambda match: _look_up(*match.groups(), relations=relations), text)
    on_citus = relations.get(ENGINE) == CITUS
    return _PINNED.sub(lambda match: f"{match[1]}.user_id = {TENANT}" if on_citus else "true", found)


def delete(table: str, columns: str, keys: str, relations: Mapping[str, str]) -> str:
    """Return the statement that deletes the rows of a table whose values in these columns a query returns."""
    form = _DELETE_ON_CITUS if relations.get(ENGINE) == CITUS else _DELETE
    matches = _matches("stored", "doomed", columns)
    return form.format(table=table, keys=keys.rstrip().rstrip(";"), matches=matches)


def of_tenant(text: str, user_id: str, *, is_formatted: bool = False) -> bytes:
    """The text with the tenant as a constant; `is_formatted` if psycopg puts parameters into it."""
    constant = composing.Literal(user_id).as_string(None)
    return text.replace(TENANT, constant.replace("%", "%%") if is_formatted else constant).encode()


def _look_up(table: str, alias: str, columns: str, staged: str, *, relations: Mapping[str, str]) -> str:
    if relations.get(ENGINE) == CITUS:
        return _JOIN_ON_CITUS.format(table=table, alias=alias, matches=_matches(alias, staged, columns))
    fence = relations.get("fence", _BOUND_FENCE)
    matches = _matches("stored", staged, columns)
    return _JOIN.format(table=table, alias=alias, matches=matches, fence=fence)


def _matches(stored: str, staged: str, columns: str) -> str:
    return " AND ".join(f"{stored}.{column} = {staged}.{column}" for column in columns.split(", "))
