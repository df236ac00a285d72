"""Several projectors that share a deep queue: changes a second of 1, 2 and 4 of them, and their waits."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from projector.database.rows import Connection
from tests.benchmarks import usage
from tests.benchmarks.core import Row, Sample, once
from tests.benchmarks.fixtures import PATIENCE, Bench, Database, fill, projector
from tests.benchmarks.sizes import kilobytes
from tests.support.running import value, wait_for, wait_until

TENANTS = 40
_APART = "2 of a database each"
_MESSAGES_PER_LEAD = 5
_SESSIONS = (
    "FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'leads-projector run: refresh'"
)
# One statement each, as a platform writes that serves many tenants at once.
_CHANGES = """
DO $$
BEGIN
    FOR step IN 1..{changes} LOOP
        INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status)
        SELECT 'benchmark-' || nextval('benchmark.numbers'), conversation_id, 'user',
            'Is this still to be had? Thank you!', now() AT TIME ZONE 'UTC', 'sent'
        FROM benchmark.conversations WHERE number = 1 + floor(random() * {conversations})::integer;
    END LOOP;
END
$$
"""


def measure(bench: Bench) -> Iterator[Row]:
    with ExitStack() as stack:
        shared = stack.enter_context(bench.database("projectors"))
        with shared.connect() as conn:
            fill(conn, {"shared": (TENANTS, bench.size.shared)}, _MESSAGES_PER_LEAD)
            yield _disk(conn, TENANTS * bench.size.shared)
        other = stack.enter_context(bench.database("other_projectors", shared))
        queues = [Queue(database, stack.enter_context(database.connect())) for database in (shared, other)]
        drains = {str(count): Drains(queues[:1], bench.size.deep, count) for count in bench.size.projectors}
        # What two projectors reach on this machine that have nothing to share but its cores.
        drains[_APART] = Drains(queues, bench.size.deep, 1)
        rates = bench.take_turns({name: drain.measure for name, drain in drains.items()}, warm_up=False)
    first, two, *_ = drains
    for count in list(drains)[1:]:
        goal = "two_projectors" if count == two else ""
        what = f"projectors: {count}, changes that wait of {TENANTS} tenants"
        yield Row(
            what, "changes/s", rates[count], "1 projector", rates[first], goal, note=drains[count].waits()
        )
        cost, of_one = (Sample(tuple(drains[name].milliseconds)) for name in (count, first))
        yield Row(f"processor time of a change, projectors: {count}", "ms", cost, "1 projector", of_one)


def _disk(conn: Connection, leads: int) -> Row:
    sizes = kilobytes(conn)
    ours, source = once((sizes["read_model"] + sizes["projector"]) / leads), once(sizes["public"] / leads)
    what = f"disk for a lead with {_MESSAGES_PER_LEAD} messages, indexes and keys included"
    return Row(what, "kB", ours, "its source rows with their indexes", source)


@dataclass(frozen=True, slots=True)
class Queue:
    database: Database
    conn: Connection

    def write(self, changes: int) -> None:
        conversations = value(self.conn, "SELECT count(*) FROM benchmark.conversations")
        self.conn.execute(_CHANGES.format(changes=changes, conversations=conversations).encode())

    def look(self) -> tuple[bool, list[bool]]:
        """Return whether changes wait, and of each projector's session whether it waits for another one's tenants."""
        doing = "SELECT state = 'active' AND wait_event IS NOT DISTINCT FROM 'advisory'"
        sessions = self.conn.execute(f"{doing} {_SESSIONS}".encode()).fetchall()
        waits = self.conn.execute("SELECT FROM projector.changes LIMIT 1").fetchone() is not None
        return waits, [is_waiting for (is_waiting,) in sessions]


@dataclass(slots=True)
class Drains:
    """Drains of deep queues by so many projectors each: their processor time, and what their sessions waited for."""

    queues: Sequence[Queue]
    changes: int
    count: int
    milliseconds: list[float] = field(default_factory=list)
    samples: list[bool] = field(default_factory=list)

    def measure(self) -> float:
        with ExitStack() as stack:
            pids = [pid for queue in self.queues for pid in stack.enter_context(running(queue, self.count))]
            self.queues[0].conn.execute("CHECKPOINT")
            before = usage.seconds_of(pids)
            with ExitStack() as transactions:
                for queue in self.queues:
                    transactions.enter_context(queue.conn.transaction())
                    queue.write(self.changes // len(self.queues))
            began = perf_counter()
            wait_for(lambda: not self._look(), "no change waits", PATIENCE)
            taken = perf_counter() - began
            self.milliseconds.append(1000 * usage.spent(before, usage.seconds_of(pids)) / self.changes)
        return self.changes / taken

    def _look(self) -> bool:
        looks = [queue.look() for queue in self.queues]
        self.samples += [is_waiting for _, sessions in looks for is_waiting in sessions]
        return any(waits for waits, _ in looks)

    def waits(self) -> str:
        waited = 100 * sum(self.samples) / max(len(self.samples), 1)
        return f"samples that waited for each other's tenants: {waited:.0f} %"


@contextmanager
def running(queue: Queue, count: int) -> Iterator[list[int]]:
    """So many projectors of a database; gives the ids of their processes and of the sessions of their refreshes."""
    with ExitStack() as stack:
        processes = [stack.enter_context(projector(queue.database)) for _ in range(count)]
        wait_until(queue.conn, f"count(*) = {count} {_SESSIONS}", patience=PATIENCE)
        sessions = queue.conn.execute(f"SELECT pid {_SESSIONS}".encode()).fetchall()
        yield [*(process.pid for process in processes), *(pid for (pid,) in sessions)]
