"""Which tables of the read model a statement reads without the tenant of its request.

A forgotten predicate would show one tenant the leads of another. Row security protects callers from that; the tests
keep it out of the code.
"""

from collections.abc import Iterator
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import BoolExprType, JoinType

from tests.rules.sql import nodes

# Their rows belong to no tenant, or say of each only that it exists or is late.
SHARED_TABLES = frozenset(
    {"freshness", "late_tenants", "place_of_versions", "projection", "row_security", "tenant_ids"}
)


def unfiltered_tables(text: str, place: int) -> list[str]:
    """Return each table that a select of the statement reads without a condition that its tenant is `$place`."""
    return [
        table.relname
        for select in nodes(parse_sql(text), ast.SelectStmt)
        for source in select.fromClause or ()
        for table, conditions in _tables(source, _parts(select.whereClause))
        if table.relname not in SHARED_TABLES
        and not any(_is_of_tenant(part, table, place) or _is_false(part) for part in conditions)
    ]


def _tables(source: Any, conditions: list[Any]) -> Iterator[tuple[Any, list[Any]]]:  # noqa: ANN401
    """Yield the tables of the read model that a FROM names, each with the conditions that its rows have to meet."""
    if isinstance(source, ast.JoinExpr):
        own = _parts(source.quals)
        keeps_left = source.jointype in (JoinType.JOIN_LEFT, JoinType.JOIN_FULL)
        keeps_right = source.jointype in (JoinType.JOIN_RIGHT, JoinType.JOIN_FULL)
        yield from _tables(source.larg, conditions + ([] if keeps_left else own))
        yield from _tables(source.rarg, conditions + ([] if keeps_right else own))
    elif isinstance(source, ast.RangeVar) and source.schemaname == "read_model":
        yield source, conditions


def _parts(condition: Any) -> list[Any]:  # noqa: ANN401
    """Return the parts of a condition that all have to hold."""
    if isinstance(condition, ast.BoolExpr) and condition.boolop == BoolExprType.AND_EXPR:
        return [part for argument in condition.args or () for part in _parts(argument)]
    return [condition]


def _is_of_tenant(condition: Any, table: Any, place: int) -> bool:  # noqa: ANN401
    if not isinstance(condition, ast.A_Expr):
        return False
    name: Any = condition.name
    column, value = condition.lexpr, condition.rexpr
    if not isinstance(column, ast.ColumnRef) or not isinstance(value, ast.ParamRef):
        return False
    alias = [table.alias.aliasname] if table.alias else [table.schemaname, table.relname]
    fields: Any = column.fields
    is_tenant = [part.sval for part in fields] == [*alias, "user_id"] and value.number == place
    return is_tenant and name[0].sval == "="


def _is_false(condition: Any) -> bool:  # noqa: ANN401
    """Return whether no rows are read: readiness only checks that the tables and columns exist."""
    return isinstance(condition, ast.A_Const) and condition.val == ast.Boolean(boolval=False)
