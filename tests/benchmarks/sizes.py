"""Bytes on disk by part, the memory of a rebuild, and the processor time of a verify."""

from collections.abc import Iterator

from projector.database.rows import Connection
from tests.benchmarks import tables, usage
from tests.benchmarks.core import Row, Sample, once
from tests.benchmarks.fixtures import Bench, Database
from tests.support.running import value

_LEADS_OF_THE_GOAL = 100_000
_SECONDS_OF_A_DAY = 86_400


def measure(bench: Bench) -> Iterator[Row]:
    """Return the rows of disk, while the read model is as the first build left it, and of memory."""
    with bench.main.connect() as conn:
        conn.execute("VACUUM ANALYZE")
        disk = {schema: once(size / 1000) for schema, size in kilobytes(conn).items()}
    for what, schema, goal in (
        ("read model on disk, with indexes", "read_model", "disk"),
        ("the projector's own state on disk", "projector", ""),
    ):
        yield Row(what, "MB", disk[schema], "source tables with their indexes", disk["public"], goal)
    # The most memory that a rebuild had, in its own process and in its PostgreSQL session.
    for title, is_built in (("a first build", False), ("a rebuild", True)):
        big, medium = (
            _rebuild(bench, original, is_built=is_built) for original in (bench.main, bench.medium)
        )
        for part, ours, theirs in (
            ("the projector's process", big.process_mb, medium.process_mb),
            ("its PostgreSQL session", big.session_mb, medium.session_mb),
        ):
            what, name = f"memory of {title}: {part}", f"the same of {bench.size.medium:,} leads"
            yield Row(what, "MB", once(ours), name, once(theirs), "memory")


def _rebuild(bench: Bench, original: Database, *, is_built: bool) -> usage.Used:
    with bench.database("copy", original) as copied:
        if not is_built:
            with copied.connect() as conn:
                tables.never_built(conn)
        return usage.of_command(copied, "rebuild")


def kilobytes(conn: Connection) -> dict[str, float]:
    """Return what the tables of each schema take on disk, with their indexes."""
    query = (
        "SELECT relnamespace::regnamespace::text, sum(pg_total_relation_size(oid))::float8 / 1000 FROM pg_class"
        " WHERE relkind = 'r' GROUP BY 1"
    )
    return dict(conn.execute(query).fetchall())


def measure_verify(bench: Bench) -> Iterator[Row]:
    """Return the row of a whole verify, process and session together."""
    with bench.main.connect() as conn:
        leads = value(conn, "SELECT count(*) FROM read_model.leads")
    percent = _LEADS_OF_THE_GOAL / leads / _SECONDS_OF_A_DAY * 100
    verified, idle = (
        Sample(
            tuple(usage.of_command(bench.main, "verify", *how).processor for _ in range(bench.size.rounds))
        )
        for how in (("--all",), ("--sample", "1"))
    )
    what, note = "verify of 100,000 leads, of one core for a day", f"{leads:,} leads"
    arms = (verified.times(percent), "verify of 1 lead", idle.times(percent))
    yield Row(what, "%", *arms, "verify_cpu", note=note)
