"""Bytes on disk by part, the memory of a rebuild, and the WAL of a heal."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep

from projector.capture.source import SOURCE_TABLES
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from tests.benchmarks import baseline_rebuild, model_states
from tests.benchmarks.core import Row, Sample, goal, interleave
from tests.benchmarks.fixtures import Connection, Database, Fixtures
from tests.support.commands import ROOT, environment

AREA = "Sizes"
_NAME = "leads-projector"
# Smaller tables, in parts of the source, have no line of their own.
_WORTH_A_LINE = 0.005


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    # First, while the read model is as the first build left it.
    yield from _disk(fixtures)
    yield from _memory(fixtures)
    yield from _wal(fixtures)


def _disk(fixtures: Fixtures) -> Iterator[Row]:
    with fixtures.main.connect() as conn:
        conn.execute("VACUUM ANALYZE")
        source = _once(sum(_bytes(conn, f"public.{table.name}") for table in SOURCE_TABLES) / 1e6)
        tables = conn.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = ANY(ARRAY['read_model', 'projector']::regnamespace[]) ORDER BY 1"
        ).fetchall()
        read_model = [name for (name,) in tables if name.startswith("read_model.")]
        whole = sum(_bytes(conn, name) for name in read_model) / 1e6
        name = "source tables with their indexes"
        yield Row(AREA, "read model on disk, with indexes", "MB", _once(whole), name, source, goal("disk"))
        keys = sum(_bytes(conn, table) for (table,) in tables if table not in read_model) / 1e6
        yield Row(AREA, "the projector's own state on disk", "MB", _once(keys), name, source)
        for (table,) in tables:
            if _bytes(conn, table) < source.median * 1e6 * _WORTH_A_LINE:
                continue
            yield Row(AREA, f"… {table}, rows", "MB", _once(_bytes(conn, table, "table") / 1e6), name, source)
            for index, size in conn.execute(
                "SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index"
                " WHERE indrelid = %s::regclass ORDER BY 1",
                (table,),
            ).fetchall():
                yield Row(AREA, f"… … index {index.split('.')[-1]}", "MB", _once(size / 1e6), name, source)


def _bytes(conn: Connection, table: str, part: str = "total_relation") -> int:
    """Bytes of a table: with its indexes, or (`table`) without."""
    row = conn.execute(f"SELECT pg_{part}_size(%s::regclass)".encode(), (table,)).fetchone()
    return int(row[0]) if row else 0


def _once(value: float) -> Sample:
    """What does not vary."""
    return Sample((value,))


def _wal(fixtures: Fixtures) -> Iterator[Row]:
    """Bytes of WAL of work on a tenant that is right, for 100,000 leads."""
    scale = 100_000 / fixtures.size.big
    user_id = fixtures.main.tenants["big"]
    with fixtures.no_autovacuum(), fixtures.main.connect() as conn, fixtures.main.connect() as other:

        def wal_of(work: Callable[[], object]) -> float:
            return scale * _wal_of(conn, work)

        # In this order: what ANALYZE writes to the catalog is marked as committed by whoever reads it next, which would
        # count as WAL of the heal.
        conn.execute("ANALYZE")
        conn.execute("VACUUM")
        conn.execute("CHECKPOINT")
        found = interleave(
            fixtures.size.rounds,
            {
                "rebuild": lambda: wal_of(lambda: rebuild(conn, tenants=[user_id], progress=QUIET)),
                "verify": lambda: wal_of(
                    lambda: verify(conn, tenants=[user_id], sample=None, heal=True, progress=QUIET)
                ),
                "tables": lambda: wal_of(lambda: baseline_rebuild.create_tables(other)),
            },
            warm_up=False,
        )
        baseline_rebuild.drop(other)
    name = "WAL of CREATE TABLE AS + indexes"
    for key, what in (
        ("rebuild", "rebuild of a tenant that is right"),
        ("verify", "verify with heal of the same"),
    ):
        yield Row(
            AREA,
            f"WAL of a {what}, for 100,000 leads",
            "MB",
            found[key],
            name,
            found["tables"],
            goal("heal_wal"),
            absolute=True,
        )


def _wal_of(conn: Connection, work: Callable[[], object]) -> float:
    began = _wal_position(conn)
    work()
    return (_wal_position(conn) - began) / 1e6


def _wal_position(conn: Connection) -> int:
    row = conn.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0


def _memory(fixtures: Fixtures) -> Iterator[Row]:
    """The most memory that a rebuild had, in its own process and in its PostgreSQL session."""
    for kind, title in (
        ("first", "a first build"),
        ("everything", "a rebuild of everything"),
        ("tenant", "a rebuild of one tenant"),
    ):
        big, medium = (
            _peak_of(fixtures, database, kind, tenant)
            for database, tenant in ((fixtures.main, "big"), (fixtures.medium, "medium"))
        )
        for place, part in enumerate(("the projector's process", "its PostgreSQL session")):
            yield Row(
                AREA,
                f"memory of {title}: {part}",
                "MB",
                _once(big[place]),
                f"the same of {fixtures.size.medium:,} leads",
                _once(medium[place]),
                goal("memory_rebuild"),
                absolute=True,
            )


def _peak_of(fixtures: Fixtures, database: Database, kind: str, tenant: str) -> tuple[float, float]:
    if kind == "tenant":
        return _peak(database, ["rebuild", "--user", database.tenants[tenant]])
    if kind == "everything":
        return _peak(database, ["rebuild"])
    with fixtures.copy_of(database) as copied:
        with copied.connect() as conn:
            model_states.never_built(conn)
        return _peak(copied, ["rebuild"])


def _peak(database: Database, arguments: list[str]) -> tuple[float, float]:
    """Megabytes that were resident in the process, and private ones in its session."""
    command = [sys.executable, "-m", "projector", *arguments]
    own = private = 0.0
    with (
        database.connect() as conn,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(DATABASE_URL=database.url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        while process.poll() is None:
            own = max(own, memory(process.pid, "VmHWM"))
            for (pid,) in conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND starts_with(application_name, %s)",
                (_NAME,),
            ).fetchall():
                private = max(private, memory(pid, "RssAnon"))
            sleep(0.02)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}.")
    return own, private


def memory(pid: int, field: str) -> float:
    """Megabytes of a process by /proc; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)
