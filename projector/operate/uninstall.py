"""Removes the read model, and leaves the platform and the objects of others unchanged."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import LiteralString

import psycopg

from projector.capture import triggers
from projector.database import locks
from projector.database.distribution import shards
from projector.database.ownership import OwnObject, find_own_objects, own_names
from projector.database.rows import Connection, values
from projector.database.schema import tables
from projector.database.sql import query
from projector.operate.install import change_tables
from projector.operate.rights import own_schemas, require_rights_to_uninstall
from projector.operate.roles import read_access
from projector.report.errors import ProjectorError, detail

_TRIGGER_FUNCTION = re.compile(r'projector\."?capture_.*\(\)$', re.DOTALL)


def find_dependents(conn: Connection, schemas: Sequence[str]) -> list[str]:
    """Return the objects of others that would be dropped with these schemas of ours, in PostgreSQL's words.

    PostgreSQL names them, views upon views too, when this function drops our objects with CASCADE in a
    transaction that it rolls back. The trigger functions are not dropped, because that would lock the
    platform's tables. For each kind of object PostgreSQL names 100, and says how many more there are. It
    drops triggers, rules and columns on our tables without naming them, so they are looked up.
    """
    current = [f"{table.name}.{column}" for table in tables().values() for column in table.columns]
    parameters = {
        "schemas": list(schemas),
        "names": [*own_names(), *shards(conn)],
        "columns": current,
        "described": list(tables()),
    }
    own = query("database", "own_objects").rstrip(";")
    with conn.transaction(force_rollback=True):
        conn.execute(query("operate", "have_names_qualified"))
        attached = values(conn, query("operate", "find_attached", own=own), parameters)
        dropped = _drop(conn, find_own_objects(conn, schemas), "CASCADE", with_all=False)
        return list(dict.fromkeys([*attached, *dropped]))


def drop_own(conn: Connection, schemas: Sequence[str]) -> None:
    """Drop our objects, and then the schemas, in the caller's transaction.

    No statement says CASCADE: if an object of others depends on one of ours, PostgreSQL raises
    DependentObjectsStillExist.
    """
    _drop(conn, find_own_objects(conn, schemas), "RESTRICT")


def _drop(conn: Connection, own: Iterable[OwnObject], behaviour: str, *, with_all: bool = True) -> list[str]:
    """Drop our objects, views first; return what else PostgreSQL has dropped.

    Without `with_all`, schemas and trigger functions stay.
    """
    heard: list[str] = []

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        said = notice.message_detail or notice.message_primary or ""
        heard.extend(line.removeprefix("drop cascades to ") for line in said.splitlines())

    conn.add_notice_handler(hear)
    try:
        for command, objects in groupby(reversed([*own]), lambda item: item.command):
            names = [
                item.name
                for item in objects
                if with_all or not (command == "SCHEMA" or _TRIGGER_FUNCTION.match(item.name))
            ]
            if names:
                conn.execute(f"DROP {command} {', '.join(names)} {behaviour}".encode())
    finally:
        conn.remove_notice_handler(hear)
    return heard


def check_uninstall(conn: Connection, *, drop_dependents: bool) -> list[str]:
    """Return the objects of others that `uninstall` would drop too: none without `drop_dependents`.

    Changes nothing. Raises ProjectorError if the login may not drop the read model, or if objects of others depend on
    it, which the message lists.
    """
    require_rights_to_uninstall(conn)
    dependents = change_tables(conn, lambda: find_dependents(conn, own_schemas(conn)))
    if dependents and not drop_dependents:
        raise ProjectorError(
            "Nothing was changed, because what others made depends on the read model, and would go with it:\n"
            f"{in_lines(dependents)}\n"
            "Drop it or point it elsewhere first, or run uninstall --drop-dependents to drop it too."
        )
    return dependents


def uninstall(conn: Connection, *, drop_dependents: bool = False) -> list[str]:
    """Remove all of our objects, the triggers first, and leave the platform's tables unchanged.

    Returns what an operator should know. Raises ProjectorError and BlockedError; before any ProjectorError nothing was
    changed, unless the message says so.
    """
    check_uninstall(conn, drop_dependents=drop_dependents)
    publications = values(conn, query("operate", "find_publications"), {"schemas": own_schemas(conn)})
    triggers.uninstall(conn)

    def drop() -> list[str]:
        conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.MIGRATION,))
        schemas = own_schemas(conn)
        if not (drop_dependents and schemas):
            drop_own(conn, schemas)
            return []
        dependents = find_dependents(conn, schemas)
        conn.execute(f"DROP SCHEMA {', '.join(schemas)} CASCADE".encode())
        return dependents

    try:
        dropped = change_tables(conn, drop)
    except psycopg.errors.DependentObjectsStillExist as error:
        raise ProjectorError(
            "The triggers are dropped, and the read model stays, because something came to depend on it meanwhile:"
            f" {detail(error)}. Stop the projector, drop what others made, and run uninstall again; or run migrate to"
            " install the triggers again."
        ) from error
    notices = []
    if dropped:
        notices.append(f"Dropped too, because it depended on the read model:\n{in_lines(dropped)}")
    if publications:
        notices.append(
            f"These publications no longer publish tables of the read model: {', '.join(publications)}."
        )
    if read_access(conn).is_apart:
        notices.append(
            "The API keys and the ledger of erasures stay, because this login may not drop them. Have a superuser run:"
            " DROP SCHEMA leads_access CASCADE;"
        )
    roles: tuple[LiteralString, ...] = ("leads_api", "leads_reader", "leads_keys", "leads_access")
    return [*notices, *(notice for role in roles for notice in _drop_role(conn, role))]


def in_lines(objects: Sequence[str]) -> str:
    """Return a line for each."""
    return "\n".join(f"  {name}" for name in objects)


def _drop_role(conn: Connection, role: LiteralString) -> list[str]:
    """Drop one of our roles. Its rights went with our schemas; other grants and objects are not ours to drop.

    Returns a sentence if the role stays.
    """
    if conn.execute("SELECT to_regrole(%s)", [role]).fetchone() == (None,):
        return []
    try:
        conn.execute("DROP ROLE " + role)
    except psycopg.errors.DependentObjectsStillExist as error:
        return [f"The role {role} stays, because something else uses it: {detail(error)}."]
    except psycopg.errors.InsufficientPrivilege:
        said = "because this login may not drop it. Have an administrator run: DROP ROLE"
        return [f"The role {role} stays, {said} {role};"]
    return []
