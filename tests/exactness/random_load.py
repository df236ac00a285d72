"""A short burst of everything at once: writers, refreshes, rebuilds and healing, with checks meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

import psycopg

from projector.core.dead_letters import retry_all_dead_letters
from projector.core.late import defer_changes
from projector.core.pipeline import prepare_session
from projector.core.refresh import Drain, refresh
from projector.database.locks import SHARDS
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.operate.uninstall import uninstall
from projector.report.errors import BlockedError
from projector.report.progress import QUIET
from projector.sweep import rolling
from projector.sweep.rebuild import rebuild
from projector.sweep.statistics import find_differences
from projector.sweep.verify import verify
from tests.exactness.platform import assert_verified, rebuild_now, refresh_now, value
from tests.oracle import differences_of_tables, read_tables
from tests.support import edge_cases
from tests.support.mutations import mutate
from tests.support.server import Database
from tests.unit.projector.sweep.clock import pass_time

WRITERS = 3
CHANGES = 14

# The errors that a platform's TRUNCATE may cause for readers of its tables.
COLLISIONS = (
    BlockedError,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.SerializationFailure,
)

# Each returns a row if it does not hold in a snapshot. For statistics see `not_so`.
INVARIANTS = {
    "message counts equal the messages": (
        "SELECT * FROM (SELECT user_id, customer_phone, conversation_id, count(*) AS n FROM read_model.lead_messages"
        " GROUP BY 1, 2, 3) AS m FULL JOIN (SELECT user_id, customer_phone, conversation_id, message_count"
        " FROM read_model.lead_conversations) AS c USING (user_id, customer_phone, conversation_id)"
        " WHERE coalesce(n, 0) <> coalesce(message_count, -1)"
    ),
    "totals of a lead equal its conversations": (
        "SELECT l.user_id, l.customer_phone FROM read_model.leads AS l LEFT JOIN read_model.lead_conversations AS c"
        " USING (user_id, customer_phone) GROUP BY l.user_id, l.customer_phone, l.total_messages, l.document"
        " HAVING coalesce(sum(c.message_count), 0) <> l.total_messages"
        " OR (l.document::json ->> 'total_messages')::integer <> l.total_messages"
        " OR (l.document::json ->> 'conversation_count')::integer <> count(c.conversation_id)"
    ),
    "every lead has a profile and every profile a lead": (
        "SELECT * FROM read_model.leads AS l FULL JOIN read_model.lead_profiles AS p USING (user_id, customer_phone)"
        " WHERE l.document IS NULL OR p.search_text IS NULL"
    ),
    "a lead has its status since its newest change": (
        "SELECT l.user_id, l.customer_phone FROM read_model.leads AS l LEFT JOIN read_model.lead_status_changes AS s"
        " USING (user_id, customer_phone) GROUP BY l.user_id, l.customer_phone, l.status_since"
        " HAVING l.status_since IS DISTINCT FROM max(s.changed_at)"
    ),
}


def not_so(conn: Connection) -> Iterator[str]:
    """Yield what is wrong in this snapshot for readers."""
    for difference in find_differences(conn, None):
        yield f"statistics equal the leads: {difference}"
    for name, query in INVARIANTS.items():
        if (row := conn.execute(query.encode()).fetchone()) is not None:
            yield f"{name}: {row}"


READ_TABLES = (
    "leads", "lead_profiles", "lead_conversations", "lead_messages", "lead_counts", "lead_daily_counts", "lead_totals",
    "message_counts", "attribute_counts", "lead_status_changes",
)  # fmt: skip
# Whatever the API prints of a tenant, as a digest, with the version of the tenant.
_PRINTED = " UNION ALL ".join(
    f"SELECT user_id, '{table}' || t::text AS row FROM read_model.{table} AS t" for table in READ_TABLES
)
VERSIONS = (
    "SELECT user_id, t.version, t.version_id::text, coalesce(md5(string_agg(p.row, '' ORDER BY p.row)), '')"
    f" FROM ({_PRINTED}) AS p FULL JOIN read_model.tenants AS t USING (user_id) GROUP BY 1, 2, 3"
)


# The moment of each tenant in the read model, and under an empty name that of all tenants that are not late.
MOMENTS = """
    SELECT t.user_id, least(m.as_of, t.late_as_of)
    FROM (SELECT min(s) AS as_of FROM read_model.freshness AS f, unnest(f.shards) AS s) AS m
    CROSS JOIN (SELECT user_id, late_as_of FROM read_model.tenants UNION ALL SELECT '', NULL) AS t
    WHERE m.as_of IS NOT NULL
