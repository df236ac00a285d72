"""The platform's tables: which columns the projection reads, of which types, and which key a changed row queues."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psycopg
from psycopg.rows import TupleRow

from projector.database.ownership import explain_missing
from projector.database.rows import Row, rows
from projector.database.source_names import absent_columns, source_names
from projector.database.sql import query, source_columns
from projector.report.errors import NOT_INSTALLED, SourceMissingError


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table that is read and never written to.

    `columns` are those that the projection reads, each with what it is read as: an update of any other queues nothing.
    `queue_key` is the column whose value a change queues, as a change of this `kind`; a table without a kind is not
    captured, which one is that lacks its only column `of_interest`. `optional` columns may be missing.
    """

    name: str
    primary_key: str
    columns: Mapping[str, str]
    kind: str | None
    queue_key: str
    optional: tuple[str, ...] = ()
    of_interest: str | None = None

    @property
    def ids(self) -> dict[str, str]:
        """The columns that hold ids, each with the kind of it."""
        return {column: kind for column, kind in self.columns.items() if kind.endswith("_id")}


def _table(
    name: str, primary_key: str, *, queue_key: str = "", optional: str = "", of_interest: str | None = None
) -> SourceTable:
    columns = source_columns()[name]
    names = tuple(optional.split())
    return SourceTable(name, primary_key, columns, name, queue_key or primary_key, names, of_interest)


SOURCE_TABLES = (
    # The rows that depend on a tenant's are captured in their own tables, cascades too.
    _table("users", "user_id", optional="company_name", of_interest="company_name"),
    _table("phone_numbers", "id", optional="platform"),
    _table("agents", "agent_id", optional="name"),
    _table("conversations", "conversation_id", optional="last_message_at is_active"),
    _table("messages", "message_id", queue_key="conversation_id", optional="status sequence_no"),
    _table(
        "extractions",
        "extraction_id",
        queue_key="conversation_id",
        optional="extracted_at is_latest name email company intent_score urgency_score budget_score fit_score"
        " engagement_score total_score lead_status_tag",
    ),
    _table("contacts", "contact_id", optional="name email company updated_at"),
    _table("templates", "template_id"),
    _table("template_sends", "send_id", optional="status sent_at"),
)

OPTIONAL_TABLES = {
    "users": "no tenant has a name",
    "contacts": "no contact is known",
    "templates": "no template send is known",
    "template_sends": "no template send is known",
}
"""The tables that may be missing, and what that means. A template send has its tenant from its template."""

CAPTURED_TABLES = tuple(table for table in SOURCE_TABLES if table.kind is not None)

# What a recompute looks up in the platform's tables, and would read the whole table for without an index.
LOOKED_UP = (
    *((table.name, table.primary_key) for table in CAPTURED_TABLES if table.name != "extractions"),
    ("agents", "phone_number_id"),
    ("conversations", "agent_id"),
    ("messages", "conversation_id"),
    ("extractions", "conversation_id"),
    ("templates", "phone_number_id"),
    ("template_sends", "template_id"),
)


_WANTED = {
    "text": "text, varchar or an enum",
    "timestamptz": "timestamp or timestamptz",
    "boolean": "boolean",
    "integer": "integer, smallint or bigint",
}
_WANTED_ID = "text, varchar, uuid, bigint or integer"
_PHONES = {"customer_phone", "phone"}

_CASTS = {
    "text": "of_key",
    "uuid": "CASE WHEN of_key ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN of_key::uuid END",
    "bigint": "CASE WHEN of_key !~ '^(0|-?[1-9][0-9]{0,18})$' THEN NULL"
    " WHEN of_key::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN of_key::bigint END",
}
"""How a text becomes an id of a type: null where no id is written so, since such a key is none of the platform's."""


