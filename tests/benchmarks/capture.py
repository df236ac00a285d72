"""What capture costs the platform's writers."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

from projector.capture import triggers
from projector.database.rows import Connection
from tests.benchmarks import pgbench
from tests.benchmarks.core import Arm, Row, interleave, seconds
from tests.benchmarks.fixtures import Bench, Database

_ROWS = 10_000
# What every capture by statement triggers costs: the rows are kept, and a function is called and looks at them.
_IDLE = b"""
CREATE OR REPLACE FUNCTION benchmark.idle() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM FROM new_rows OFFSET 4; RETURN NULL; END $$;
CREATE TRIGGER idle AFTER INSERT ON messages REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION benchmark.idle();
"""
_WITHOUT = "the same without a trigger"
# The triggers of each arm.
_ARMS: dict[str, Callable[[Connection], object]] = {
    "with capture": triggers.install,
    "with a trigger that does nothing": lambda conn: conn.execute(_IDLE),
    _WITHOUT: lambda _: None,
}
_numbers = count()


def measure(bench: Bench) -> Iterator[Row]:
    with bench.database("copy", bench.medium) as copied, copied.connect() as conn:
        single, bulk = pgbench.SINGLE, pgbench.HUNDRED
        for title, goal, unit, write in (
            ("single-row inserts, 2 clients", "writer_single", "1/s", _writers(bench, copied, single, 2)),
            ("single-row inserts, 16 clients", "writer_single", "1/s", _writers(bench, copied, single, 16)),
            ("100 rows a statement, 2 clients", "writer_bulk", "1/s", _writers(bench, copied, bulk, 2)),
            ("COPY of 10,000 messages", "writer_bulk", "rows/s", partial(_copy, conn)),
        ):
            arms = {name: partial(_with, conn, install, write) for name, install in _ARMS.items()}
            samples = interleave(bench.size.pairs, arms)
            without = samples.pop(_WITHOUT)
            for name, ours in samples.items():
                of_capture = goal if name == "with capture" else ""
                yield Row(f"messages {name}: {title}", unit, ours, _WITHOUT, without, of_capture)


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
    def write() -> float:
        with pgbench.writing(database, script, clients=clients, seconds=bench.size.load) as process:
            return pgbench.tps(process)

    return write


def _copy(conn: Connection) -> float:
    query = "SELECT conversation_id FROM benchmark.conversations ORDER BY number LIMIT %s"
    talks = conn.execute(query, (_ROWS,)).fetchall()
    data = "".join(
        f"benchmark-copied-{next(_numbers)}\t{talks[n % len(talks)][0]}\tuser\tAnybody there?\t2026-01-01\tsent\n"
        for n in range(_ROWS)
    ).encode()
    columns = "message_id, conversation_id, sender, text, timestamp, status"

    def copy() -> None:
        with conn.cursor() as cursor, cursor.copy(f"COPY messages ({columns}) FROM STDIN".encode()) as rows:
            rows.write(data)

    return _ROWS / seconds(copy)
