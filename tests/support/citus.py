"""Citus without Citus: on a plain PostgreSQL, the functions that the projector calls, and what Citus would refuse.

No registry has Citus. With a stand-in for its functions the projector works as it does there, tenant by tenant. The
forms that a statement may not have, because Citus refuses them or takes them and does wrong, were found on Citus 14.
Where LEADS_CITUS_URL names a coordinator, the tests of exactness run there too.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from re import compile as pattern
from typing import Any

import psycopg
from pglast import ast, parse_sql
from pglast.enums import BoolExprType, JoinType, SubLinkType
from pglast.stream import RawStream
from psycopg.rows import TupleRow

from projector.schema import table_columns, tables

COORDINATOR = os.environ.get("LEADS_CITUS_URL", "")
"""The URL of a database with Citus, as a superuser. Its read model is dropped before each test."""

READ_MODEL = frozenset(name.partition(".")[2] for name in tables() if name.startswith("read_model."))
DISTRIBUTED = frozenset(name for name in READ_MODEL if "user_id" in table_columns(name))

STAND_IN = """
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass PRIMARY KEY, colocated_with text, is_copied boolean);
GRANT SELECT ON pg_catalog.pg_dist_partition TO PUBLIC;
RESET allow_system_table_mods;

CREATE FUNCTION pg_catalog.create_distributed_table(
    table_name regclass,
    distribution_column text,
    distribution_type text DEFAULT 'hash',
    colocate_with text DEFAULT 'default'
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_catalog.pg_dist_partition VALUES (table_name, colocate_with, false)
$$;

CREATE FUNCTION pg_catalog.create_reference_table(table_name regclass) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_catalog.pg_dist_partition VALUES (table_name, NULL, true)
$$;

CREATE FUNCTION pg_catalog.truncate_local_data_after_distributing_table(table_name regclass) RETURNS void
LANGUAGE sql AS '';

CREATE FUNCTION pg_catalog.recover_prepared_transactions() RETURNS integer LANGUAGE sql AS 'SELECT 0';
"""

_PARAMETER = pattern(r"%\(\w+\)s|%s")
_VOLATILE = frozenset({"clock_timestamp", "gen_random_uuid", "nextval", "random", "timeofday"})

Node = Any
"""A node of PostgreSQL's parser: pglast has no types for what its attributes hold."""


def stand_in(conn: psycopg.Connection[TupleRow]) -> None:
    """Give a database the functions of Citus that the projector calls."""
    conn.execute(STAND_IN.encode(), prepare=False)


@cache
def refusals(statement: str) -> tuple[str, ...]:
    """Return why Citus would refuse a statement, or do it wrong; `statement` may have psycopg's parameters."""
    text = _PARAMETER.sub("$1", statement).replace("%%", "%")
    found = [raw.stmt for raw in parse_sql(text)]
    changes = (ast.AlterTableStmt, ast.IndexStmt)
    if len(found) > 1 and any(isinstance(one, changes) and _is_distributed(one.relation) for one in found):
        return ("a change of a table among other statements of one text",)
    return tuple(why for one in found for why in _refusals_of(one))


def goes_to_one_server(statement: str) -> bool:
    """Return whether a statement reads rows of one tenant alone, or none of a tenant."""
    text = _PARAMETER.sub("$1", statement).replace("%%", "%")
    found = [raw.stmt for raw in parse_sql(text)]
    return all(not _reads_distributed(one) or _goes_to_one_server(one) for one in found)


def _refusals_of(statement: Node) -> Iterator[str]:
    if not any(map(_is_of_read_model, _tables(statement))) or _goes_to_one_server(statement):
        return
    for node in _nodes(statement):
        for why in _refusals_at(node):
            yield f"{why}: {RawStream()(node)[:160]}"


def _refusals_at(node: Node) -> Iterator[str]:
    """What is wrong with one node, by itself."""
    if isinstance(node, ast.SelectStmt):
        yield from _refusals_of_query(node)
    elif isinstance(node, ast.UpdateStmt | ast.DeleteStmt | ast.InsertStmt | ast.MergeStmt):
        yield from _refusals_of_write(node)
    elif "ctid" in _names(node):
        yield "a ctid names rows of several tenants"
    elif isinstance(node, ast.RangeSubselect) and node.lateral and _reads_distributed(node):
        query: Node = node.subquery
        if query.limitCount or query.limitOffset:
            yield "LATERAL with LIMIT or OFFSET"
    elif isinstance(node, ast.SubLink):
        if _reads_distributed(node) and _is_correlated(node.subselect):
            yield "a correlated look-up"
        if node.subLinkType == SubLinkType.EXISTS_SUBLINK and not _reads_distributed(node):
            yield "EXISTS between staging and read model"


def _refusals_of_query(node: Node) -> Iterator[str]:
    yield from _refusals_of_level(node.fromClause or (), node.whereClause, is_write=False)
    if node.lockingClause and _reads_distributed(node.fromClause):
        yield "FOR UPDATE"
    if node.withClause and node.withClause.recursive and _reads_distributed(node.withClause):
        yield "WITH RECURSIVE over several tenants"


def _refusals_of_write(node: Node) -> Iterator[str]:
    if isinstance(node, ast.MergeStmt):
        yield "MERGE"
    elif isinstance(node, ast.InsertStmt):
        if node.onConflictClause and _volatile(node.onConflictClause):
            yield "a volatile function in ON CONFLICT"
        if _is_distributed(node.relation) and not _is_all_pinned(node.selectStmt):
            yield "a write of rows that are read from several tenants"
    elif _is_of_read_model(node.relation):
        if _volatile(node):
            yield "a volatile function in a write"
        others = node.fromClause if isinstance(node, ast.UpdateStmt) else node.usingClause
        yield from _refusals_of_level((node.relation, *(others or ())), node.whereClause, is_write=True)


def _refusals_of_level(sources: Sequence[Node], where: Node, *, is_write: bool) -> Iterator[str]:
    """What is wrong with a FROM: it names tables of one tenant, and staged rows only as a sub-select."""
    named, conditions = _level(sources, where)
    distributed = [one for one in named if _is_distributed(one)]
    if not distributed:
        return
    if any(isinstance(one, ast.RangeVar) and one.schemaname != "read_model" for one in named):
        yield "a staging table that is no sub-select"
    staged = any(isinstance(one, ast.RangeSubselect) and not _reads_distributed(one) for one in named)
    loose = [one for one in distributed if not _is_pinned(_alias(one), conditions)]
    if loose and (is_write or staged):
        yield f"no constant tenant of {loose[0].relname}"


def _goes_to_one_server(statement: Node) -> bool:
    """Whether a query reads the rows of one tenant alone: Citus sends it as it is to the server that has them."""
    common = {node.ctename for node in _nodes(statement) if isinstance(node, ast.CommonTableExpr)}
    return (
        isinstance(statement, ast.SelectStmt)
        and _is_all_pinned(statement)
        and all(one.schemaname == "read_model" or one.relname in common for one in _tables(statement))
    )


def _is_all_pinned(query: Node) -> bool:
    """Whether a query names a constant tenant for each table that is distributed."""
    return all(
        _is_pinned(_alias(one), conditions)
        for node in _nodes(query)
        if isinstance(node, ast.SelectStmt)
        for named, conditions in [_level(node.fromClause or (), node.whereClause)]
        for one in named
        if _is_distributed(one)
    )


def _level(sources: Sequence[Node], where: Node) -> tuple[list[Node], list[Node]]:
    """What a FROM joins, and the conditions: PostgreSQL carries a constant over inner and left joins."""
    named: list[Node] = []
    conditions: list[Node] = [] if where is None else [where]
    for source in sources:
        if isinstance(source, ast.JoinExpr):
            for side in (source.larg, source.rarg):
                inner, of_inner = _level((side,), None)
                named += inner
                conditions += of_inner
            if source.quals is not None and source.jointype in (JoinType.JOIN_INNER, JoinType.JOIN_LEFT):
                conditions.append(source.quals)
        else:
            named.append(source)
    return named, conditions


def _is_pinned(alias: str, conditions: Sequence[Node], seen: frozenset[str] = frozenset()) -> bool:
    """Whether the tenant of an alias is a constant, or that of another one which is."""
    return any(_pins(one, alias) for one in conditions) or any(
        _is_pinned(other, conditions, seen | {alias})
        for one in conditions
        for other in _same_tenant(one, alias)
        if other not in seen
    )


def _pins(condition: Node, alias: str) -> bool:
    if isinstance(condition, ast.A_Const) and isinstance(condition.val, ast.Boolean):
        # No row of any tenant.
        return not condition.val.boolval
    if isinstance(condition, ast.BoolExpr):
        found = [_pins(arg, alias) for arg in condition.args or ()]
        return any(found) if condition.boolop == BoolExprType.AND_EXPR else all(found)
    return any(_is_tenant(one, alias) and _is_constant(other) for one, other in _equal(condition))


def _same_tenant(condition: Node, alias: str) -> Iterator[str]:
    """The other aliases that have the tenant of this one."""
    if isinstance(condition, ast.BoolExpr) and condition.boolop == BoolExprType.AND_EXPR:
        for arg in condition.args or ():
            yield from _same_tenant(arg, alias)
    for one, other in _equal(condition):
        if _is_tenant(one, alias) and len(_names(other)) > 1 and _is_tenant(other, _names(other)[0]):
            yield _names(other)[0]


def _equal(condition: Node) -> Iterator[tuple[Node, Node]]:
    if isinstance(condition, ast.A_Expr) and condition.name and _text(condition.name[0]) == "=":
        yield condition.lexpr, condition.rexpr
        yield condition.rexpr, condition.lexpr


def _is_tenant(node: Node, alias: str) -> bool:
    return _names(node) in ([alias, "user_id"], ["user_id"])


def _is_constant(node: Node) -> bool:
    if isinstance(node, ast.TypeCast | ast.CollateClause):
        return _is_constant(node.arg)
    return isinstance(node, ast.A_Const | ast.ParamRef)


def _is_correlated(query: Node) -> bool:
    """Whether a sub-select names an alias that it does not define."""
    kinds = ast.RangeVar | ast.RangeSubselect | ast.RangeFunction
    defined = {_alias(node) for node in _nodes(query) if isinstance(node, kinds)}
    return any(
        _names(node)[0] not in defined
        for node in _nodes(query)
        if isinstance(node, ast.ColumnRef) and len(node.fields or ()) > 1
    )


def _volatile(node: Node) -> bool:
    calls = (one for one in _nodes(node) if isinstance(one, ast.FuncCall))
    return any(_text((call.funcname or [None])[-1]) in _VOLATILE for call in calls)


def _is_of_read_model(node: Node) -> bool:
    return isinstance(node, ast.RangeVar) and node.schemaname == "read_model" and node.relname in READ_MODEL


def _is_distributed(node: Node) -> bool:
    return _is_of_read_model(node) and node.relname in DISTRIBUTED


def _reads_distributed(node: Node) -> bool:
    return any(map(_is_distributed, _tables(node)))


def _tables(node: Node) -> list[Node]:
    return [one for one in _nodes(node) if isinstance(one, ast.RangeVar)]


def _alias(node: Node) -> str:
    return str(node.alias.aliasname) if node.alias else str(getattr(node, "relname", ""))


def _names(node: Node) -> list[str]:
    """The parts of a column's name."""
    return [_text(field) for field in node.fields or ()] if isinstance(node, ast.ColumnRef) else []


def _text(node: Node) -> str:
    return str(node.sval) if isinstance(node, ast.String) else ""


def _nodes(node: Node) -> Iterator[Node]:
    """A node, and all below it."""
    if isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _nodes(getattr(node, name))
    elif isinstance(node, tuple | list):
        for one in node:
            yield from _nodes(one)