@dataclass(slots=True)
class Fit:
    """How the platform's tables fit the projection.

    `missing` and `misfits` keep it from being installed, each in words; `absent` has what may be missing and is: the
    columns of each table, all of one that is missing. `types` has the type of each kind of id.
    """

    missing: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    found: dict[str, Row] = field(default_factory=dict)

    @property
    def absent_tables(self) -> list[str]:
        """The tables that are not there."""
        return [table.name for table in SOURCE_TABLES if self.absent.get(table.name) == tuple(table.columns)]

    def notices(self) -> list[str]:
        """Return a line for each table of which something is not known."""
        return [
            f"The platform has no table {table.name}: {OPTIONAL_TABLES[table.name]}."
            if table.name in self.absent_tables
            else f"The platform's table {table.name} has no column {', '.join(self.absent[table.name])}: nothing is"
            " known of that."
            for table in SOURCE_TABLES
            if table.name in self.absent
        ]

    def casts(self) -> dict[str, tuple[str, str]]:
        """Return for each kind of id the type that a queued key is given, and the expression that does."""
        wanted = {kind: "bigint" if of == "integer" else of for kind, of in self.types.items()}
        return {kind: (of, _CASTS[of]) for kind, of in wanted.items()}


def read_tables(conn: psycopg.Connection[TupleRow]) -> tuple[SourceTable, ...]:
    """Return the tables that are read, with the columns that the platform had when `migrate` looked last."""
    absent = absent_columns(conn)
    return tuple(
        replace(
            table,
            columns={name: kind for name, kind in table.columns.items() if name not in absent[table.name]},
            kind=None if table.of_interest in absent[table.name] else table.kind,
        )
        for table in SOURCE_TABLES
        if table.name in absent
    )


def captured_tables(conn: psycopg.Connection[TupleRow]) -> tuple[SourceTable, ...]:
    """Return those of the tables that are read that have triggers."""
    return tuple(table for table in read_tables(conn) if table.kind is not None)


def find_missing_source(conn: psycopg.Connection[TupleRow]) -> list[str]:
    """Return the source tables and columns that are read and do not exist, each in words."""
    tables = read_tables(conn)
    found = find_source(conn)
    return [one for table in tables for one in _missing(table, found[table.name], table.columns)]


