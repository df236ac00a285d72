"""Install the read model next to the platform's tables, or bring it up to date."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import TypeVar

import psycopg
from psycopg import sql as composing
from psycopg.types.json import Jsonb

from projector.capture import control, gaps, triggers
from projector.capture.attributes import attribute_catalog
from projector.capture.definition import definition_texts
from projector.capture.fit import Fit, examine_source
from projector.capture.source import find_source
from projector.capture.texts import Texts, default_mapping, note_mapping, stored_mapping
from projector.core.preconditions import INSTALLED_VERSION
from projector.database import connect as db
from projector.database import distribution, locks
from projector.database.retry import lock_timeouts, retry
from projector.database.rows import Connection, only_row, value, values
from projector.database.schema import comments, sections, source_commands, source_tables
from projector.database.source_names import find_schemas, read_tables, source_names
from projector.database.sql import PROJECTION_VERSION, functions, query
from projector.operate.assess import find_failing, find_problems, find_warnings, require_fit
from projector.operate.rights import find_further_rights
from projector.operate.roles import for_superuser, is_allowed, set_up_access, set_up_readers
from projector.report.errors import (
    NOT_INSTALLED,
    NotInstalledError,
    ProjectorError,
    detail,
)

_Result = TypeVar("_Result")

TABLE_LOCK_TIMEOUT = "500ms"
"""How long migrate waits for a table at a time, because refreshes and readers wait behind it."""

TABLE_PATIENCE_SECONDS = 60.0
"""How long migrate and uninstall try to get the tables of the read model."""

PREDECESSORS = ("35713b90d9e2", "30fe900ad16f")
"""The projection versions of the releases that `migrate` takes over, the oldest first."""

_UNKNOWN = (
    "Nothing was changed, because the installation that is there cannot be taken over: its version is older than those"
    " that this one takes over, or its read model is in another database than the platform. Save the API keys and the"
    " ledger of erasures, as docs/operating.md says under Upgrade. Run uninstall with the version that installed it,"
    " then migrate and rebuild the platform's database with this one."
)
_NO_SEARCH = "a search word reads all leads of its tenant, because pg_trgm and btree_gin could not be created"
_UNAVAILABLE = (
    psycopg.errors.UndefinedFile,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.InvalidSchemaName,
)
# A column that an earlier supported version did not have.
_ADDED = re.compile(r"^ALTER TABLE (\S+) ADD COLUMN IF NOT EXISTS (\w+)[^;]*;$", re.MULTILINE)


def migrate(
    conn: Connection,
    *,
    create_source: bool,
    source_schemas: Sequence[str] = (),
    distribute: bool = False,
    mapping: Texts | None = None,
) -> list[str]:
    """Install or update the read model, the queue and the triggers; return what an operator should know.

    The platform's tables are looked for in `source_schemas`; else where the last migrate found them; and if there
    was none, on the search_path of the login. A `mapping` is stored; without one, the stored one stays. With
    `distribute`, the tables of the read model are distributed.

    Raises SourceMissingError if source tables or columns are missing, unless they are to be created, ProjectorError if
    the login lacks a right, the schemas of ours belong to another role, nothing adds a column that an older version did
    not have, or what others made keeps a table from being changed, and BlockedError if other sessions hold a table for
    too long.
    """
    notices = change_tables(
        conn,
        lambda: _install(conn, source_schemas, mapping, create_source=create_source, distribute=distribute),
    )
    change_tables(conn, lambda: _complete(conn))
    notices += _set_up_search(conn)
    apart = change_tables(conn, lambda: set_up_access(conn))
    membership = change_tables(conn, lambda: set_up_readers(conn))
    # The statements of set_up_access include that of set_up_readers.
    notices += apart or membership
    change_tables(conn, lambda: distribution.grant(conn))
    if gaps.switched_off(conn) is None:
        control.reinstall(conn)
        notices += [
            f"Capture gap: {gap.reason}. The triggers were installed again; the scheduler, or refresh, heals it."
            if gap.fills is None
            else f"From now on {gap.fills}, because {gap.reason}: the scheduler, or refresh, does that."
            for gap in gaps.open_gaps(conn)
        ]
    else:
        notices.append("Capture is switched off: run `capture on` to install the triggers again.")
    further = find_further_rights(conn, source_names(conn).values())
    if further is not None:
        notices.append(
            f"{further[0].rpartition(', which')[0]}: `status` prints the statements that make one."
        )
    return notices + [fact.text for fact in find_warnings(conn, read_tables(conn), find_source(conn))]


def _set_up_search(conn: Connection) -> list[str]:
    """Create the extensions and the search index; return what an operator should know if that failed."""
    text = sections()["search"]
    try:
        if is_allowed(conn, text, *_UNAVAILABLE):
            return []
    except psycopg.errors.DuplicateFunction as error:
        # Somebody has created a function with the name of one of the extension.
        said = f"{error.diag.message_primary}. Drop that one in the schema public, and run migrate again."
        return [f"{_NO_SEARCH.capitalize()}: {said}"]
    return [for_superuser(_NO_SEARCH, text.strip())]


def install_capture(conn: Connection, source_schemas: Sequence[str], mapping: Texts) -> None:
    """Install the definition and the triggers, without the objects that only readers need."""
    change_tables(
        conn, lambda: _install(conn, source_schemas, mapping, create_source=False, distribute=False)
    )
    control.reinstall(conn)


def _install(
    conn: Connection,
    source_schemas: Sequence[str],
    mapping: Texts | None,
    *,
    create_source: bool,
    distribute: bool,
) -> list[str]:
    """Install what needs only the right to create, in the caller's transaction; return notices."""
    conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.MIGRATION,))
    distribution.prepare_to_change(conn)
    before = _read_parts_before(conn)
    fit = _find_source(conn, source_schemas, mapping, create_source=create_source)
    # Wait for batches in progress, and let no others begin: the queue and the keys may have to be copied.
    locks.own_queue(conn)
    conn.execute(query("operate", "hold_looks"))
    _run(conn, {"schema.sql": sections()["read_model"]})
    _run(conn, {"schema.sql": sections()["projector"]})
    with _named_failure("schema.sql"):
        conn.execute(comments(of_access=False).encode(), prepare=False)
    _note_source(conn, fit)
    _define(conn, fit)
    _run(conn, functions("install/functions"))
    _run(conn, {"sql/queries/operate.sql": value(conn, query("operate", "csv_functions"))})
    with _named_failure("sql/capture"):
        triggers.create_functions(conn)
    _run(conn, functions("install/after_tables"))
    if distribute:
        distribution.distribute(conn)
    versions = {"version": PROJECTION_VERSION, "installed_version": INSTALLED_VERSION}
    conn.execute(query("operate", "note_version"), versions)
    conn.execute(query("operate", "begin_projection"), {"version": PROJECTION_VERSION})
    present = {
        "attributes": Jsonb(attribute_catalog(fit.relations)),
        "version": PROJECTION_VERSION,
        "mapping": fit.mapping.digest,
        "before": before.columns,
        "is_trusted": before.is_trusted,
    }
    if conn.execute(query("operate", "note_parts"), present).fetchone():
        conn.execute(query("operate", "change_versions"), {"random": token_hex(16)})
    return fit.notices()


