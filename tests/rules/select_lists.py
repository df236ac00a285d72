"""Reads just enough SQL to say which columns a SELECT gives and which columns of which tables it reads.

A statement becomes a tree: each pair of brackets is a group of its own, so that commas and keywords inside it are not
taken for those outside. A placeholder in braces counts as the name of a table, braces included.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Node: TypeAlias = "str | list[Node]"
Group: TypeAlias = list[Node]

_TOKEN = re.compile(
    r"""
    --[^\n]* | /\*.*?\*/
    | (?P<string> [eE]?'(?:[^']|'')*' )
    | "(?P<quoted> (?:[^"]|"")* )"
    | (?P<placeholder> \{\w+\} )
    | (?P<word> [A-Za-z_][\w$]* )
    | (?P<other> :: | \d[\w.]* | \S )
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z_][\w$]*")
_ENDS_OF_A_LIST = {"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT", ";"}
_NO_ALIAS = {
    "CROSS", "EXCEPT", "FETCH", "FOR", "FULL", "GROUP", "HAVING", "INNER", "INTERSECT", "JOIN", "LEFT", "LIMIT",
    "NATURAL", "OFFSET", "ON", "ORDER", "RETURNING", "RIGHT", "SET", "TABLESAMPLE", "UNION", "USING", "WHERE",
    "WINDOW",
}  # fmt: skip


class UnnamedColumnError(ValueError):
    """An item of a SELECT list from which no name can be read."""


def parse(text: str) -> Group:
    """The tree of a text of SQL."""
    root: Group = []
    open_groups = [root]
    for match in _TOKEN.finditer(text):
        token = next((value for value in match.groupdict().values() if value is not None), None)
        if token is None:
            continue
        if token in ("(", "["):
            group: Group = []
            open_groups[-1].append(group)
            open_groups.append(group)
        elif token in (")", "]"):
            # A body between dollars may hold half a pair.
            if len(open_groups) > 1:
                open_groups.pop()
        else:
            open_groups[-1].append(token)
    return root


def output_columns(group: Group) -> list[str]:
    """The names of the columns that the first SELECT of a group gives, in order."""
    return [_name_of(item) for item in _select_list(group)]


def sub_select(group: Group, name: str) -> Group:
    """The bracketed SELECT that has this alias; raises LookupError where there is none."""
    for inner in _groups(group):
        for place, node in enumerate(inner):
            after = [following for following in inner[place + 1 : place + 3] if not _is(following, "AS")]
            if isinstance(node, list) and _is_select(node) and after[:1] == [name]:
                return node
    raise LookupError(f"there is no sub-select called {name}")


def columns_read(group: Group) -> dict[str, set[str]]:
    """For each table, the columns that are read of it as `alias.column`, wherever the reading SELECT is."""
    found: dict[str, set[str]] = {}
    for table, column in _read(group, {}):
        found.setdefault(table, set()).add(column)
    return found


def table_columns(group: Group, schema: str, table: str) -> list[str]:
    """The columns that CREATE TABLE and ALTER TABLE … ADD COLUMN give a table; `schema` may be empty."""
    name: Group = [schema, ".", table] if schema else [table]
    columns: list[str] = []
    for place in range(len(group)):
        before = group[max(place - 5, 0) : place]
        if group[place : place + len(name)] != name or not any(_is(node, "TABLE") for node in before):
            continue
        body = group[place + len(name)]
        if isinstance(body, list):
            columns += [str(item[0]) for item in _divided(body) if not _is_constraint(item)]
        elif _is(body, "ADD") and _is(group[place + len(name) + 1], "COLUMN"):
            rest = [
                node for node in group[place + len(name) + 2 :][:4] if not _is(node, "IF", "NOT", "EXISTS")
            ]
            columns.append(str(rest[0]))
    return list(dict.fromkeys(columns))


def strings(group: Group) -> list[str]:
    """The literals of a group, without its inner groups."""
    return [node.strip("'") for node in group if isinstance(node, str) and node.startswith("'")]


def _is(node: Node, *words: str) -> bool:
    return isinstance(node, str) and node.upper() in words


def _is_select(group: Group) -> bool:
    return any(_is(node, "SELECT") for node in group)


def _is_constraint(item: Group) -> bool:
    return _is(item[0], "CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "LIKE")


def _groups(group: Group) -> Iterator[Group]:
    yield group
    for node in group:
        if isinstance(node, list):
            yield from _groups(node)


def _divided(group: Group) -> list[Group]:
    """The items between the commas of a group."""
    items: list[Group] = [[]]
    for node in group:
        if node == ",":
            items.append([])
        else:
            items[-1].append(node)
    return [item for item in items if item]


def _select_list(group: Group) -> list[Group]:
    begins = next((place for place, node in enumerate(group) if _is(node, "SELECT")), None)
    if begins is None:
        raise LookupError("there is no SELECT")
    items: Group = []
    for place, node in enumerate(group[begins + 1 :], begins + 1):
        # A FROM after DISTINCT compares, unless the DISTINCT is that of the SELECT.
        compares = _is(node, "FROM") and _is(group[place - 1], "DISTINCT") and place > begins + 2
        if isinstance(node, str) and node.upper() in _ENDS_OF_A_LIST and not compares:
            break
        items.append(node)
    if items and _is(items[0], "DISTINCT", "ALL"):
        items = items[3:] if len(items) > 1 and _is(items[1], "ON") else items[1:]
    return _divided(items)


def _name_of(item: Group) -> str:
    last = item[-1]
    is_named = len(item) == 1 or (len(item) == 3 and item[1] == ".") or _is(item[-2], "AS")
    if not is_named or not isinstance(last, str) or not _WORD.fullmatch(last):
        raise UnnamedColumnError(f"write this column as `… AS name` or `alias.name`: {_text_of(item)}")
    return last


def _text_of(group: Group) -> str:
    return " ".join(f"({_text_of(node)})" if isinstance(node, list) else node for node in group)


def _read(group: Group, outer: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for part in _united(group):
        scope = {**outer, **_aliases(part)}
        for place, node in enumerate(part):
            if isinstance(node, list):
                yield from _read(node, scope)
            elif part[place + 1 : place + 2] == ["."] and place + 2 < len(part) and scope.get(node):
                column = part[place + 2]
                if isinstance(column, str) and _WORD.fullmatch(column):
                    yield scope[node], column


def _united(group: Group) -> list[Group]:
    """The SELECTs of a UNION, each with aliases of its own."""
    parts: list[Group] = [[]]
    for node in group:
        if _is(node, "UNION", "EXCEPT", "INTERSECT"):
            parts.append([])
        else:
            parts[-1].append(node)
    return parts


def _aliases(part: Group) -> dict[str, str]:
    """What each alias of a FROM clause stands for: a table, or nothing where it is a sub-select."""
    found: dict[str, str] = {}
    for place, node in enumerate(part):
        if not _is(node, "FROM", "JOIN"):
            continue
        rest = [
            following for following in part[place + 1 : place + 8] if not _is(following, "ONLY", "LATERAL")
        ]
        if not rest:
            continue
        table, rest = ("", rest[1:]) if isinstance(rest[0], list) else (rest[0], rest[1:])
        if rest[:1] == ["."] and isinstance(rest[1], str):
            table, rest = rest[1], rest[2:]
        has_as = bool(rest) and _is(rest[0], "AS")
        alias = rest[int(has_as)] if len(rest) > int(has_as) else table
        is_alias = (
            isinstance(alias, str) and _WORD.fullmatch(alias) and (has_as or alias.upper() not in _NO_ALIAS)
        )
        found[str(alias) if is_alias else table] = table
    return found
