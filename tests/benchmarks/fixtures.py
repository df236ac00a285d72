"""What the benchmark runs on: a PostgreSQL server of its own, databases of made-up tenants, and a projector."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from psycopg import sql

from projector.core import pipeline
from projector.core.batch import DEFAULT_BATCH, Batch
from projector.core.refresh import Drain
from projector.database import locks
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial import demo
from projector.trial.postgres.embedded import EmbeddedServer
from tests.benchmarks.core import Arm, Row, Sample, interleave, seconds
from tests.support import server as support
from tests.support.commands import started

Say = Callable[[str], None]

SEED = 4
# So long that only a fault takes it.
PATIENCE = 600


@dataclass(frozen=True, slots=True)
class Size:
    """How much data there are, and how long each thing is measured."""

    name: str
    # Leads: of the tenant that everything is about, and of those that it is compared with.
    big: int
    medium: int
    small: int
    messages_per_lead: float
    # Messages of a lead that never stops to talk.
    hot: int
    rounds: int
    pairs: int
    # Seconds of one run of the load.
    load: float
    # Seconds in which commits are followed to the answer that shows them, and commits a second.
    visible: float = 60
    commit_rates: tuple[int, ...] = (1, 100, 1000)
    # Streams that are open at once.
    viewers: int = 1000
    # Leads of each tenant that several projectors share, changes that they find in the queue, and how many they are.
    shared: int = 250
    deep: int = 24_000
    projectors: tuple[int, ...] = (1, 2, 4)
    # Leads that a mass change concerns while projectors run, and those that rebuilds go over.
    mass: int = 15_000
    swept: tuple[int, ...] = (15_000, 100_000)
    # Whether commits wait for the disk, as those of a platform do.
    durable: bool = True

    @property
    def many_rounds(self) -> int:
        """Return the rounds of what differs by a few percent."""
        return max(self.rounds, 7) if self.rounds > 1 else 1


SIZES = {
    size.name: size
    for size in (
        # It says nothing about speed.
        Size(
            "smoke", 600, 300, 100, 3, 500, 1, 2, 0.02, visible=1.0, viewers=20, shared=3, deep=400,
            projectors=(1, 2), mass=60, swept=(120,), durable=False,
        ),
        Size("default", 100_000, 10_000, 1_000, 5, 100_000, 5, 15, 1.0),
        Size("large", 1_000_000, 10_000, 1_000, 5, 100_000, 5, 15, 2.0, swept=(200_000,)),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Database(support.Database):
    """A database, with the id of a tenant of each size."""

    tenants: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    server: EmbeddedServer
    databases: support.Server
    size: Size
    say: Say

    @cached_property
    def main(self) -> Database:
        """The big tenant beside a small one."""
        return self._filled("main", big=self.size.big, small=self.size.small)

    @cached_property
    def medium(self) -> Database:
        """A tenant of medium size, alone."""
        return self._filled("medium", medium=self.size.medium)

    def _filled(self, name: str, **leads: int) -> Database:
        self.say(f"Loading {' + '.join(f'{number:,}' for number in leads.values())} leads ...")
        made = self.databases.create(name)
        with made.connect() as conn:
            each = {tenant: (1, number) for tenant, number in leads.items()}
            return Database(made.url, made.name, fill(conn, each, self.size.messages_per_lead))

    def take_turns(self, arms: Mapping[str, Arm], *, warm_up: bool = True) -> dict[str, Sample]:
        """Let arms take turns for as many rounds as the size has."""
        return interleave(self.size.rounds, arms, warm_up=warm_up)

    def compare(  # noqa: PLR0913, PLR0917  # What a row is made of.
        self,
        what: str,
        unit: str,
        ours: Arm,
        baseline_name: str,
        baseline: Arm,
        goal: str = "",
        *,
        rounds: int = 0,
        note: str = "",
    ) -> Row:
        """Let ours take turns with its baseline, for as many rounds as the size has unless they are given."""
        samples = interleave(rounds or self.size.rounds, {"ours": ours, "baseline": baseline})
        return Row(what, unit, samples["ours"], baseline_name, samples["baseline"], goal, note=note)

    @contextmanager
    def settings(self, **values: str) -> Iterator[None]:
        """Run with these settings of the server, of those that take effect at once."""
        conn = self.databases.conn
        for name, setting in values.items():
            conn.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), setting))
        conn.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            for name in values:
                conn.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name)))
            conn.execute("SELECT pg_reload_conf()")

    def no_autovacuum(self) -> AbstractContextManager[None]:
        """Run without autovacuum: what it writes when it comes by belongs to nothing that is measured."""
        return self.settings(autovacuum="off")

    @contextmanager
    def database(self, name: str, original: Database | None = None) -> Iterator[Database]:
        """Give an empty database, or a copy of that one to be spoilt, and drop it at the end."""
        made = self.databases.create(name, template=original.name if original else None)
        try:
            yield Database(made.url, made.name, original.tenants if original else {})
        finally:
            self.databases.drop(made)


@contextmanager
def bench(size: Size, folder: Path, say: Say) -> Iterator[Bench]:
    """Start a server in that folder, which makes its databases when a case asks for them, and stop it at the end."""
    server = EmbeddedServer(folder, support.given_programs(), {} if size.durable else support.FAST)
    server.start()
    try:
        url = server.url("postgres")
        with Connection.connect(url, autocommit=True) as conn:
            yield Bench(server, support.Server(url, conn, f"{size.name}_"), size, say)
    finally:
        server.stop()


def fill(
    conn: Connection, leads: dict[str, tuple[int, int]], messages_per_lead: float, *, distribute: bool = False
) -> dict[str, str]:
    """Fill an empty database with so many tenants and leads of each size, and build its read model.

    Returns a tenant of each size.
    """
    migrate(conn, create_source=True, distribute=distribute)
    ids = {
        size: demo.load(
            conn,
            tenants=tenants,
            leads=number,
            messages_per_lead=messages_per_lead,
            seed=SEED,
            now=datetime.now(UTC),
            progress=QUIET,
        ).user_ids
        for size, (tenants, number) in leads.items()
    }
    build(conn)
    conn.execute("VACUUM ANALYZE")
    with conn.transaction():
        conn.execute("CREATE SCHEMA benchmark")
        conn.execute("CREATE SEQUENCE benchmark.numbers")
        # One conversation a lead of the first size, in an order in which neighbours are far apart.
        conn.execute(
            "CREATE TABLE benchmark.conversations AS"
            " SELECT row_number() OVER (ORDER BY md5(conversation_id))::integer AS number, conversation_id,"
            " customer_phone FROM (SELECT DISTINCT ON (user_id, customer_phone) customer_phone, conversation_id"
            "  FROM read_model.lead_conversations WHERE user_id = ANY(%s) ORDER BY user_id, customer_phone) AS one",
            (list(next(iter(ids.values()))),),
        )
        conn.execute("ALTER TABLE benchmark.conversations ADD PRIMARY KEY (number)")
    return {size: own[0] for size, own in ids.items()}


def build(conn: Connection) -> None:
    rebuild(conn, tenants=None, progress=QUIET)


def refresh(conn: Connection) -> None:
    """Make batches until nothing waits, as the scheduler does."""
    drain, done, mass = Drain(DEFAULT_BATCH), Batch((), 0), None
    while mass is not None or not done.drained:
        done = drain.take_singles(conn, locks.SHARDS)
        mass = drain.take_mass(conn, locks.SHARDS, done)


@contextmanager
def projector(database: Database, *arguments: str, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start `python -m projector`, `run` unless arguments are given, and end it at the end."""
    command = ["-m", "projector", *(arguments or ("run",))]
    with started(command, DATABASE_URL=database.url, LEADS_VERIFY_DAYS="off", **settings) as process:
        yield process
        if process.poll():
            raise RuntimeError(f"`python -m projector` ended with {process.returncode}.")


