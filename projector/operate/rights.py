"""The rights that `migrate` and `uninstall` need, checked before they change anything."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from projector.capture.source import SourceRelation, captured_tables, find_source
from projector.database.ownership import find_own_objects, require_own
from projector.database.rows import Connection, only_row, rows, value
from projector.database.sql import query
from projector.report.errors import ProjectorError

LOGIN = "leads_projector"
"""The name, in statements for a superuser, of a login with no more rights than the owner of the platform's tables."""

HANDED_OVER = ("projector", "read_model", "leads_sql")
"""Our schemas that belong to the projector's login; `leads_access` belongs to a separate role."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server, the database, and the rights of the login there. Names are quoted.

    `vacuums`: autovacuum is on. `has_extensions`: the extensions that a search needs exist or can be created.
    `grants_inherit`: each membership, and not an attribute of the member, says whether the member inherits
    the rights of the role, as from PostgreSQL 16 on. `can_create` and `can_create_temporary` are about
    schemas and temporary tables; `can_create_roles` is also true if our roles already exist.
    """

    version: str
    encoding: str
    is_standby: bool
    vacuums: bool
    has_extensions: bool
    collation: str
    ctype: str
    role_name: str
    database_name: str
    grants_inherit: bool
    can_create: bool
    can_create_temporary: bool
    can_create_databases: bool
    can_create_roles: bool


