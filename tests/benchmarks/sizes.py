"""Bytes on disk by part, the memory of a rebuild, and the processor time of a verify."""

from collections.abc import Iterator

from projector.capture.source import SOURCE_TABLES
from projector.database.rows import Connection
from tests.benchmarks import tables, usage
from tests.benchmarks.core import Row, Sample, once
from tests.benchmarks.fixtures import Bench, value

# Smaller tables, in parts of the source, have no line of their own.
_WORTH_A_LINE = 0.005
_LEADS_OF_THE_GOAL = 100_000
_SECONDS_OF_A_DAY = 86_400


def measure(bench: Bench) -> Iterator[Row]:
    """Return the rows of disk, while the read model is as the first build left it, and of memory."""
    yield from _disk(bench)
    yield from _memory(bench)


def _disk(bench: Bench) -> Iterator[Row]:
    name = "source tables with their indexes"
    with bench.main.connect() as conn:
        conn.execute("VACUUM ANALYZE")
        source = once(sum(_megabytes(conn, f"public.{table.name}") for table in SOURCE_TABLES))
        own = conn.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = ANY(ARRAY['read_model', 'projector']::regnamespace[]) ORDER BY 1"
        ).fetchall()
        sizes = {table: _megabytes(conn, table) for (table,) in own}
        for what, schema, goal in (
            ("read model on disk, with indexes", "read_model.", "disk"),
            ("the projector's own state on disk", "projector.", ""),
        ):
            whole = sum(size for table, size in sizes.items() if table.startswith(schema))
            yield Row(what, "MB", once(whole), name, source, goal)
        for table, size in sizes.items():
            if size > source.median * _WORTH_A_LINE:
                rows = _megabytes(conn, table, "table")
                yield Row(
                    f"… {table}, rows; the rest are indexes", "MB", once(rows), "the whole table", once(size)
                )


def _megabytes(conn: Connection, table: str, part: str = "total_relation") -> float:
    """Megabytes of a table: with its indexes, or (`table`) without."""
    return float(value(conn, f"SELECT pg_{part}_size(%s::regclass)", table)) / 1e6


def _memory(bench: Bench) -> Iterator[Row]:
    """The most memory that a rebuild had, in its own process and in its PostgreSQL session."""
    for title, is_built in (("a first build", False), ("a rebuild", True)):
        used = []
        for original in (bench.main, bench.medium):
            with bench.copy_of(original) as copied:
                if not is_built:
                    with copied.connect() as conn:
                        tables.never_built(conn)
                used.append(usage.of_command(copied, "rebuild"))
        big, medium = used
        for part, ours, theirs in (
            ("the projector's process", big.process_mb, medium.process_mb),
            ("its PostgreSQL session", big.session_mb, medium.session_mb),
        ):
            name = f"the same of {bench.size.medium:,} leads"
            yield Row(
                f"memory of {title}: {part}", "MB", once(ours), name, once(theirs), "memory", absolute=True
            )


def measure_verify(bench: Bench) -> Iterator[Row]:
    """Return the row of a whole verify, process and session together."""
    with bench.main.connect() as conn:
        leads = value(conn, "SELECT count(*) FROM read_model.leads")
    verified = [usage.of_command(bench.main, "verify", "--all").processor for _ in range(bench.size.rounds)]
    idle = [
        usage.of_command(bench.main, "verify", "--sample", "1").processor for _ in range(bench.size.rounds)
    ]
    percent = _LEADS_OF_THE_GOAL / leads / _SECONDS_OF_A_DAY * 100
    yield Row(
        "verify of 100,000 leads, of one core for a day",
        "%",
        Sample(tuple(verified)).times(percent),
        "verify of 1 lead",
        Sample(tuple(idle)).times(percent),
        "verify_cpu",
        absolute=True,
        note=f"{leads:,} leads",
    )
