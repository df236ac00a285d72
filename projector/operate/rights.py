"""What `migrate` and `uninstall` have to be allowed, looked at before they change anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg.rows import TupleRow, class_row, scalar_row

from projector.capture.source import SOURCE_TABLES
from projector.database.source_names import source_names
from projector.database.sql import query
from projector.operate.dependents import own_names
from projector.report.errors import RightsError

Connection = psycopg.Connection[TupleRow]
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class _Login:
    """The login as SQL writes its name, its database, and what it may create there."""

    role_name: str
    database_name: str
    can_create: bool
    can_create_temporary: bool


@dataclass(frozen=True, slots=True)
class _Schema:
    """A schema with a name of ours; see find_schemas in sql/queries/operate.sql."""

    schema_name: str
    owner: str
    is_ours: bool
    owned: bool
    first_object: str | None


@dataclass(frozen=True, slots=True)
class _ForeignTable:
    """A source table that belongs to a role whose rights the login does not have."""

    table_name: str
    owner: str


@dataclass(frozen=True, slots=True)
class _ForeignObject:
    """An object of ours that belongs to a role whose rights the login does not have."""

    command: str
    name: str
    owner: str


def require_rights_to_migrate(conn: Connection, relations: Mapping[str, str]) -> None:
    """Raise RightsError where `migrate` would fail for a right, or take over what is not ours. Changes nothing.

    `relations` are the names of the platform's tables, with their schemas.
    """
    login = _read(conn, _Login, "read_login")[0]
    _require_source(conn, login, relations)
    for schema in _read(conn, _Schema, "find_schemas"):
        if not schema.is_ours and schema.first_object is not None:
            raise RightsError(
                f"Nothing was changed, because the schema {schema.schema_name} is not the projector's: it belongs to"
                f" the role {schema.owner} and holds {schema.first_object}. The read model needs a schema of this"
                f" name: rename that one with ALTER SCHEMA {schema.schema_name} RENAME TO …, or drop it."
            )
    _require_own(conn, login)
    # PostgreSQL asks for CREATE also where CREATE SCHEMA IF NOT EXISTS finds the schema.
    rights = {"CREATE": login.can_create, "TEMPORARY": login.can_create_temporary}
    lacking = [right for right, is_there in rights.items() if not is_there]
    if lacking:
        raise RightsError(
            f"Nothing was changed, because the role {login.role_name} lacks a right on the database. Have its owner"
            f" run: GRANT {', '.join(lacking)} ON DATABASE {login.database_name} TO {login.role_name};"
        )


def require_rights_to_uninstall(conn: Connection) -> None:
    """Raise RightsError where `uninstall` would fail for a right. Changes nothing."""
    login = _read(conn, _Login, "read_login")[0]
    if own_schemas(conn):
        _require_own(conn, login)
    _require_owned_source(conn, login, source_names(conn))


def own_schemas(conn: Connection) -> list[str]:
    """Return which of the schemas of ours are there; one of the same name that holds other tables is not ours."""
    return [schema.schema_name for schema in _read(conn, _Schema, "find_schemas") if schema.is_ours]


def _require_source(conn: Connection, login: _Login, relations: Mapping[str, str]) -> None:
    _require_owned_source(conn, login, relations)
    with conn.cursor(row_factory=scalar_row) as cursor:
        unreadable = cursor.execute(
            query("operate", "find_unreadable_tables"), {"relations": list(relations.values())}
        ).fetchall()
    if unreadable:
        names = ", ".join(unreadable)
        raise RightsError(
            f"Nothing was changed, because the role {login.role_name} may not read {names}. Have the owner run:"
            f" GRANT SELECT ON {names} TO {login.role_name};"
        )


def _require_owned_source(conn: Connection, login: _Login, relations: Mapping[str, str]) -> None:
    captured = [relations[table.name] for table in SOURCE_TABLES if table.kind is not None]
    tables = _read(conn, _ForeignTable, "find_foreign_tables", relations=captured)
    if tables:
        owners = list(dict.fromkeys(table.owner for table in tables))
        names = "; ".join(
            f"{', '.join(table.table_name for table in tables if table.owner == owner)}"
            f" {_belong(sum(table.owner == owner for table in tables))} to the role {owner}"
            for owner in owners
        )
        raise RightsError(
            f"Nothing was changed, because only the owner of a table may set how its triggers fire, and {names}."
            f" Connect as {_alternatives(owners)}, or have an administrator make {login.role_name} a member:"
            f" GRANT {', '.join(owners)} TO {login.role_name};"
        )


def _require_own(conn: Connection, login: _Login) -> None:
    objects = _read(conn, _ForeignObject, "find_foreign_objects", names=own_names())
    if objects:
        owners = list(dict.fromkeys(found.owner for found in objects))
        statements = "\n".join(
            f"ALTER {found.command} {found.name} OWNER TO {login.role_name};" for found in objects
        )
        raise RightsError(
            f"Nothing was changed, because the read model belongs to the role {_alternatives(owners, 'and')}, with"
            f" which it was installed, and not to {login.role_name}. Have a superuser hand it over, and run this again:"
            f"\n{statements}"
        )


def _belong(count: int) -> str:
    return "belongs" if count == 1 else "belong"


def _alternatives(names: Sequence[str], word: str = "or") -> str:
    """Return the names as a part of a sentence: `a`, `a or b`, or `a, b or c`."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _read(conn: Connection, row_type: type[_Row], name: str, **parameters: object) -> list[_Row]:
    with conn.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query("operate", name), parameters or None).fetchall()
