"""What capture costs the platform's writers."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count

from projector import capture
from tests.benchmarks import pgbench
from tests.benchmarks.core import Row, Sample, goal, interleave, seconds
from tests.benchmarks.fixtures import Connection, Database, Fixtures

AREA = "Writers"
_ROWS = 10_000


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with fixtures.copy_of(fixtures.medium) as copied, closing(copied.connect()) as conn:
        leads = conn.execute("SELECT count(*) FROM benchmark.conversations").fetchone()
        conversations = leads[0] if leads else 0

        def writers(script: str, clients: int) -> Callable[[], float]:
            return lambda: _writers(fixtures, copied, script, clients, conversations)

        ways: list[tuple[str, str, str, Callable[[], float]]] = [
            ("single-row inserts, 2 clients", "writer_single", "1/s", writers(pgbench.SINGLE, 2)),
            ("single-row inserts, 16 clients", "writer_single", "1/s", writers(pgbench.SINGLE, 16)),
            ("100 rows a statement, 2 clients", "writer_bulk", "1/s", writers(pgbench.HUNDRED, 2)),
            ("COPY of 10,000 messages", "writer_bulk", "rows/s", lambda: _copy(conn)),
        ]
        for title, key, unit, write in ways:
            found = interleave(
                fixtures.size.pairs,
                {
                    "with": lambda: _with(conn, capture.install, write),  # noqa: B023
                    "without": lambda: _with(conn, _nothing, write),  # noqa: B023
                    "idle": lambda: _with(conn, _create_idle_trigger, write),  # noqa: B023
                },
            )
            for what, arm, wanted in (
                ("messages with capture", "with", goal(key)),
                ("messages with a trigger that does nothing", "idle", None),
            ):
                yield Row(
                    AREA,
                    f"{what}: {title}",
                    unit,
                    found[arm],
                    "the same without a trigger",
                    found["without"],
                    wanted,
                    note=_interval(found[arm].over(found["without"])),
                )


# What every capture by statement triggers costs: the rows are put aside, a function is called, and looks at them.
_IDLE = """
CREATE OR REPLACE FUNCTION benchmark.idle() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM FROM new_rows OFFSET 4; RETURN NULL; END $$;
CREATE TRIGGER idle AFTER INSERT ON messages REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION benchmark.idle();
"""


def _interval(ratio: Sample) -> str:
    least, greatest = ratio.interval()
    return f"95 % interval of the mean ratio, {len(ratio.values)} pairs: {least:.3f} to {greatest:.3f}"


def _nothing(_conn: Connection) -> None:
    pass


def _create_idle_trigger(conn: Connection) -> None:
    conn.execute(_IDLE)


def _with(conn: Connection, install: Callable[[Connection], object], write: Callable[[], float]) -> float:
    """The writers' throughput with these triggers alone, and nothing left over from the last time."""
    capture.uninstall(conn)
    conn.execute("DROP TRIGGER IF EXISTS idle ON messages")
    install(conn)
    conn.execute("TRUNCATE projector.changes")
    conn.execute("DELETE FROM messages WHERE message_id LIKE 'benchmark-%'")
    conn.execute("VACUUM messages")
    conn.execute("CHECKPOINT")
    return write()


def _writers(fixtures: Fixtures, database: Database, script: str, clients: int, conversations: int) -> float:
    with pgbench.writing(
        database.url, script, clients=clients, seconds=fixtures.size.load, count=conversations
    ) as process:
        return pgbench.tps(process)


_numbers = count()


def _copy(conn: Connection) -> float:
    found = conn.execute(
        "SELECT conversation_id FROM benchmark.conversations ORDER BY number LIMIT %s", (_ROWS,)
    ).fetchall()
    lines = [
        f"benchmark-copied-{next(_numbers)}\t{found[n % len(found)][0]}\tuser\tAnybody there?\t2026-01-01\tsent\n"
        for n in range(_ROWS)
    ]
    data = "".join(lines).encode()

    def copy() -> None:
        with (
            conn.cursor() as cursor,
            cursor.copy(
                "COPY messages (message_id, conversation_id, sender, text, timestamp, status) FROM STDIN"
            ) as rows,
        ):
            rows.write(data)

    return _ROWS / seconds(copy)