"""
# The waiting changes, and their tenants.
WAITING = """
    SELECT DISTINCT '', queued_at FROM projector.changes
    UNION SELECT user_id, queued_at FROM projector.late_keys
"""


class Versions:
    """The versions of tenants that were ever seen, each with what the tenant had."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int, str], str] = {}
        self._newest: dict[str, int] = {}

    def look(self, conn: Connection) -> list[str]:
        """Return a sentence for each version that breaks its promise."""
        wrong = []
        for user_id, version, version_id, digest in conn.execute(VERSIONS.encode()).fetchall():
            if version is None:
                wrong.append(f"{user_id} has rows and no version")
                continue
            if version < self._newest.get(user_id, 0):
                wrong.append(f"the version of {user_id} went back to {version}")
            if self._seen.setdefault((user_id, version, version_id), digest) != digest:
                wrong.append(f"{user_id} has changed within version {version}")
            self._newest[user_id] = version
        return wrong


@dataclass
class Burst:
    """One burst on a database of its own; `log` has what the writers did, in the order of their commits."""

    database: Database
    seed: int
    log: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    committed: dict[datetime, datetime] = field(default_factory=dict)
    _writing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Fill the tables, let everything loose, and compare when all is quiet."""
        with self.database.connect() as conn:
            edge_cases.write(conn, edge_cases.generate(Random(self.seed), 40))
            # Collisions with a TRUNCATE of the platform are noticed sooner, so that a burst stays short.
            conn.execute(f"ALTER DATABASE \"{self.database.name}\" SET deadlock_timeout = '30ms'".encode())
            rebuild_now(conn)
        self._let_loose()
        with self.database.connect() as conn, self._telling():
            refresh_now(conn)
            assert_verified(conn)
            self._compare_with_scratch(conn)

    def _let_loose(self) -> None:
        threads = [
            *(self._thread(self._write, number) for number in range(WRITERS)),
            *(self._thread(self._refresh_batches, number) for number in range(2)),
            self._thread(self._refresh, 0),
            self._thread(self._rebuild, 0),
            self._thread(self._verify, 0),
            *(self._thread(watch, 0) for watch in self.watchers()),
        ]
        self._writing.set()
        for thread in threads:
            thread.start()
        for thread in threads[:WRITERS]:
            thread.join()
        self._writing.clear()
        for thread in threads[WRITERS:]:
            thread.join()
        assert not self.failures, self.story()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Add to a failure what happened before it."""
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from error

    def watchers(self) -> list[Callable[[Connection, Random], None]]:
        return [self._look]

    def story(self) -> str:
        """Return what a person needs to follow what happened."""
        changes = [f"the last of {len(self.log)} changes:", *self.log[-60:]]
        return "\n".join([f"seed {self.seed}", *self.failures, *changes])

    def _compare_with_scratch(self, conn: Connection) -> None:
        """Compare the result of the refreshes with that of a rebuild from nothing, alternately in both ways."""
        refreshed = read_tables(conn)
        with self.database.connect() as own:
            uninstall(own)
            migrate(own, create_source=False)
        with self.database.connect() as own:
            rebuild_now(own, first=self.seed % 2 == 0)
            sentences = differences_of_tables(refreshed, read_tables(own))
            assert not sentences, "\n".join(sentences[:20])

    def _thread(self, work: Callable[[Connection, Random], None], number: int) -> threading.Thread:
        rng = Random(f"{self.seed} {work.__name__} {number}")

        def run() -> None:
            try:
                with self.database.connect(application_name=work.__name__) as conn:
                    work(conn, rng)
            except Exception as error:  # noqa: BLE001  # Whatever it was, the burst has failed.
                self._fail(f"{work.__name__}: {type(error).__name__}: {error}")

        return threading.Thread(target=run, name=work.__name__)

    def _fail(self, text: str) -> None:
        with self._lock:
            self.failures.append(text)

    def _write(self, conn: Connection, rng: Random) -> None:
        for _ in range(CHANGES):
            try:
                with conn.transaction():
                    done = mutate(rng, conn, replica=True)
                    queued = conn.execute(
                        "SELECT queued_at FROM projector.changes WHERE pg_xact_status(xmin::text::xid8) = 'in progress'"
                    ).fetchall()
            except COLLISIONS as error:
                done, queued = f"given up ({type(error).__name__})", []
            # The clock of the server, read when the commit has returned: everything was committed before it.
            now = value(conn, "SELECT clock_timestamp()")
            with self._lock:
                self.log.append(f"{now:%S.%f} {done}")
                self.committed.update((row[0], now) for row in queued)

    def _refresh_batches(self, conn: Connection, rng: Random) -> None:
        prepare_session(conn)
        while self._writing.is_set():
            drain, shards = Drain(rng.choice((1, 3, 20, 1000))), rng.sample(SHARDS, rng.randint(1, 4))
            drain.late._size = rng.choice((1, 5, 1000))  # noqa: SLF001
            with suppress(*COLLISIONS):
                drain.take_mass(conn, shards, drain.take_singles(conn, shards))
                if rng.random() < 0.3:
                    # As many single changes are, which are too many.
                    defer_changes(conn, shards, mass=False, size=3)
                drain.late.take_piece(conn)
                drain.late.end(conn)
            with suppress(*COLLISIONS):
                retry_all_dead_letters(conn)

    def _refresh(self, conn: Connection, rng: Random) -> None:
        while self._writing.is_set():
            with suppress(*COLLISIONS):
                refresh(conn, retry_failed=True, progress=QUIET, size=rng.choice((2, 100)))

    def _rebuild(self, conn: Connection, rng: Random) -> None:
        while self._writing.is_set():
            tenants = [
                row[0] for row in conn.execute("SELECT user_id FROM users ORDER BY user_id").fetchall()
            ]
            some = rng.choice((None, None, rng.sample(tenants, min(len(tenants), rng.randint(1, 3)))))
            with suppress(*COLLISIONS):
                rebuild(conn, tenants=some, progress=QUIET)

    def _verify(self, conn: Connection, rng: Random) -> None:
        while self._writing.is_set():
            with suppress(*COLLISIONS):
                report = verify(
                    conn, tenants=None, sample=rng.choice((None, 20)), heal=rng.random() < 0.3, progress=QUIET
                )
                for drift in report.drifts[:5]:
                    self._fail(f"drift under load: {drift}")
                self._verify_slices(conn)

    def _verify_slices(self, conn: Connection) -> None:
        """Do some slices of the scheduler's verify, each when it is due."""
        for _ in range(8):
            pass_time(conn, rolling.step(conn, 1.0) + 0.001)
        for drift in conn.execute("SELECT * FROM projector.drift").fetchall()[:5]:
            self._fail(f"drift under load: {drift}")

    def _look(self, conn: Connection, _rng: Random) -> None:
        """Check the promises to readers in one snapshot after the other."""
        newest: dict[str, datetime] = {}
        versions = Versions()
        while self._writing.is_set():
            with suppress(*COLLISIONS), conn.transaction():
                conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                moments: dict[str, datetime] = dict(conn.execute(MOMENTS).fetchall())
                waiting = conn.execute(WAITING).fetchall()
                for sentence in not_so(conn):
                    self._fail(f"not so: {sentence}")
                for sentence in versions.look(conn):
                    self._fail(sentence)
                for tenant, as_of in moments.items():
                    if as_of < newest.get(tenant, as_of):
                        self._fail(f"as-of of {tenant} went back from {newest[tenant]} to {as_of}")
                newest.update(moments)
                with self._lock:
                    missed = [
                        (tenant, queued_at)
                        for tenant, queued_at in waiting
                        # Nothing is claimed of a tenant before a row of it is found.
                        if queued_at in self.committed
                        and self.committed[queued_at] < moments.get(tenant, self.committed[queued_at])
                    ]
                if missed:
                    self._fail(f"as-of {moments} claims changes that wait: {missed}")
            time.sleep(0.01)