def examine_source(
    conn: psycopg.Connection[TupleRow], relations: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> Fit:
    """Return how the platform's tables fit. `known` has the tables that were read before, each with its columns.

    What was read before may not be missing: it was renamed or dropped by mistake, as far as anybody can tell.
    """
    fit = Fit(found=find_source(conn, relations))
    for table in SOURCE_TABLES:
        found = fit.found[table.name]
        if found.kind is None and table.name in OPTIONAL_TABLES and table.name not in known:
            fit.absent[table.name] = tuple(table.columns)
            continue
        may_be_absent = set(table.optional) - set(known.get(table.name, ()))
        # Only an owner may capture a table: where the login is none, the table is left alone if it may be.
        there = set(found.columns) - (set() if found.is_owned else {table.of_interest})
        absent = tuple(name for name in table.columns if name in may_be_absent - there)
        if absent and found.kind == "table":
            fit.absent[table.name] = absent
        fit.missing += _missing(table, found, [name for name in table.columns if name not in may_be_absent])
    # One of the two says nothing without the other.
    of_sends = {"templates", "template_sends"}
    if of_sends & set(fit.absent_tables) and not of_sends & set(known):
        fit.absent |= {table.name: tuple(table.columns) for table in SOURCE_TABLES if table.name in of_sends}
    for table in SOURCE_TABLES:
        if fit.found[table.name].kind == "table" and table.name not in fit.absent_tables:
            fit.misfits += _misfits(table, fit)
    for kind in {kind for table in SOURCE_TABLES for kind in table.ids.values()}:
        fit.types.setdefault(kind, "text")
    return fit


def _missing(table: SourceTable, found: Row, wanted: Sequence[str] | Mapping[str, str]) -> list[str]:
    absent = [column for column in wanted if column not in found.columns]
    if found.kind is None:
        return [f"table {table.name}"]
    if found.kind != "table":
        return [f"table {table.name} (there is a {found.kind} of that name, which has no triggers)"]
    return [f"table {table.name} has no column {', '.join(absent)}"] if absent else []


def _misfits(table: SourceTable, fit: Fit) -> list[str]:
    """Return in words the columns whose type is another than the projection can read; note the types of ids in `fit`.

    The first column of a kind of ids is the primary key of its table: those that refer to it have its type.
    """
    found = fit.found[table.name]
    problems = []
    for name, declared, category, base in zip(
        found.columns, found.types, found.categories, found.bases, strict=True
    ):
        kind = table.columns.get(name)
        if kind is None:
            continue
        if not kind.endswith("_id"):
            if not _is_readable(kind, name, category, base):
                problems.append(f"{table.name}.{name} is {declared}, and has to be {_WANTED[kind]}")
            continue
        of = "text" if category == "S" else base
        if of not in {"text", "uuid", "bigint", "integer"}:
            problems.append(f"{table.name}.{name} is {declared}, and has to be {_WANTED_ID}")
        elif fit.types.setdefault(kind, of) != of:
            problems.append(
                f"{table.name}.{name} is {declared}, and has to be {fit.types[kind]} as the column that it refers to"
            )
    return problems


def _is_readable(kind: str, name: str, category: str, base: str) -> bool:
    numbers = {"integer", "smallint", "bigint"}
    if kind == "text":
        return category in {"S", "E"} or (name in _PHONES and base in numbers)
    if kind == "timestamptz":
        return base in {"timestamp without time zone", "timestamp with time zone", "date"}
    return base in (numbers if kind == "integer" else {kind})


def foreign_owner(conn: psycopg.Connection[TupleRow]) -> SourceMissingError | None:
    """Return the error that names the first captured table of an owner whose rights this login does not have."""
    source = find_source(conn)
    for table in captured_tables(conn):
        found = source[table.name]
        if found.kind is not None and not found.is_owned:
            return SourceMissingError(
                f"The triggers cannot be installed again, because the table {found.name} belongs to {found.owner} now."
                " Give it back to its old owner, or let the projector's login act for the new one: run"
                f" GRANT {found.owner} TO {conn.info.user}; The projector then goes on by itself."
            )
    return None


@contextmanager
def naming_missing_source(conn: psycopg.Connection[TupleRow]) -> Iterator[None]:
    """Raise SourceMissingError instead of PostgreSQL's error where the block fails because the source lacks a column.

    The platform may change its tables at any moment, between the check of a batch and its statements too. Where
    something of ours is missing, the error says so, too: see `explain_missing`.
    """
    try:
        yield
    except NOT_INSTALLED as error:
        if conn.broken or conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise
        missing = find_missing_source(conn)
        if missing:
            raise misfit(missing) from error
        explained = explain_missing(conn, error)
        if explained is None:
            raise
        raise explained from error
    except psycopg.errors.CannotCoerce as error:
        raise SourceMissingError(
            f"A column of the platform has another type than migrate found: {error.diag.message_primary}. Run migrate,"
            " which takes that up. The projector then rebuilds what it missed by itself."
        ) from error


def misfit(problems: Sequence[str]) -> SourceMissingError:
    """Return the error that says what of the source does not fit the projection, and what to do."""
    return SourceMissingError(
        f"The platform's tables do not fit the projection: {'; '.join(problems)}. The platform is not held up, and"
        " answers stay as they are. Put back what is missing, under its old name; if the tables have moved to another"
        " schema, run migrate --source-schema NAME. The projector then installs its triggers again and rebuilds what"
        " it missed by itself."
    )


def find_source(
    conn: psycopg.Connection[TupleRow], relations: Mapping[str, str] | None = None
) -> dict[str, Row]:
    """Return what there is of each source table by its name, in their order; see sql/queries/operate.sql.

    `relations` are the names of the tables with their schemas; without them, of those that are read.
    """
    relations = relations or source_names(conn)
    names = [table.name for table in SOURCE_TABLES if table.name in relations]
    wanted = {"tables": names, "relations": [relations[name] for name in names]}
    return {found.name: found for found in rows(conn, Row, query("operate", "find_source"), wanted)}
