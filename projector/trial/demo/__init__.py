"""Demo data: source rows of made-up tenants, the same every time, of any size.

`load` writes what a messaging platform would have written. That is the demo: the tenant of the API reference with the
lead that it prints, and the showcase tenant, in which every filter, sort and page has rows. Or it is any number of
tenants of any size, for a benchmark. Only source rows are written; a refresh or a rebuild makes leads of them.

The rows of the reference are in `data/reference.json`. Its printed lead keeps the printed times. A time that is an
object, such as `{"seconds": -104401}`, counts from the midnight at which the day of loading began. So of its statistics
`leads_last_7_days` and `leads_last_30_days` hold for some days only: `docs/start.md` says for how many.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import psycopg
from psycopg import errors, sql

from projector.database.rows import values
from projector.database.schema import source_tables
from projector.database.source_names import source_names
from projector.database.sql import query
from projector.report.counted import counted
from projector.report.errors import ProjectorError, SourceMissingError
from projector.report.progress import Progress
from projector.trial.demo.tenant import Row, Tenant, load_data

DEFAULT_LEADS = 2_000

REFERENCE_USER_ID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
SHOWCASE_USER_ID = "5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3"
"""The tenant in which every filter, sort and page has rows."""

# The platform's own secret, which the projection does not read.
_TOKEN = ("phone_numbers", "access_token")

TABLES = {
    table: tuple(column for column in columns if (table, column) != _TOKEN)
    for table, columns in source_tables().items()
}
"""With their columns, in an order in which every row finds the rows that it references."""

# Columns that the demo has nothing for in some rows. A platform may demand a value there, or in columns of its own.
SOMETIMES_EMPTY = {
    "conversations": {"last_message_at", "is_active"},
    "extractions": {*TABLES["extractions"][6:]},
    "contacts": {"name", "email", "company", "updated_at"},
    "template_sends": {"conversation_id", "sent_at"},
}

_REFERENCE_LEADS = 4
# Rows that are written at once: some megabytes.
_ENOUGH = 20_000


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was loaded."""

    user_ids: tuple[str, ...]
    leads: int
    messages: int
    seconds: float


def load(  # noqa: PLR0913  # An argument for each option of the command.
    conn: psycopg.Connection[Any],
    *,
    today: date,
    progress: Progress,
    tenants: int = 0,
    leads: int = DEFAULT_LEADS,
    messages_per_lead: float = 12.0,
    seed: int = 1,
) -> DemoReport:
    """Load the demo, or tenants for a benchmark, as if `today` had just begun in UTC.

    With 0 `tenants` this loads the demo, in one transaction: the reference's tenant, which is always the same, and
    the showcase tenant with `leads` leads. Otherwise it loads `tenants` tenants of `leads` leads each, in
    transactions of some ten thousand rows. Their ids follow from seed, size and number: another seed or size
    adds tenants.

    Returns a report. Raises ProjectorError where one of the tenants exists or a table demands what the demo does not
    have, before anything is written, or where the sizes make no sense, and SourceMissingError where the source tables
    are not complete.
    """
    began = monotonic()
    _check_sizes(tenants, leads, messages_per_lead)
    now = datetime.combine(today, time.min, UTC)
    made = [
        Tenant(*names, leads, messages_per_lead, seed, now)
        for names in _benchmark_tenants(tenants, f"seed={seed}:leads={leads}:messages={messages_per_lead:g}")
        or [(SHOWCASE_USER_ID, "Meridian Living", "team@meridian.example")]
    ]
    user_ids = [*([] if tenants else [REFERENCE_USER_ID]), *(tenant.user_id for tenant in made)]
    total = leads * len(made) + (0 if tenants else _REFERENCE_LEADS)
    whole: AbstractContextManager[object] = nullcontext() if tenants else conn.transaction()
    with _explained():
        _refuse_present(conn, user_ids)
        writer = _Writer(conn, has_token=_demands_token(conn))
        progress.start("Loading demo leads", total, "leads")
        try:
            with whole:
                if not tenants:
                    writer.add(
                        (table, *(now + timedelta(**one) if isinstance(one, dict) else one for one in row))
                        for table, rows in load_data("reference").items()
                        for row in rows
                    )
                    progress.advance(_REFERENCE_LEADS)
                for tenant in made:
                    writer.add(tenant.account())
                    for number in range(leads):
                        writer.add(tenant.lead(number))
                        progress.advance(1)
                writer.write()
        finally:
            progress.finish()
        # A rebuild is likely to be next.
        conn.execute(f"ANALYZE {', '.join(source_names(conn)[table] for table in TABLES)}".encode())
    return DemoReport(tuple(user_ids), total, writer.messages, monotonic() - began)


