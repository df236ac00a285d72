"""What `migrate` and `uninstall` have to be allowed, looked at before they change anything."""

from collections.abc import Collection, Iterator

from projector.capture.source import captured_tables, find_source
from projector.database.ownership import require_own
from projector.database.rows import Connection, Row, only_row, rows
from projector.database.sql import query
from projector.report.errors import ProjectorError


def find_missing_rights(conn: Connection, found: Collection[Row], captured: Collection[str]) -> Iterator[str]:
    """Return in words each reason why `migrate` would fail for a right, or take over what is not ours.

    `found` is what there is of the platform's tables, and `captured` are the names of those that get triggers.
    """
    login = read_server(conn)
    yield from _find_foreign_tables(login, found, captured)
    unreadable = [table.full_name for table in found if table.kind is not None and not table.is_readable]
    if unreadable:
        names = ", ".join(unreadable)
        yield (
            f"Nothing was changed, because the role {login.role_name} may not read {names}. Have the owner run:"
            f" GRANT SELECT ON {names} TO {login.role_name};"
        )
    for schema in _find_schemas(conn):
        if not schema.is_ours and schema.first_object is not None:
            yield (
                f"Nothing was changed, because the schema {schema.schema_name} is not the projector's: it belongs to"
                f" the role {schema.owner} and holds {schema.first_object}. The read model needs a schema of this"
                f" name: rename that one with ALTER SCHEMA {schema.schema_name} RENAME TO …, or drop it."
            )
    try:
        require_own(conn)
    except ProjectorError as error:
        yield str(error)
    # PostgreSQL asks for CREATE also where CREATE SCHEMA IF NOT EXISTS finds the schema.
    rights = {"CREATE": login.can_create, "TEMPORARY": login.can_create_temporary}
    lacking = [right for right, is_there in rights.items() if not is_there]
    if lacking:
        yield (
            f"Nothing was changed, because the role {login.role_name} lacks a right on the database. Have its owner"
            f" run: GRANT {', '.join(lacking)} ON DATABASE {login.database_name} TO {login.role_name};"
        )


def require_rights_to_uninstall(conn: Connection) -> None:
    """Raise ProjectorError where `uninstall` would fail for a right. Changes nothing."""
    login = read_server(conn)
    if own_schemas(conn):
        require_own(conn)
    captured = [table.name for table in captured_tables(conn)]
    for said in _find_foreign_tables(login, find_source(conn).values(), captured):
        raise ProjectorError(said)


def own_schemas(conn: Connection) -> list[str]:
    """Return which of the schemas of ours are there; one of the same name that holds other tables is not ours."""
    return [schema.schema_name for schema in _find_schemas(conn) if schema.is_ours]


def read_server(conn: Connection) -> Row:
    """Return what the server and the database are, and what the login may do there."""
    return only_row(conn, Row, query("operate", "read_server"))


def _find_schemas(conn: Connection) -> list[Row]:
    return rows(conn, Row, query("operate", "find_schemas"))


def _find_foreign_tables(login: Row, found: Collection[Row], captured: Collection[str]) -> Iterator[str]:
    tables: dict[str, list[str]] = {}
    for table in found:
        if table.name in captured and table.owner is not None and not table.is_owned:
            tables.setdefault(table.owner, []).append(table.full_name)
    if tables:
        names = "; ".join(
            f"{', '.join(names)} {'belongs' if len(names) == 1 else 'belong'} to the role {owner}"
            for owner, names in tables.items()
        )
        yield (
            f"Nothing was changed, because only the owner of a table may set how its triggers fire, and {names}."
            f" Connect as {' or '.join(tables)}, or have an administrator make {login.role_name} a member:"
            f" GRANT {', '.join(tables)} TO {login.role_name};"
        )
