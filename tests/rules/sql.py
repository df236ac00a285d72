"""What a text of SQL reads and gives, as PostgreSQL's own parser has it.

A function that returns the rows of a table of the platform counts as that table. A function of the definition counts
as its body in SQL, in which `{contacts}` is the table contacts. Another placeholder of the loader counts as a name:
{leads}.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

import pglast
from pglast import ast
from pglast.enums import ConstrType

# A node, of which pglast says that each part may be missing.
Node: TypeAlias = Any

# {fence} is OFFSET 0, or nothing.
_FENCE = re.compile(r"\{fence\}")
_IN_BRACKETS = re.compile(r"\((\{[\w.]+\})\)")
_PLACEHOLDER = re.compile(r"\{[\w. ]+\}")
_BODY = re.compile(r"\$definition\$(.*?)\$definition\$", re.DOTALL)
_SOURCE = re.compile(r"source_(\w+)")


@cache
def parse(text: str) -> tuple[Any, ...]:
    # A body of PL/pgSQL, which ends with END, reads no table.
    bodies = [body for body in _BODY.findall(text) if not body.endswith(";\nEND\n")]
    if bodies:
        text = re.sub(r"\{(\w+)\}", r"\1", ";".join(bodies))
    text = _IN_BRACKETS.sub(r"\1", _FENCE.sub("", text))
    named = _PLACEHOLDER.sub(lambda match: f'"{match[0]}"', text)
    return tuple(raw.stmt for raw in pglast.parse_sql(named))


def nodes(tree: Node, kind: type) -> Iterator[Any]:
    if isinstance(tree, tuple):
        for child in tree:
            yield from nodes(child, kind)
    elif _is(tree, ast.Node):
        if isinstance(tree, kind):
            yield tree
        for name in tree:
            yield from nodes(getattr(tree, name), kind)


def output_columns(text: str, sub_select: str = "") -> list[str]:
    """Return the columns that a SELECT gives, or the one in it that has this alias; raises ValueError."""
    [select] = parse(text)
    return _columns(_sub_select(select, sub_select) if sub_select else select)


def literals(text: str) -> list[str]:
    """Return the texts between quotes in a statement."""
    return [node.sval for node in nodes(parse(text), ast.String)]


def columns_read(text: str) -> dict[str, set[str]]:
    """Return for each table the columns that are read of it as `alias.column`, wherever the reading SELECT is."""
    columns: dict[str, set[str]] = {}
    for table, column in _read(parse(text), {}):
        columns.setdefault(table, set()).add(column)
    return columns


@cache
def columns_given(text: str) -> dict[str, set[str]]:
    """Return the columns that the functions source_TABLE() of a text give, for each table."""
    return {
        name[1]: {column.name for column in node.parameters if column.mode.name == "FUNC_PARAM_TABLE"}
        for raw in pglast.parse_sql(re.sub(r"\{(\w+)\}", r"\1", text))
        for node in nodes((raw.stmt,), ast.CreateFunctionStmt)
        if (name := _SOURCE.fullmatch(node.funcname[-1].sval))
    }


@cache
def created_columns(text: str) -> dict[str, list[str]]:
    """Return for each table, with its schema if it is named, the columns that CREATE TABLE gives it."""
    return {
        qualified(node.relation): [column.colname for column in node.tableElts if _is(column, ast.ColumnDef)]
        for node in nodes(parse(text), ast.CreateStmt)
    }


@cache
def created_nullable_columns(text: str) -> dict[str, set[str]]:
    """Return for each table the columns that CREATE TABLE lets be null."""
    never_null = {ConstrType.CONSTR_NOTNULL, ConstrType.CONSTR_PRIMARY}
    return {
        qualified(node.relation): {
            column.colname
            for column in node.tableElts
            if _is(column, ast.ColumnDef) and not never_null & {c.contype for c in column.constraints or ()}
        }
        for node in nodes(parse(text), ast.CreateStmt)
    }


def rows_of_values(text: str) -> list[tuple[str | None, ...]]:
    """Return the rows of a VALUES list of texts, with None for NULL."""
    [values] = parse(text)
    return [tuple(None if cell.isnull else cell.val.sval for cell in row) for row in values.valuesLists]


def qualified(relation: Node) -> str:
    """Return the name of a relation, with its schema if it is named."""
    return ".".join(filter(None, (relation.schemaname, relation.relname)))


def _is(node: Node, kind: type) -> bool:
    return isinstance(node, kind)


def _sub_select(tree: Node, alias: str) -> Node:
    [relation] = [node for node in nodes(tree, ast.RangeSubselect) if node.alias.aliasname == alias]
    return relation.subquery


def _columns(select: Node) -> list[str]:
    while select.larg:
        select = select.larg
    names: list[str] = []
    for target in select.targetList:
        parts: Node = target.val.fields if _is(target.val, ast.ColumnRef) else (None,)
        if _is(parts[-1], ast.A_Star):
            names += _columns(_sub_select(select, parts[0].sval))
        elif target.name or parts[-1]:
            names.append(target.name or parts[-1].sval)
        else:
            raise ValueError("write each column as `… AS name` or `alias.name`")
    return names


def _read(tree: Node, outer: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(tree, tuple):
        for child in tree:
            yield from _read(child, outer)
    if not _is(tree, ast.Node):
        return
    scope = outer
    if _is(tree, ast.SelectStmt):
        scope = {**outer, **dict(_aliases(tree.fromClause or ()))}
    if _is(tree, ast.ColumnRef):
        names = [part.sval for part in tree.fields if _is(part, ast.String)]
        if len(names) > 1 and scope.get(names[0]):
            yield scope[names[0]], names[1]
    for name in tree:
        yield from _read(getattr(tree, name), scope)


def _aliases(relations: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    """Return what each alias of a FROM clause stands for: a table, or nothing where it is a sub-select."""
    for relation in relations:
        if _is(relation, ast.JoinExpr):
            yield from _aliases((relation.larg, relation.rarg))
        elif _is(relation, ast.RangeTableSample):
            yield from _aliases((relation.relation,))
        elif _is(relation, ast.RangeVar):
            yield relation.alias.aliasname if relation.alias else relation.relname, relation.relname
        elif relation.alias:
            yield relation.alias.aliasname, _source_table(relation)


def _source_table(relation: Node) -> str:
    """Return the table of the platform whose rows a function returns; nothing for any other relation."""
    names = [name.sval for call in nodes(relation, ast.FuncCall) for name in call.funcname]
    source = _SOURCE.fullmatch(names[-1]) if _is(relation, ast.RangeFunction) else None
    return source[1] if source else ""