# In the conversation of a stale lead: a new message, and another score in an extraction.
MESSAGE = (
    "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status)"
    " VALUES ('benchmark-' || nextval('benchmark.numbers'), %s, 'user', 'Is this still to be had? Thank you!',"
    " now() AT TIME ZONE 'UTC', 'sent')"
)
SCORE = (
    "UPDATE extractions SET intent_score = 1 + (coalesce(intent_score, 0) + 1) %% 3"
    " WHERE extraction_id = (SELECT extraction_id FROM extractions WHERE conversation_id = %s LIMIT 1)"
)


@dataclass(slots=True)
class Stale:
    """One database whose leads are made stale by one connection, and refreshed by another."""

    database: Database
    writer: Connection = field(init=False)
    refresher: Connection = field(init=False)
    _conversations: list[str] = field(init=False)
    _next: int = 0

    def __post_init__(self) -> None:
        self.writer = self.database.connect()
        self.refresher = self.database.connect()
        pipeline.prepare_session(self.refresher)
        rows = self.writer.execute("SELECT conversation_id FROM benchmark.conversations ORDER BY number")
        self._conversations = [conversation_id for (conversation_id,) in rows.fetchall()]
        self.refresh()

    def close(self) -> None:
        self.writer.close()
        self.refresher.close()

    def pick(self, number: int) -> list[str]:
        """Return conversations of so many leads, other ones each time."""
        first, self._next = self._next, self._next + number
        return [self._conversations[place % len(self._conversations)] for place in range(first, self._next)]

    def write(self, conversation_ids: list[str], change: str = MESSAGE) -> None:
        """Make a change in each of them, a statement each."""
        with self.writer.transaction(), self.writer.cursor() as cursor:
            cursor.executemany(change.encode(), [(conversation_id,) for conversation_id in conversation_ids])

    def refresh(self) -> None:
        refresh(self.refresher)

    def milliseconds(
        self, leads: int, times: int = 1, change: str = MESSAGE, conversation_id: str = ""
    ) -> float:
        """Return how long a refresh of so many leads takes after such a change, on average of some times."""
        total = 0.0
        for _ in range(times):
            self.write([conversation_id] if conversation_id else self.pick(leads), change)
            total += seconds(self.refresh)
        return 1000 * total / times
