"""Install what is ours beside the platform's tables, bring it up to date, or take it away again."""

import time
from collections.abc import Callable, Sequence

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from projector import beside, capture, db, locks
from projector.errors import BlockedError, SourceMissingError
from projector.source import LOOKED_UP, SOURCE_TABLES
from projector.statements import schema_sections, statement, steps

Connection = psycopg.Connection[TupleRow]

PROJECTION_VERSION = 2
"""Grows with every change of what a source row becomes: the next start of the scheduler then rebuilds."""


_LOCK_TIMEOUT = "500ms"
_PATIENCE = 60.0


def migrate(conn: Connection, *, create_source: bool, source_schemas: Sequence[str] = ()) -> list[str]:
    """Install or update the read model, the queue and the triggers; the answer is what an operator should know.

    The platform's tables are looked for in `source_schemas`; else where the last migrate found them; and where there
    was none, on the search_path of the login.

    Raises SourceMissingError where source tables or columns are missing, unless they are to be created.
    """
    notices: list[str] = []
    _give_way(conn, lambda: _install(conn, source_schemas, create_source=create_source))
    capture.adjust_queue(conn)
    notices += _try_section(
        conn,
        "search",
        "A search word will read all leads of its tenant, because the extensions pg_trgm and btree_gin could not be"
        " created. Have somebody who may do so run",
    )
    notices += _try_section(
        conn, "roles", "The role of the API could not be set up. Have somebody who may do so run"
    )
    if capture.switched_off(conn) is None:
        capture.reinstall(conn)
        notices += [
            f"Capture gap: {reason}. The triggers were installed again; the scheduler, or refresh, heals it."
            for _, _, reason in capture.open_gaps(conn)
        ]
    else:
        notices.append("Capture is switched off: run `capture on` to install the triggers again.")
    return notices + _missing_indexes(conn) + _collation(conn)


def uninstall(conn: Connection) -> None:
    """Take away everything of ours, the triggers first, and leave the platform's tables as they were."""
    capture.uninstall(conn)
    _give_way(conn, lambda: _drop(conn))
    # Another database of this server may still use the role, or we may not drop it: then it stays, and can do nothing.
    try:
        with conn.transaction():
            if conn.execute("SELECT FROM pg_roles WHERE rolname = 'leads_api'").fetchone():
                conn.execute("DROP OWNED BY leads_api")
                conn.execute("DROP ROLE leads_api")
    except (psycopg.errors.DependentObjectsStillExist, psycopg.errors.InsufficientPrivilege):
        pass


def _install(conn: Connection, source_schemas: Sequence[str], *, create_source: bool) -> None:
    """Everything that needs no right but to create, in the caller's transaction."""
    conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.MIGRATION,))
    _find_source(conn, source_schemas, create_source=create_source)
    conn.execute(schema_sections()["read_model"])
    conn.execute(schema_sections()["keys"])
    conn.execute(schema_sections()["projector"])
    for text in steps("functions").values():
        conn.execute(text)
    capture.create_functions(conn)
    conn.execute(statement("migrate", "note_source"), {"tables": [table.name for table in SOURCE_TABLES]})
    db.follow_source(conn)
    _replace_hour_stats(conn)
    conn.execute(
        "INSERT INTO read_model.projection (version) VALUES (%s) ON CONFLICT DO NOTHING",
        (PROJECTION_VERSION,),
    )


def _find_source(conn: Connection, schemas: Sequence[str], *, create_source: bool) -> None:
    """Look into these schemas; without any, where the last migrate found the tables, or where the login looks."""
    if schemas:
        db.look_into(conn, schemas)
    if create_source:
        conn.execute(schema_sections()["source"])
    missing = missing_source(conn)
    if missing:
        row = conn.execute("SELECT current_setting('search_path')").fetchone()
        raise SourceMissingError(
            f"The platform's tables are not all there: {'; '.join(missing)}. Looked into: {row and row[0]}. Check that"
            " the database URL names the platform's database; if they are in another schema, run migrate"
            " --source-schema NAME; to create empty source tables for a trial, run migrate --create-source."
        )


def _replace_hour_stats(conn: Connection) -> None:
    """Count the leads of an installation that still has lead_hour_stats, so that it goes on without a rebuild."""
    row = conn.execute("SELECT to_regclass('read_model.lead_hour_stats') IS NULL").fetchone()
    if row is None or row[0]:
        return
    conn.execute(statement("migrate", "hold_writers"))
    conn.execute(statement("migrate", "empty_span_stats"))
    # As a rebuild counts them beside, but in their place.
    conn.execute(statement("build", "build_span_stats").replace(beside.NEXT, "read_model"))
    table = {"tables": ["read_model.lead_hour_stats"], "schema": "read_model", "name": "lead_totals"}
    for (grant,) in conn.execute(statement("beside", "find_grants"), table).fetchall():
        conn.execute(grant, prepare=False)
    conn.execute(statement("migrate", "drop_hour_stats"))


