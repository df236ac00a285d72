"""Mass changes against a first build of the same leads, and what everybody else notices meanwhile.

The server runs without full-page images, whose number depends on when it wrote a checkpoint.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.sweep import statistics
from tests.benchmarks import tables
from tests.benchmarks.core import Row, once, part, repeating, seconds
from tests.benchmarks.fixtures import PATIENCE, Bench, Database, build, refresh
from tests.benchmarks.projectors import Queue, running
from tests.benchmarks.tables import Cost
from tests.support.running import value, wait_for

_SETTINGS = {"full_page_writes": "off", "wal_keep_size": "6GB"}
_BUILDS = 3
# Leads of each tenant that no mass change concerns. Single messages are written to them.
_KEPT = 40
# Seconds before a mass change in which others are watched, and the least after it.
_WATCHED = 1.0
_SOURCE = ("contacts", "conversations", "messages", "extractions")


def _rows(
    what: str, cost: Cost, baseline: tuple[str, Cost], goals: tuple[str, str], note: str = ""
) -> Iterator[Row]:
    """Return the rows that compare a cost with that of a first build."""
    name, first = baseline
    yield Row(what, "s", once(cost.seconds), name, once(first.seconds), goals[0], note=note)
    note = f"of indexes {cost.indexes:.1f}, in the first build {first.indexes:.1f}"
    yield Row(f"{what}: WAL", "MB", once(cost.rows), name, once(first.rows), goals[1], note=note)


@dataclass(frozen=True, slots=True)
class Change:
    """A mass change: what a transaction does, and the condition by which the leads are right again.

    It begins in a database where its leads are loaded, staged to be imported, or have their messages in partitions.
    """

    what: str
    work: str | Callable[[Connection], None]
    right: str
    start: str = "loaded"
    goal: str = ""
    after: str = ""
    tenants: tuple[str, ...] = ("other", "mass")
    projectors: tuple[int, ...] = (1, 2)


def _copy(conn: Connection) -> None:
    for name in _SOURCE:
        with conn.cursor() as cursor:
            with cursor.copy(f"COPY staged.{name} TO STDOUT".encode()) as staged:
                data = b"".join(bytes(block) for block in staged)
            with cursor.copy(f"COPY public.{name} FROM STDIN".encode()) as rows:
                rows.write(data)


def _insert_row_by_row(conn: Connection) -> None:
    for name in _SOURCE:
        rows = conn.execute(f"SELECT * FROM staged.{name}".encode()).fetchall()
        places = ", ".join(["%s"] * len(rows[0]))
        conn.cursor().executemany(f"INSERT INTO public.{name} VALUES ({places})".encode(), rows)


_FAIL_ALL = "UPDATE messages SET status = 'failed' WHERE starts_with(message_id, 'mass-')"
_RESTORE = """
CREATE TEMP TABLE saved ON COMMIT DROP AS SELECT * FROM conversations WHERE agent_id = 'mass-a1';
CREATE TEMP TABLE said ON COMMIT DROP AS
SELECT m.* FROM messages AS m INNER JOIN saved USING (conversation_id) WHERE m.sequence_no < 10;
CREATE TEMP TABLE found ON COMMIT DROP AS SELECT e.* FROM extractions AS e INNER JOIN saved USING (conversation_id);
DELETE FROM conversations WHERE agent_id = 'mass-a1';
INSERT INTO conversations SELECT * FROM saved;
INSERT INTO messages SELECT * FROM said;
INSERT INTO extractions SELECT * FROM found;
"""
_TRUNCATE = """
LOCK TABLE messages, conversations;
CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM conversations WHERE agent_id IN ('mass-a0', 'other-a0');
TRUNCATE conversations CASCADE;
INSERT INTO conversations SELECT * FROM kept;
"""
_PARTITIONS = """
CREATE TABLE messages (
    message_id varchar(255) PRIMARY KEY, conversation_id varchar(50) NOT NULL, sender varchar(20), text text,
    timestamp timestamp, status varchar(20), sequence_no integer
) PARTITION BY RANGE (message_id);
CREATE INDEX ON messages (conversation_id);
CREATE TABLE most PARTITION OF messages FOR VALUES FROM (MINVALUE) TO ('y');
CREATE TABLE second PARTITION OF messages FOR VALUES FROM ('y') TO ('z');
CREATE TABLE third (LIKE messages INCLUDING ALL);
"""
_IN_PARTITION = (
    "INSERT INTO {} SELECT '{}-' || number || '-' || n, conversation_id, 'user', 'And one more thing',"
    " began + 10 * pause, 'sent' FROM staged.leads CROSS JOIN generate_series(1, 2) AS n"
)
# In these, {leads} is how many leads the change concerns. A lead has ten messages, and those in partitions two more.
_LEADS = "FROM read_model.leads WHERE user_id = 'mass' AND"
_OF_CHANGE = "FROM read_model.lead_conversations WHERE user_id = 'mass' AND agent_id = 'mass-a1'"
_MESSAGES = "FROM read_model.lead_messages WHERE user_id = 'mass' AND message_id >="
_IMPORTED = (
    f"SELECT count(*) = {{leads}} + {_KEPT} AND count(*) FILTER (WHERE has_extraction) = count(*) - count(*) / 5"
    f" {_LEADS} total_messages >= 10"
)
_ALL_FAILED = (
    f"SELECT NOT EXISTS (SELECT {_MESSAGES} 'mass-' AND message_id < 'mass.' AND status <> 'failed')"
)

CHANGES = (
    Change("import by INSERTs of 1,000 rows", "SELECT staged.import(20)", _IMPORTED, "staged", "mass_import"),
    Change("import by COPY", _copy, _IMPORTED, "staged", "mass_import"),
    Change("import row by row", _insert_row_by_row, _IMPORTED, "staged", "mass_import", projectors=(1,)),
    Change("UPDATE of a column of all messages", _FAIL_ALL, _ALL_FAILED),
    Change(
        "UPDATE, an index and a column come meanwhile",
        _FAIL_ALL,
        _ALL_FAILED,
        after="CREATE INDEX ON messages (timestamp); ALTER TABLE messages ADD COLUMN note text",
    ),
    Change(
        "rename of an agent with all conversations",
        "UPDATE agents SET name = 'Renamed' WHERE agent_id = 'mass-a1'",
        f"SELECT NOT EXISTS (SELECT {_OF_CHANGE} AND agent_name <> 'Renamed')",
    ),
    Change(
        "all conversations linked to another agent",
        "UPDATE conversations SET agent_id = 'mass-a2' WHERE agent_id = 'mass-a1'",
        f"SELECT NOT EXISTS (SELECT {_OF_CHANGE})",
    ),
    Change(
        "restore of the rows before the last messages",
        _RESTORE,
        f"SELECT count(*) = {{leads}} {_LEADS} total_messages = 9",
    ),
    Change(
        "DELETE of the tenant by cascade",
        "DELETE FROM users WHERE user_id = 'mass'",
        f"SELECT NOT EXISTS (SELECT {_LEADS} true)",
        tenants=("other",),
    ),
    Change(
        "TRUNCATE of all conversations by cascade",
        _TRUNCATE,
        f"SELECT count(*) = {_KEPT} {_LEADS} true",
    ),
    Change(
        "ATTACH of a partition with 2 messages a lead",
        "ALTER TABLE messages ATTACH PARTITION third FOR VALUES FROM ('z') TO (MAXVALUE)",
        f"SELECT count(*) = 2 * {{leads}} {_MESSAGES} 'z'",
        "in partitions",
    ),
    Change(
        "DETACH of a partition with 2 messages a lead",
        "ALTER TABLE messages DETACH PARTITION second",
        f"SELECT NOT EXISTS (SELECT {_MESSAGES} 'y')",
        "in partitions",
    ),
)


def measure(bench: Bench) -> Iterator[Row]:
    with bench.settings(**_SETTINGS):
        # A round says nothing about speed, and each change takes a while.
        yield from _live(bench, CHANGES if bench.size.rounds > 1 else CHANGES[1::9])
        with bench.no_autovacuum():
            for leads in bench.size.swept:
                bench.say(f"  Rebuilds of {leads:,} leads ...")
                yield from _sweeps(bench, leads)


def _live(bench: Bench, changes: Sequence[Change]) -> Iterator[Row]:
    """Return the rows of these changes while projectors run."""
    with ExitStack() as stack:
        with bench.no_autovacuum():
            names = {change.start for change in changes}
            starts = {name: stack.enter_context(_start(bench, name)) for name in names}
        for change in changes:
            database, leads, first = starts[change.start]
            for projectors in change.projectors:
                bench.say(f"  {change.what}, projectors: {projectors} ...")
                with bench.database("copy", database) as copied:
                    yield from _drive(change, copied, leads, first, projectors)


@contextmanager
def _made(bench: Bench, name: str, before: str = "") -> Iterator[tuple[Database, Connection, Connection]]:
    """A database with two tenants that have no leads yet, and two connections to it."""
    with bench.database(name.replace(" ", "_")) as database, ExitStack() as stack:
        conn, other = (stack.enter_context(database.connect()) for _ in range(2))
        other.execute(before.encode(), prepare=False)
        migrate(conn, create_source=True)
        other.execute(Path(__file__).with_name("leads.sql").read_bytes(), prepare=False)
        yield database, conn, other


def _load(conn: Connection, tenant: str, agent: int, first: int, leads: int) -> None:
    """Write so many leads into the platform's tables, from that number on."""
    conn.execute("SELECT staged.make(%s, %s, %s, %s)", (tenant, agent, first, first + leads - 1))
    conn.execute("SELECT staged.import(1000000)")


