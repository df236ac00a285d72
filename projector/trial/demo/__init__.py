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

from projector.database.schema import source_tables
from projector.database.source_names import source_names
from projector.report.counted import counted
from projector.report.errors import ProjectorError, SourceMissingError
from projector.report.progress import Progress
from projector.trial.demo.tenant import Row, Tenant, load_data

DEFAULT_LEADS = 2_000

REFERENCE_USER_ID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
SHOWCASE_USER_ID = "5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3"
"""The tenant in which every filter, sort and page has rows."""

TABLES = source_tables()
"""With their columns, in an order in which every row finds the rows that it references."""

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

    Returns a report. Raises ProjectorError where one of the tenants exists, before anything is written, where a table
    demands what the demo does not have, or where the sizes make no sense, and SourceMissingError where the source
    tables are not complete.
    """
    began = monotonic()
    _check_sizes(tenants, leads, messages_per_lead)
    now = datetime.combine(today, time.min, UTC)
    made = [
        Tenant(*names, messages_per_lead, seed, now)
        for names in _benchmark_tenants(tenants, f"seed={seed}:leads={leads}:messages={messages_per_lead:g}")
        or [(SHOWCASE_USER_ID, "Meridian Living", "team@meridian.example")]
    ]
    user_ids = [*([] if tenants else [REFERENCE_USER_ID]), *(tenant.user_id for tenant in made)]
    total = leads * len(made) + (0 if tenants else _REFERENCE_LEADS)
    whole: AbstractContextManager[object] = nullcontext() if tenants else conn.transaction()
    with _explained():
        writer = _Writer(conn)
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
                # Old and new rows of one tenant are never mixed: a tenant that exists is found before the first lead.
                writer.write()
                for tenant in made:
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
            f"Rows of the demo are already there: {error.diag.message_detail} Nothing was loaded. Delete the tenants of"
            " the demo from `users` first: this deletes all their rows; or load other tenants, with --tenants and"
            " another --seed; or load the demo into an empty database.",
        ) from error
    except errors.NotNullViolation as error:
        raise ProjectorError(
            "The platform's tables demand a value that demo rows do not have:"
            f" {error.diag.table_name}.{error.diag.column_name}. Load the demo into tables of its own, in an empty"
            " database: run `python -m projector migrate --create-source` there first.",
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

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.messages = 0
        self._conn = conn
        self._names = source_names(conn)
        absent = [table for table in TABLES if table not in self._names]
        if absent:
            raise SourceMissingError(
                f"The source tables are not complete: there is no {', '.join(absent)}. "
                "Run `python -m projector migrate --create-source` in an empty database first.",
            )
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
        with self._conn.transaction(), self._conn.cursor() as cursor:
            for table, columns in TABLES.items():
                statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    sql.SQL(self._names[table]), sql.SQL(", ").join(map(sql.Identifier, columns))
                )
                with cursor.copy(statement) as copy:
                    for row in self._rows[table]:
                        copy.write_row(row)
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
