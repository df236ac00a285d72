"""Demo data: source rows of made-up tenants, the same every time, of any size.

`load` writes what a messaging platform would have written. That is the demo: the tenant of the API reference with the
lead that it prints, and the showcase tenant, in which every filter, sort and page has rows. Or it is any number of
tenants of any size, for a benchmark. Only source rows are written; a refresh or a rebuild makes leads of them.

The rows of the reference are in `data/reference.json`. Its printed lead keeps the printed times. A time that is an
object, such as `{"now": -104401}`, counts from the moment of loading, at which the showcase tenant ends too. So of
the statistics `leads_last_7_days` and `leads_last_30_days` hold for some days only.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, product
from time import monotonic
from uuid import NAMESPACE_URL, uuid5

from psycopg import errors, sql

from projector.database.rows import Connection
from projector.database.schema import source_tables
from projector.database.source_names import source_names
from projector.report.errors import ProjectorError, SourceMissingError
from projector.report.progress import Progress
from projector.trial.demo.tenant import Row, Tenant, fill, load_data

DEFAULT_LEADS = 2_000

REFERENCE_USER_ID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
SHOWCASE_USER_ID = "5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3"
"""The tenant in which every filter, sort and page has rows."""

TABLES = source_tables()
"""With their columns, in an order in which every row finds the rows that it references."""

_REFERENCE_LEADS = 4
# Rows that are written at once, in about: some megabytes.
_ENOUGH = 10_000


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The tenants, leads and messages that were loaded."""

    user_ids: tuple[str, ...]
    leads: int
    messages: int
    seconds: float


def load(  # noqa: PLR0913  # An argument for each option of the command.
    conn: Connection,
    *,
    now: datetime,
    progress: Progress,
    tenants: int = 0,
    leads: int = DEFAULT_LEADS,
    messages_per_lead: float = 12.0,
    seed: int = 1,
) -> DemoReport:
    """Load the demo, or tenants for a benchmark, whose last messages are moments old at `now`, in UTC.

    With 0 `tenants` this loads the demo, in one transaction: the reference's tenant, which is always the same, and
    the showcase tenant with `leads` leads. Otherwise it loads `tenants` tenants of `leads` leads each, in
    transactions of some ten thousand rows. Their ids follow from seed, size and number: another seed or size
    adds tenants.

    Return a report. Raises ProjectorError where one of the tenants exists, before anything is written, and
    SourceMissingError where a table is not there, or demands what the demo does not have.
    """
    began = monotonic()
    now = now.replace(microsecond=0)
    made = [
        Tenant(*names, messages_per_lead, seed, now)
        for names in _benchmark_tenants(tenants, f"seed={seed}:leads={leads}:messages={messages_per_lead:g}")
        or [(SHOWCASE_USER_ID, "Meridian Living", "team@meridian.example")]
    ]
    user_ids = [*([] if tenants else [REFERENCE_USER_ID]), *(tenant.user_id for tenant in made)]
    reference = [] if tenants else _reference(now)
    total = leads * len(made) + (0 if tenants else _REFERENCE_LEADS)
    at_once = 1 + int(_ENOUGH / (1 + messages_per_lead))
    whole: AbstractContextManager[object] = nullcontext() if tenants else conn.transaction()
    progress.start("Loading demo leads", total, "leads")
    try:
        with _explained(), whole:
            # Old and new rows of one tenant are never mixed: a tenant that exists is found before the first lead.
            messages = _write(conn, chain(reference, *(tenant.account() for tenant in made)))
            progress.advance(total - leads * len(made))
            for tenant, first in product(made, range(0, leads, at_once)):
                some = range(first, min(first + at_once, leads))
                messages += _write(conn, chain.from_iterable(map(tenant.lead, some)))
                progress.advance(len(some))
    finally:
        progress.finish()
    # A rebuild is likely to be next.
    conn.execute(f"ANALYZE {', '.join(source_names(conn)[table] for table in TABLES)}".encode())
    return DemoReport(tuple(user_ids), total, messages, monotonic() - began)


def _reference(now: datetime) -> list[Row]:
    """Return the rows of the tenant of the API reference."""
    return [
        fill([table, *row], {}, {"now": now})
        for table, rows in load_data("reference").items()
        for row in rows
    ]


def _write(conn: Connection, rows: Iterable[Row]) -> int:
    """Copy rows into the source tables, in one transaction. Return how many of them are messages."""
    waiting: dict[str, list[Row]] = {table: [] for table in TABLES}
    for table, *values in rows:
        waiting[table].append(tuple(values))
    names = source_names(conn)
    with conn.transaction(), conn.cursor() as cursor:
        # A row comes after those that it references.
        for table, columns in TABLES.items():
            name, listed = names.get(table, table), sql.SQL(", ").join(map(sql.Identifier, columns))
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.SQL(name), listed)) as copy:
                for row in waiting[table]:
                    # A column that the demo has no values for is the last one, and null.
                    copy.write_row((*row, *[None] * (len(columns) - len(row))))
    return len(waiting["messages"])


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
    except (errors.NotNullViolation, errors.UndefinedTable, errors.UndefinedColumn) as error:
        raise SourceMissingError(
            f"The platform's tables are not those that the demo fills: {error.diag.message_primary}. Load it into"
            " tables of its own: run `python -m projector migrate --create-source` in an empty database first.",
        ) from error


def _benchmark_tenants(number: int, size: str) -> list[tuple[str, str, str]]:
    """Return ids, names and addresses. An id depends on everything that its rows depend on, except the moment."""
    names = [f"leads-demo:{size}:tenant={tenant}" for tenant in range(1, number + 1)]
    ids = [str(uuid5(NAMESPACE_URL, name)) for name in names]
    return [
        (user_id, f"Benchmark tenant {n}", f"owner@{user_id[:8]}.example") for n, user_id in enumerate(ids, 1)
    ]