@contextmanager
def _explained() -> Iterator[None]:
    """Raise the errors of PostgreSQL that say something about the source tables as errors that say what to do."""
    try:
        yield
    except errors.UniqueViolation as error:
        raise ProjectorError(
            f"Rows with the ids of demo rows are already there: {error.diag.message_detail} "
            "Nothing was overwritten. Load the demo into an empty database.",
        ) from error
    except (errors.UndefinedTable, errors.UndefinedColumn) as error:
        raise SourceMissingError(
            f"The source tables are not complete: {error.diag.message_primary}. "
            "Run `python -m projector migrate --create-source` in an empty database first.",
        ) from error


class _Writer:
    """Rows of all source tables that wait to be written together.

    A row comes after those that it references: then whatever waits can be written at any moment.
    """

    def __init__(self, conn: psycopg.Connection[Any], *, has_token: bool) -> None:
        self.messages = 0
        self._has_token = has_token
        self._conn = conn
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}

    def add(self, rows: Iterator[Row]) -> None:
        """Add rows, and write what waits whenever it is enough for a transaction: this bounds the memory."""
        messages = self._rows["messages"]
        conversations = self._rows["conversations"]
        for table, *row in rows:
            self._rows[table].append(tuple(row))
            if len(messages) >= _ENOUGH or len(conversations) >= _ENOUGH:
                self.write()

    def write(self) -> None:
        """Copy everything that waits into the source tables, in one transaction."""
        names = source_names(self._conn)
        with self._conn.transaction(), self._conn.cursor() as cursor:
            for table, own_columns in TABLES.items():
                takes_token = self._has_token and table == _TOKEN[0]
                columns = (*own_columns, _TOKEN[1]) if takes_token else own_columns
                statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    sql.SQL(names[table]), sql.SQL(", ").join(map(sql.Identifier, columns))
                )
                with cursor.copy(statement) as copy:
                    for row in self._rows[table]:
                        copy.write_row((*row, "demo") if takes_token else row)
        self.messages += len(self._rows["messages"])
        for rows in self._rows.values():
            rows.clear()


def _check_sizes(tenants: int, leads: int, messages_per_lead: float) -> None:
    if tenants < 0 or leads < 1 or not 0 <= messages_per_lead < float("inf"):
        raise ProjectorError(
            f"No demo has {counted(tenants, 'tenant')}, {counted(leads, 'lead')} and"
            f" {counted(messages_per_lead, 'message')} per lead. "
            "Take 0 tenants (the demo itself) or more, 1 lead or more, 0 messages per lead or more.",
        )


def _benchmark_tenants(number: int, size: str) -> list[tuple[str, str, str]]:
    """Return ids, names and addresses. An id depends on everything that its rows depend on, except the day."""
    names = [f"leads-demo:{size}:tenant={one}" for one in range(1, number + 1)]
    ids = [str(uuid5(NAMESPACE_URL, name)) for name in names]
    return [(one, f"Benchmark tenant {n}", f"owner@{one[:8]}.example") for n, one in enumerate(ids, 1)]


def _demands_token(conn: psycopg.Connection[Any]) -> bool:
    """Return whether each channel needs a token. Raise ProjectorError where a table demands what the demo lacks."""
    names = source_names(conn)
    absent = [table for table in TABLES if table not in names]
    if absent:
        raise SourceMissingError(
            f"The source tables are not complete: there is no {', '.join(absent)}. "
            "Run `python -m projector migrate --create-source` in an empty database first.",
        )
    wanted = {"tables": list(TABLES), "relations": [names[table] for table in TABLES]}
    demanded = {
        (table, column)
        for table, column, has_default in conn.execute(query("trial", "find_demanded_columns"), wanted)
        # A default is for a column that a row does not name.
        if (not has_default if column not in TABLES[table] else column in SOMETIMES_EMPTY.get(table, ()))
    }
    lacking = sorted(f"{table}.{column}" for table, column in demanded - {_TOKEN})
    if lacking:
        raise ProjectorError(
            f"The platform's tables demand a value that demo rows do not have: {', '.join(lacking)}. Nothing was"
            " loaded. Load the demo into tables of its own, in an empty database: run"
            " `python -m projector migrate --create-source` there first.",
        )
    return _TOKEN in demanded


def _refuse_present(conn: psycopg.Connection[Any], user_ids: list[str]) -> None:
    """Raise ProjectorError where one of these tenants exists: old and new rows of one tenant would be mixed."""
    text = query("trial", "find_present_users", users=source_names(conn)["users"])
    present = values(conn, text, {"user_ids": user_ids})
    if present:
        named = ", ".join(present[:3]) + (f" and {len(present) - 3} more" if len(present) > 3 else "")  # noqa: PLR2004
        raise ProjectorError(
            f"Demo tenants are already there: {named}. Nothing was loaded. "
            "Delete their rows of `users` first: this deletes all their rows; "
            "or load other tenants, with --tenants and another --seed.",
        )
