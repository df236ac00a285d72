"""What capture costs the platform's writers."""

from collections.abc import Callable, Iterator
from itertools import count

from projector.capture import triggers
from projector.database.rows import Connection
from tests.benchmarks import pgbench
from tests.benchmarks.core import Arm, Row, interleave, seconds
from tests.benchmarks.fixtures import Bench, Database, value

_ROWS = 10_000
# What every capture by statement triggers costs: the rows are kept, and a function is called and looks at them.
_IDLE = """
CREATE OR REPLACE FUNCTION benchmark.idle() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM FROM new_rows OFFSET 4; RETURN NULL; END $$;
CREATE TRIGGER idle AFTER INSERT ON messages REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION benchmark.idle();
"""
_numbers = count()


def measure(bench: Bench) -> Iterator[Row]:
    with bench.copy_of(bench.medium) as copied, copied.connect() as conn:
        single, bulk = pgbench.SINGLE, pgbench.HUNDRED
        for title, goal, unit, write in (
            ("single-row inserts, 2 clients", "writer_single", "1/s", _writers(bench, copied, single, 2)),
            ("single-row inserts, 16 clients", "writer_single", "1/s", _writers(bench, copied, single, 16)),
            ("100 rows a statement, 2 clients", "writer_bulk", "1/s", _writers(bench, copied, bulk, 2)),
            ("COPY of 10,000 messages", "writer_bulk", "rows/s", lambda: _copy(conn)),
        ):
            found = interleave(
                bench.size.pairs,
                {
                    "with capture": lambda: _with(conn, triggers.install, write),  # noqa: B023
                    "without": lambda: _with(conn, lambda _: None, write),  # noqa: B023
                    "with a trigger that does nothing": lambda: _with(conn, _create_idle, write),  # noqa: B023
                },
            )
            for arm, wanted in (("with capture", goal), ("with a trigger that does nothing", "")):
                what, without = f"messages {arm}: {title}", "the same without a trigger"
                yield Row(what, unit, found[arm], without, found["without"], wanted)


def _create_idle(conn: Connection) -> None:
    conn.execute(_IDLE)


def _with(conn: Connection, install: Callable[[Connection], object], write: Arm) -> float:
    """The writers' throughput with these triggers alone, and nothing left over from the last time."""
    triggers.uninstall(conn)
    conn.execute("DROP TRIGGER IF EXISTS idle ON messages")
    install(conn)
    conn.execute("TRUNCATE projector.changes")
    conn.execute("DELETE FROM messages WHERE message_id LIKE 'benchmark-%'")
    conn.execute("VACUUM messages")
    conn.execute("CHECKPOINT")
    return write()


def _writers(bench: Bench, database: Database, script: str, clients: int) -> Arm:
    with database.connect() as conn:
        conversations = value(conn, "SELECT count(*) FROM benchmark.conversations")

    def write() -> float:
        length = bench.size.load
        with pgbench.writing(
            database.url, script, clients=clients, seconds=length, count=conversations
        ) as process:
            return pgbench.tps(process)

    return write


def _copy(conn: Connection) -> float:
    query = "SELECT conversation_id FROM benchmark.conversations ORDER BY number LIMIT %s"
    found = conn.execute(query, (_ROWS,)).fetchall()
    data = "".join(
        f"benchmark-copied-{next(_numbers)}\t{found[n % len(found)][0]}\tuser\tAnybody there?\t2026-01-01\tsent\n"
        for n in range(_ROWS)
    ).encode()
    columns = "message_id, conversation_id, sender, text, timestamp, status"

    def copy() -> None:
        with conn.cursor() as cursor, cursor.copy(f"COPY messages ({columns}) FROM STDIN".encode()) as rows:
            rows.write(data)

    return _ROWS / seconds(copy)