@dataclass(frozen=True, slots=True)
class OwnerRights:
    """An owner of tables that are read. `rights` are those that the login has and the owner lacks."""

    owner: str
    is_login: bool
    tables: list[str]
    rights: str | None


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema with one of our names. `is_ours`: it has our tables or views; `first_object` is one of its objects."""

    schema_name: str
    owner: str
    is_ours: bool
    may_drop: bool
    first_object: str | None


def find_missing_rights(
    conn: Connection, tables: Collection[SourceRelation], captured: Collection[str]
) -> Iterator[str]:
    """Return in words each reason why `migrate` would lack a right, or take over foreign objects.

    `tables` is the state of the platform's tables, and `captured` are the names of those that get triggers.
    """
    login, schemas = read_server(conn), _find_schemas(conn)
    yield from _find_foreign_tables(login, tables, captured)
    unreadable = [table.full_name for table in tables if table.kind is not None and not table.is_readable]
    if unreadable:
        names = ", ".join(unreadable)
        yield (
            f"Nothing was changed, because the role {login.role_name} may not read {names}. Have the owner run:"
            f" GRANT SELECT ON {names} TO {login.role_name};"
        )
    for schema in schemas:
        if not schema.is_ours and schema.first_object is not None:
            yield (
                f"Nothing was changed, because the schema {schema.schema_name} is not the projector's: it belongs to"
                f" the role {schema.owner} and holds {schema.first_object}. The read model needs a schema of this"
                f" name: rename that one with ALTER SCHEMA {schema.schema_name} RENAME TO …, or drop it."
            )
        elif schema.schema_name == "leads_access" and schema.owner != "leads_access":
            yield (
                f"Nothing was changed, because the schema leads_access belongs to the role {schema.owner}, and not to a"
                " role of its own. Where an upgrade was left unfinished, have a superuser finish it with the version"
                " that is installed. Else save the API keys and the ledger of erasures, as docs/operating.md says under"
                " Upgrade, and have a superuser drop the schema."
            )
    try:
        require_own(conn)
    except ProjectorError as error:
        yield str(error)
    # PostgreSQL also demands CREATE if CREATE SCHEMA IF NOT EXISTS finds the schema.
    rights = {"CREATE": login.can_create, "TEMPORARY": login.can_create_temporary}
    lacking = [right for right, is_there in rights.items() if not is_there]
    if lacking:
        yield (
            f"Nothing was changed, because the role {login.role_name} lacks a right on the database. Have its owner"
            f" run: GRANT {', '.join(lacking)} ON DATABASE {login.database_name} TO {login.role_name};"
        )
    further = find_further_rights(conn, [table.full_name for table in tables if table.kind is not None])
    # A role that may create schemas could have created those that belong to another role.
    is_installed = any(schema.is_ours and schema.owner == login.role_name for schema in schemas)
    if further is not None and not is_installed:
        yield f"Nothing was changed, because {further[0][:1].lower()}{further[0][1:]} {' '.join(further[1])}"


def find_further_rights(conn: Connection, relations: Collection[str]) -> tuple[str, list[str]] | None:
    """Return in words the rights of the login beyond an owner of these tables, and statements for a suitable login.

    `relations` are the quoted names of the tables that are read. Returns None if the login has no more rights than each
    of their owners, because code that runs in its sessions could run in theirs.
    """
    owners = rows(conn, OwnerRights, query("operate", "find_further_rights"), {"relations": list(relations)})
    further = "; ".join(
        f"{owner.owner}, which owns {', '.join(owner.tables)}: the login {owner.rights}"
        for owner in owners
        if owner.rights
    )
    if not further:
        return None
    main = max(owners, key=lambda owner: len(owner.tables))
    transfers = [
        f"ALTER TABLE {table} OWNER TO {main.owner};"
        for owner in owners
        if owner is not main
        for table in owner.tables
    ]
    sentence = (
        f"The login {value(conn, 'SELECT quote_ident(session_user)')} may do more than {further}. What an owner puts"
        " into a table, such as a cast or an index, runs in the projector's sessions and would have these rights."
        f" Connect as {main.owner}, or as a member of it and of nothing else, which a superuser makes so:"
    )
    return sentence, transfers + ([] if main.is_login else _make_login(conn, main.owner))


def _make_login(conn: Connection, owner: str) -> list[str]:
    """Return the statements that create a suitable login and give it our objects, one at a time."""
    objects = find_own_objects(conn, HANDED_OVER)
    own = [f"ALTER {item.command} {item.name} OWNER TO {LOGIN};" for item in objects if item.is_owned]
    return [
        f"CREATE ROLE {LOGIN} LOGIN IN ROLE {owner};",
        f"GRANT CREATE, TEMPORARY ON DATABASE {read_server(conn).database_name} TO {LOGIN};",
        *(
            ["SET lock_timeout = '500ms';", *own, *access_rights(LOGIN), f"GRANT leads_api TO {LOGIN};"]
            if own
            else []
        ),
    ]


def access_rights(login: str) -> list[str]:
    """Return the statements that give a login, quoted for SQL, what it needs of `leads_access`."""
    return [
        f"GRANT USAGE ON SCHEMA leads_access TO {login};",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA leads_access TO {login};",
    ]


def require_rights_to_uninstall(conn: Connection) -> None:
    """Raise ProjectorError if `uninstall` would lack a right. Changes nothing."""
    login = read_server(conn)
    if own_schemas(conn):
        require_own(conn)
    captured = [table.name for table in captured_tables(conn)]
    for said in _find_foreign_tables(login, find_source(conn).values(), captured):
        raise ProjectorError(said)


def own_schemas(conn: Connection) -> list[str]:
    """Return which of our schemas exist. A schema with the same name but other tables is not ours.

    Nor is `leads_access` if it belongs to a role of which the login is not a member.
    """
    return [
        schema.schema_name
        for schema in _find_schemas(conn)
        if schema.is_ours and (schema.may_drop or schema.schema_name != "leads_access")
    ]


def read_server(conn: Connection) -> Server:
    """Return the state of the server and the database, and the rights of the login."""
    return only_row(conn, Server, query("operate", "read_server"))


def _find_schemas(conn: Connection) -> list[Schema]:
    return rows(conn, Schema, query("operate", "find_schemas"))


def _find_foreign_tables(
    login: Server, source: Collection[SourceRelation], captured: Collection[str]
) -> Iterator[str]:
    tables: dict[str, list[str]] = {}
    for table in source:
        if table.name in captured and table.owner is not None and not table.is_owned:
            tables.setdefault(table.owner, []).append(table.full_name)
    if tables:
        names = "; ".join(
            f"{', '.join(names)} {'belongs' if len(names) == 1 else 'belong'} to the role {owner}"
            for owner, names in tables.items()
        )
        grant = f"GRANT {', '.join(tables)} TO {login.role_name}"
        if login.grants_inherit:
            statements = f"{grant} WITH INHERIT TRUE;"
        else:
            statements = f"ALTER ROLE {login.role_name} INHERIT; {grant};"
        yield (
            f"Nothing was changed, because only the owner of a table may set how its triggers fire, and {names}."
            f" Connect as {' or '.join(tables)}, or have an administrator make {login.role_name} a member:"
            f" {statements}"
        )
