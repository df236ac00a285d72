"""The places of the platform's tables.

The statements of sql/ read them by the functions of sql/definition/source_rows.sql, into which `migrate` has put the
mapping, with the schema of each table. Only what no function can do, such as a trigger, needs the names themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import scalar_row

from projector.database.ownership import require_trusted
from projector.database.rows import Connection
from projector.database.schema import source_tables
from projector.database.sql import query
from projector.report.errors import SourceMissingError

_DEFAULT_SCHEMA = "public"


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table that the projector reads and never writes.

    `columns` are those that the projection reads: an update of any other queues nothing. A change queues the value of
    `queue_key`, as a change of this `kind`, with `has_ids` together with the `primary_key`; a table without a kind is
    not captured. `looked_up` are the columns by which rows are found, `fixed_columns` those that are then compared with
    a constant, `absent_columns` the optional columns that it lacks. `relations` are the relations whose keys it has.
    """

    name: str
    schema: str
    primary_key: str = ""
    columns: Sequence[str] = ()
    kind: str | None = None
    queue_key: str = ""
    has_ids: bool = False
    looked_up: Sequence[str] = ()
    fixed_columns: Sequence[str] = ()
    absent_columns: Sequence[str] = ()
    relations: Sequence[str] = ()


def known_columns(conn: Connection) -> dict[str, list[str]]:
    """Return the tables that the last `migrate` found, each with its captured columns; none before the first one."""
    return dict(conn.execute(query("database", "read_known_columns")).fetchall()) if is_noted(conn) else {}


def source_names(conn: Connection) -> dict[str, str]:
    """Return the quoted name of each source table, with its schema.

    Before the first `migrate`, and for a login that may not read our state, these are the tables of trials.
    """
    noted = {table.name: table.schema for table in read_tables(conn)}
    return quoted(noted or find_schemas(conn, (), [*source_tables()]))


def quoted(schemas: Mapping[str, str]) -> dict[str, str]:
    """Return the quoted names of these tables, each with its schema."""
    return {table: sql.Identifier(schema, table).as_string(None) for table, schema in schemas.items()}


def find_schemas(conn: Connection, searched: Sequence[str], tables: Sequence[str]) -> dict[str, str]:
    """Return the schema of each of these tables of the platform, as noted by `migrate` unless `searched` is given.

    Any other table is in the first schema that has a table of its name: of `searched`, of those noted, or of those in
    the search_path of the login. A table that is in none of them counts as missing in the first.
    """
    noted = {} if searched else {table.name: table.schema for table in read_tables(conn)}
    schemas = searched or list(dict.fromkeys(noted.values())) or login_schemas(conn)
    parameters = {"tables": list(tables), "schemas": list(schemas)}
    located: dict[str, str] = dict(conn.execute(query("database", "locate_source"), parameters).fetchall())
    home = schemas[0] if schemas else _DEFAULT_SCHEMA
    return {table: noted.get(table, located.get(table, home)) for table in tables}


def login_schemas(conn: Connection) -> list[str]:
    """Return the schemas in the search_path of the login, which our own statements do not use."""
    with conn.transaction(), conn.cursor(row_factory=scalar_row) as cursor:
        before = cursor.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
        cursor.execute("SET LOCAL search_path TO DEFAULT")
        schemas: list[str] = cursor.execute("SELECT pg_catalog.current_schemas(false)").fetchone() or []
        cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (before,))
    return schemas


def require_open_schemas(conn: Connection) -> None:
    """Raise SourceMissingError if the login may not use a schema in which `migrate` found the platform's tables.

    Raises ProjectorError as `require_trusted` does, before it reads any of our objects.
    """
    if not is_noted(conn):
        return
    require_trusted(conn)
    closed = conn.execute(query("database", "find_closed_schema")).fetchone()
    if closed is not None:
        schema, role = closed
        raise SourceMissingError(
            f"The role {role} may not look into the schema {schema}, where the platform's"
            f" tables are: run GRANT USAGE ON SCHEMA {schema} TO {role};"
        )


def read_tables(conn: Connection) -> list[SourceTable]:
    """Return the source tables, as noted by the last `migrate`."""
    noted = conn.execute(query("database", "read_source_tables")) if is_noted(conn) else ()
    return [SourceTable(name, schema, kind=kind, **details) for name, schema, kind, details in noted]


def is_noted(conn: Connection) -> bool:
    """Return whether the login may read the notes of the last `migrate`."""
    return conn.execute(query("database", "can_read_source_tables")).fetchone() == (True,)