def _drop(conn: Connection) -> None:
    conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.MIGRATION,))
    schemas = ["projector", "read_model", beside.NEXT, beside.OLD]
    names = sql.SQL(", ").join(sql.Identifier(schema) for schema in schemas)
    conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(names))


def _give_way(conn: Connection, work: Callable[[], None]) -> None:
    """Do the work in a transaction that never waits long for a table: refreshes and readers would wait behind it."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with conn.transaction():
                conn.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
                work()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if time.monotonic() > deadline:
                raise BlockedError(
                    f"The tables of the read model could not be changed in {_PATIENCE:.0f} s: other sessions hold them."
                    " See pg_stat_activity for long transactions, and try again when they have ended."
                ) from None
            time.sleep(0.2)
        else:
            return


def missing_source(conn: Connection) -> list[str]:
    """Source tables and columns that are not there, each in words."""
    rows = conn.execute(
        "SELECT t.name, to_regclass(t.name) IS NOT NULL,"
        " ARRAY(SELECT attname::text FROM pg_attribute"
        "  WHERE attrelid = to_regclass(t.name) AND attnum > 0 AND NOT attisdropped)"
        " FROM unnest(%s::text[]) AS t (name)",
        ([table.name for table in SOURCE_TABLES],),
    ).fetchall()
    found = {name: (exists, set(columns)) for name, exists, columns in rows}
    missing: list[str] = []
    for table in SOURCE_TABLES:
        exists, columns = found[table.name]
        absent = [column for column in table.columns if column not in columns]
        if not exists:
            missing.append(f"table {table.name}")
        elif absent:
            missing.append(f"table {table.name} has no column {', '.join(absent)}")
    return missing


def _try_section(conn: Connection, name: str, otherwise: str) -> Sequence[str]:
    """Apply a section of the schema; where the right is missing, say what somebody else has to run."""
    text = schema_sections()[name]
    try:
        with conn.transaction():
            if name == "search":
                # An extension goes into the first schema of the path; a restore of the platform's would take it along.
                conn.execute(
                    "SELECT set_config('search_path',"
                    " concat_ws(', ', 'public', nullif(current_setting('search_path'), '')), true)"
                )
            conn.execute(text)
            if name == "roles":
                _grant_role(conn)
    except (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedFile,
        psycopg.errors.FeatureNotSupported,
    ):
        row = conn.execute("SELECT current_user").fetchone()
        if name == "roles" and row is not None:
            text += sql.SQL("GRANT leads_api TO {};").format(sql.Identifier(row[0])).as_string(conn)
        return [f"{otherwise}:\n{text.strip()}"]
    return []


def _grant_role(conn: Connection) -> None:
    """Let whoever migrates take the API's role, so that one login serves both on a small installation."""
    row = conn.execute("SELECT current_user, pg_has_role('leads_api', 'MEMBER')").fetchone()
    if row is not None and not row[1]:
        conn.execute(sql.SQL("GRANT leads_api TO {}").format(sql.Identifier(row[0])))


def _missing_indexes(conn: Connection) -> list[str]:
    notices = []
    for table, column in LOOKED_UP:
        row = conn.execute(
            "SELECT EXISTS (SELECT FROM pg_index AS i JOIN pg_attribute AS a"
            " ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
            " WHERE i.indrelid = to_regclass(%s) AND a.attname = %s AND i.indisvalid AND i.indpred IS NULL)",
            (table, column),
        ).fetchone()
        if row is not None and not row[0]:
            notices.append(
                f"The platform's table {table} has no index on {column}: a refresh reads all of it each time."
                f" Create one: CREATE INDEX CONCURRENTLY ON {table} ({column});"
            )
    return notices


def _collation(conn: Connection) -> list[str]:
    row = conn.execute(
        "SELECT datname, datcollate FROM pg_database"
        " WHERE datname = current_database() AND datcollate IN ('C', 'POSIX') AND lower('Ä') <> 'ä'"
    ).fetchone()
    if row is None:
        return []
    notice = (
        f"The database {row[0]} has the collation {row[1]}, in which only ASCII letters have a lower case: searches and"
        " sorting by name tell Ä from ä. A database with a UTF-8 collation does not."
    )
    return [notice]