@dataclass(frozen=True, slots=True)
class _PartsBefore:
    """The row of the query `read_parts_before` about the present installation."""

    columns: list[str] = field(default_factory=list)
    is_trusted: bool = False


def _read_parts_before(conn: Connection) -> _PartsBefore:
    """Return the parts of the read model before anything is changed.

    Raises NotInstalledError if it has a version that this one does not support.
    """
    try:
        with conn.transaction():
            if value(conn, query("core", "is_installed")):
                installed = value(conn, query("database", "read_setting"), {"name": "projection_version"})
                if installed in {*PREDECESSORS, PROJECTION_VERSION}:
                    return only_row(conn, _PartsBefore, query("operate", "read_parts_before"))
            elif value(conn, "SELECT to_regclass('read_model.projection') IS NULL"):
                return _PartsBefore()
    except psycopg.errors.InsufficientPrivilege:
        # A later step fails too, and says which statements give this login the tables.
        return _PartsBefore()
    except NOT_INSTALLED as error:
        raise NotInstalledError(_UNKNOWN) from error
    raise NotInstalledError(_UNKNOWN)


def _note_source(conn: Connection, fit: Fit) -> None:
    """Note the mapping, the places of the platform's tables and what they lack. A change of these opens a gap."""
    is_another = stored_mapping(conn).digest != fit.mapping.digest
    note_mapping(conn, fit.mapping)
    before = {table.name: list(table.absent_columns) for table in read_tables(conn)}
    now = {table.name: list(table.absent_columns) for table in fit.tables}
    conn.execute(query("operate", "forget_source"), {"tables": list(now)})
    conn.execute(query("operate", "note_source"), {"tables": Jsonb([asdict(table) for table in fit.tables])})
    changed = [table for table in (before | now) if before.get(table) != now.get(table)]
    moment = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    if before and is_another:
        fills = f"the mapping of {moment} is being filled"
        gaps.open_gap(conn, "another mapping is read now", fills)
    elif before and changed:
        tables = ", ".join(changed)
        fills = f"the choice of columns of {moment} ({tables}) is being filled"
        gaps.open_gap(conn, f"other columns of {tables} are read now", fills)