@contextmanager
def _start(bench: Bench, name: str) -> Iterator[tuple[Database, int, Cost]]:
    """Give a database in which changes begin, how many leads they concern, and what a first build of those costs."""
    has_partitions = name == "in partitions"
    leads = bench.size.mass // 5 if has_partitions else bench.size.mass
    with _made(bench, name, _PARTITIONS if has_partitions else "") as (database, conn, other):
        _load(other, "mass", 1, _KEPT + 1, leads)
        if has_partitions:
            other.execute(_IN_PARTITION.format("messages", "y").encode())
            other.execute(_IN_PARTITION.format("third", "z").encode())
        first = _first_build(bench, conn, other)
        if name == "staged":
            other.execute("TRUNCATE conversations, contacts CASCADE")
        _load(other, "other", 0, 1, max(leads // 5, _KEPT))
        _load(other, "mass", 0, 1, _KEPT)
        tables.never_built(other)
        build(conn)
        if name == "staged":
            other.execute("SELECT staged.make('mass', 1, %s, %s)", (_KEPT + 1, _KEPT + leads))
        other.execute("VACUUM ANALYZE")
        conn.close()
        other.close()
        yield database, leads, first


def _first_build(bench: Bench, conn: Connection, other: Connection) -> Cost:
    """Return what a first build costs, in the median of some."""
    costs = []
    for _ in range(min(bench.size.rounds, _BUILDS)):
        tables.never_built(other)
        costs.append(tables.cost(other, lambda: build(conn)))
    return sorted(costs, key=lambda cost: cost.seconds)[len(costs) // 2]


@dataclass(slots=True)
class _Watch:
    """Single messages, from their commit to the read model, and how old as-of is, while something else goes on."""

    tenants: Sequence[str]
    # Whose message, when it was committed, and after how many milliseconds it was there.
    waits: list[tuple[str, float, float]] = field(default_factory=list)
    # When, and how old as-of was in seconds: that of the other tenant, and that of the one with the mass change.
    ages: list[tuple[float, float, float]] = field(default_factory=list)
    # The moment of the latter.
    as_of: float = 0.0
    waiting: dict[str, tuple[str, float]] = field(default_factory=dict)

    def write(self, conn: Connection, message_id: str, tenant: str, conversation_id: str) -> None:
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status)"
            " VALUES (%s, %s, 'user', 'Anybody there?', now() AT TIME ZONE 'UTC', 'sent')",
            (message_id, conversation_id),
        )
        self.waiting[message_id] = tenant, perf_counter()

    def look(self, conn: Connection) -> None:
        if self.waiting:
            rows = conn.execute(
                "SELECT message_id FROM read_model.lead_messages WHERE user_id = ANY(%s) AND message_id = ANY(%s)",
                (list(self.tenants), list(self.waiting)),
            ).fetchall()
            self.note(message_id for (message_id,) in rows)

    def note(self, message_ids: Iterator[str]) -> None:
        now = perf_counter()
        for message_id in message_ids:
            tenant, committed = self.waiting.pop(message_id)
            self.waits.append((tenant, committed, 1000 * (now - committed)))

    def ask(self, conn: Connection) -> None:
        (now, other), (_, self.as_of) = conn.execute(
            "SELECT extract(epoch FROM clock_timestamp())::float8, extract(epoch FROM least(t.late_as_of,"
            "  (SELECT min(moment) FROM read_model.freshness CROSS JOIN unnest(shards) AS moment)))::float8"
            " FROM unnest(ARRAY['other', 'mass']) WITH ORDINALITY AS one (user_id, place)"
            " LEFT JOIN read_model.tenants AS t USING (user_id) ORDER BY place"
        ).fetchall()
        self.ages.append((perf_counter(), now - other, now - self.as_of))


@contextmanager
def _watching(database: Database, tenants: Sequence[str]) -> Iterator[_Watch]:
    """Watch single messages of these tenants, in conversations of all shards of the queue."""
    watch = _Watch(tenants)
    with ExitStack() as stack:
        writer, reader, asker = (stack.enter_context(database.connect()) for _ in range(3))
        conversations = writer.execute(
            "SELECT user_id, conversation_id FROM (SELECT a.user_id, c.conversation_id, s.shard, row_number()"
            "  OVER (PARTITION BY a.user_id, s.shard ORDER BY c.conversation_id) AS turn"
            "  FROM conversations AS c INNER JOIN agents AS a USING (agent_id)"
            "  CROSS JOIN projector.shard_of(c.conversation_id) AS s (shard)"
            "  WHERE agent_id IN ('mass-a0', 'other-a0') AND a.user_id = ANY(%s)) AS one"
            " WHERE turn <= 4 ORDER BY turn, shard, user_id",
            (list(tenants),),
        ).fetchall()
        places, numbers = cycle(conversations), count()
        for pause, work in (
            (0.03, lambda: watch.write(writer, f"single-{next(numbers)}", *next(places))),
            (0.002, lambda: watch.look(reader)),
            (0.05, lambda: watch.ask(asker)),
        ):
            stack.enter_context(repeating(pause, work))
        yield watch
    # What was not seen has waited until now at least.
    watch.note(iter(list(watch.waiting)))


def _drive(change: Change, database: Database, leads: int, first: Cost, projectors: int) -> Iterator[Row]:
    """Make the change, wait until what it concerns is right and as-of says so, and return what was seen."""
    right, name = change.right.format(leads=leads), f"{change.what}, projectors: {projectors}"
    with (
        database.connect() as conn,
        running(Queue(database, conn), projectors),
        _watching(database, change.tenants) as watch,
    ):
        conn.execute("CHECKPOINT")
        _when(lambda: bool(watch.waits))
        sleep(_WATCHED)
        began = perf_counter()
        with conn.transaction():
            if isinstance(change.work, str):
                conn.execute(change.work.encode(), prepare=False)
            else:
                change.work(conn)
        committed, position = perf_counter(), tables.flushed(conn)
        moment = value(conn, "SELECT extract(epoch FROM clock_timestamp())::float8")
        if change.after:
            conn.execute(change.after.encode(), prepare=False)
        until_right = _when(lambda: value(conn, right)) - committed
        until_said = _when(lambda: watch.as_of >= moment) - committed
        sleep(max(committed + _WATCHED - perf_counter(), 0.0))
        ended, cost = perf_counter(), tables.cost_since(conn, position, until_right)
    note = f"after a transaction of {committed - began:.1f} s; as-of says so after {until_said:.1f} s"
    baseline = "a first build of the same leads"
    yield from _rows(name, cost, (baseline, first), (change.goal, ""), note)
    for tenant in change.tenants:
        waits = [wait for whose, at, wait in watch.waits if whose == tenant and committed <= at <= ended]
        before = once(median(wait for whose, at, wait in watch.waits if whose == tenant and at < began))
        note = f"{len(waits)} of them, p50 {median(waits):.0f}, at most {max(waits):.0f}"
        for percent in (95, 99):
            what, goal = f"{name}: a message of tenant {tenant}, p{percent}", f"mass_p{percent}"
            yield Row(what, "ms", part(waits, percent), "before it, p50", before, goal, note=note)
    other, mass = (
        once(max(ages))
        for ages in zip(*(ages for at, *ages in watch.ages if committed <= at <= ended), strict=True)
    )
    # Earlier it is as old as the database.
    usual = once(max(age for at, age, _ in watch.ages if began - _WATCHED <= at < began))
    yield Row(f"{name}: as-of of tenant other, oldest", "s", other, "before it, oldest", usual)
    yield Row(f"{name}: as-of of tenant mass, oldest", "s", mass, baseline, once(first.seconds), change.goal)


def _when(is_over: Callable[[], bool]) -> float:
    """Return when it was over. To ask costs little of what is measured."""
    wait_for(is_over, "a mass change is in the read model", PATIENCE, 0.05)
    return perf_counter()


_MISSING = ";".join(
    f"DELETE FROM {name} WHERE (hashtext(customer_phone) & 2147483647) % 100 < {{share}}"
    for name in (
        "projector.source_keys",
        *(f"read_model.lead{kind}" for kind in ("s", "_profiles", "_conversations", "_messages")),
    )
)


def _sweeps(bench: Bench, leads: int) -> Iterator[Row]:
    """Return the rows of rebuilds of a read model that lacks leads, or has other ones."""
    with _made(bench, f"swept {leads}") as (_, conn, other):
        build(conn)
        for tenant in ("mass", "other"):
            _load(other, tenant, 1, 1, leads // 2)
        other.execute(
            "VACUUM ANALYZE projector.changes, conversations, messages, extractions, contacts, agents"
        )

        def rebuild() -> Cost:
            other.execute("CHECKPOINT")
            cost = tables.cost(other, lambda: build(conn))
            if value(other, "SELECT count(*) FROM read_model.leads") != leads:
                raise RuntimeError("Leads are missing after the rebuild.")
            return cost

        costs = {"100 % missing": rebuild()}
        refreshed = seconds(lambda: refresh(conn))
        first = _first_build(bench, conn, other)
        # The larger ones take minutes each.
        for share in (0, 1, 10, 50) if leads == min(bench.size.swept) else (10,):
            other.execute(_MISSING.format(share=share).encode(), prepare=False)
            statistics.heal(conn, None)
            tables.right(other)
            costs[f"{share} % missing"] = rebuild()
        tables.every_document_differs(other)
        costs["100 % different"] = rebuild()
    baseline = ("a first build", first)
    goals = {"100 % missing": "mass_missing", "100 % different": "mass_differs"}
    for what, cost in costs.items():
        title = f"rebuild of {leads:,} leads, {what}"
        yield from _rows(title, cost, baseline, (goals.get(what, "mass_sweep"), "mass_wal"))
        if what == "100 % missing":
            name, built = baseline
            yield Row(
                f"refresh after it, {leads:,} leads",
                "s",
                once(refreshed),
                name,
                once(built.seconds),
                "mass_settled",
            )