def _complete(conn: Connection) -> None:
    """Install what takes long if there are leads, such as indexes.

    Readers are not blocked, because this transaction changes no table.
    """
    conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.MIGRATION,))
    distribution.prepare_to_change(conn)
    _run(conn, {"schema.sql": sections()["later"]})
    _run(conn, {"sql/queries/operate.sql": value(conn, query("operate", "attribute_indexes"))})


def _run(conn: Connection, texts: Mapping[str, str]) -> None:
    """Run the texts of these files, without adding columns that exist: readers would wait for ALTER TABLE."""

    def if_missing(added: re.Match[str]) -> str:
        column = {"names": [], "tables": [added[1]], "columns": [added[2]]}
        return added[0] if values(conn, query("database", "find_missing"), column) else ""

    for file, text in texts.items():
        with _named_failure(file):
            for statement in distribution.statements(conn, _ADDED.sub(if_missing, text)):
                conn.execute(statement.encode(), prepare=False)


@contextmanager
def _named_failure(file: str) -> Iterator[None]:
    """If a table or column does not exist, name the file that needs it, since "run migrate" does not help here.

    If an object of others keeps one of ours from being changed, say what to do with it. PostgreSQL names it in the
    detail: a view whose column would change its type, or that reads what would be dropped.
    """
    try:
        yield
    except NOT_INSTALLED as error:
        raise ProjectorError(
            f"Nothing was changed, because {file} failed: {error.diag.message_primary}."
        ) from error
    except (psycopg.errors.DependentObjectsStillExist, psycopg.errors.FeatureNotSupported) as error:
        if not error.diag.message_detail:
            raise
        raise ProjectorError(
            f"Nothing was changed, because PostgreSQL says: {error.diag.message_primary}: {detail(error)}. Save the"
            " definition of that object, drop it, run migrate again, and create it again afterwards."
        ) from error


def _define(conn: Connection, fit: Fit) -> None:
    """Create or replace the functions of the definition, with the platform's tables and the types of its ids."""
    stored = value(conn, query("operate", "read_type_of_extraction_ids"))
    if stored == "uuid" and fit.types["extraction_id"] != stored:
        _run(conn, {"sql/queries/operate.sql": query("operate", "widen_extraction_ids")})
        stored = "text"
    # A function may name another one that is created later.
    conn.execute("SET LOCAL check_function_bodies = off")
    _run(conn, definition_texts(fit, stored))
    conn.execute("SET LOCAL check_function_bodies = on")


def _find_source(
    conn: Connection, source_schemas: Sequence[str], mapping: Texts | None, *, create_source: bool
) -> Fit:
    """Return how the platform's tables fit; with `create_source`, first create those that are missing.

    Raises ProjectorError if something would make this migrate, or the first build, fail.
    """
    if create_source:
        if (mapping or stored_mapping(conn)).digest != default_mapping().digest:
            raise ProjectorError(
                "Nothing was changed, because --create-source creates the tables of the default mapping, and another"
                " one is given or stored: leave it out, or add --mapping default."
            )
        schemas = find_schemas(conn, source_schemas, [*source_tables()])
        commands = composing.SQL(source_commands())
        relations = {table: composing.Identifier(schema, table) for table, schema in schemas.items()}
        conn.execute(commands.format(**relations), prepare=False)
    fit = examine_source(conn, source_schemas, mapping)
    require_fit(find_problems(conn, fit))
    # A bad row that comes later is set aside, and does not stop a deployment.
    if fit.mapping.digest != stored_mapping(conn).digest:
        require_fit(find_failing(conn, fit))
    return fit


def change_tables(conn: Connection, work: Callable[[], _Result]) -> _Result:
    """Do the work in a transaction that never waits long for a table; return what it returns."""
    limited = db.transaction_with_lock_timeout(conn, TABLE_LOCK_TIMEOUT)(work)
    message = (
        f"The tables of the read model could not be changed in {TABLE_PATIENCE_SECONDS:.0f} s: other sessions hold"
        " them. See pg_stat_activity for long transactions, and try again when they have ended."
    )
    return retry(limited, lock_timeouts(TABLE_PATIENCE_SECONDS, message))
