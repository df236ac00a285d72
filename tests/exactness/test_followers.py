"""Copies that follow the change feed are the list, whatever is rebuilt, killed, lost and repeated meanwhile."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from typing import Any

import psycopg
import pytest

from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness import crash_worker
from tests.exactness.crash_worker import kill_at
from tests.exactness.feed_copy import Copy, serving
from tests.exactness.interleaving import IN_PLACE_POINTS, REFRESH_POINTS
from tests.exactness.platform import assert_exact, rebuild_now
from tests.exactness.random_load import Burst
from tests.support import edge_cases
from tests.support.mutations import mutate
from tests.support.running import wait_for, wait_until
from tests.support.server import Database

Work = Callable[[Connection, Random], None]
StartServer = Callable[..., EmbeddedServer]

SHORT = range(2)
LONG = range(1000, 1700)
ROUNDS = 5
"""Rounds of each seed of the long mode: with the short ones, 3,503."""

# Each is a filter of the list, which the feed takes too.
FILTERS = ("", "has_email=true", "lead_status=Hot,Warm", "platform=whatsapp&has_extraction=false", "search=a")
DOCUMENTS = (
    "SELECT (SELECT t.version FROM read_model.tenants AS t WHERE t.user_id = %(user_id)s),"
    " (SELECT coalesce(json_object_agg(l.customer_phone, l.document::json), '{}')::text FROM read_model.leads AS l"
    " WHERE l.user_id = %(user_id)s)"
)
DEATHS = (psycopg.OperationalError, psycopg.InterfaceError)
# A session of the projector at its work, by the names that a burst gives its sessions.
VICTIM = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name IN ('_refresh', '_refresh_batches', '_rebuild') AND state <> 'idle'"
    " ORDER BY random() LIMIT 1"
)
SURVIVORS = f"datname = current_database() AND application_name = '{crash_worker.NAME}'"
POINTS = (
    *(("refresh", point) for point in REFRESH_POINTS),
    *(("in_place", point) for point in IN_PLACE_POINTS),
)
SHORT_POINTS = (("refresh", "recomputed"), ("refresh", "written"), ("in_place", "written"))


@dataclass
class FollowedBurst(Burst):
    """A burst whose projectors are killed, with callers that keep copies of its tenants, with each filter.

    The copies of a round go on in the next one: none of their tokens ends.
    """

    compared: int = 0
    killed: int = 0
    _waiting: list[list[Copy]] = field(default_factory=list)

    def run(self, rounds: int = 1) -> None:
        with serving(self.database) as app:
            self.app = app
            super().run(rounds)

    def watchers(self) -> list[Work]:
        # What readers see meanwhile is for the other bursts too: a look costs more than an answer of the feed.
        looks = super().watchers() if self.round == 0 else []
        return [*looks, self._follow, self._follow, self._end_sessions, self._kill_processes]

    def _begin(self, work: Work, rng: Random) -> None:
        with suppress(*DEATHS):
            super()._begin(work, rng)
            return
        # A supervisor starts another one, which may be killed as soon as it is there, or before.
        while self._writing.is_set():
            with suppress(*DEATHS):
                super()._begin(work, rng)

    def _end_sessions(self, conn: Connection, rng: Random) -> None:
        while self._writing.is_set():
            for (pid,) in conn.execute(VICTIM.encode()).fetchall():
                self.killed += conn.execute("SELECT pg_terminate_backend(%s)", (pid,)).rowcount
            conn.execute("SELECT pg_sleep(%s)", (rng.uniform(0.01, 0.2),))

    def _kill_processes(self, conn: Connection, rng: Random) -> None:
        while self._writing.is_set():
            worker = crash_worker.begin(self.database.url, str(rng.random()))
            time.sleep(rng.uniform(0.05, 0.4))
            worker.kill()
            worker.join()
            if worker.exitcode != -signal.SIGKILL:
                self._fail(f"a projector ended with {worker.exitcode} before it was killed")
            self.killed += 1
        # What it has sent before its death may still be done.
        wait_until(conn, f"count(*) = 0 FROM pg_stat_activity WHERE {SURVIVORS}")

    def _follow(self, conn: Connection, rng: Random) -> None:
        tenants = [row[0] for row in conn.execute("SELECT user_id FROM users ORDER BY user_id").fetchall()]
        own = self._waiting.pop() if self._waiting else []
        known = {copy.tenant for copy in own}
        new = [(tenant, "") for tenant in tenants if tenant not in known]
        # One more in each further round, so that copies begin among changes in all of them.
        some = rng.sample(tenants, min(1, len(tenants))) if own else tenants
        new += [(tenant, rng.choice(FILTERS)) for tenant in some]
        for tenant, query in new:
            copy = Copy(self.app.test_client(), tenant, query)
            copy.begin()
            own.append(copy)
        while self._writing.is_set():
            self._follow_once(conn, rng, rng.choice(own))
        self._waiting.append(own)

    def _follow_once(self, conn: Connection, rng: Random, copy: Copy) -> None:
        status, body = copy.ask(limit=rng.choice((1, 2, 500)))
        if status != 200:
            self._fail(f"{copy.tenant}: {status} {body}")
            return
        if rng.random() < 0.2:
            # The answer is lost on its way.
            return
        try:
            copy.take(body)
            if rng.random() < 0.2:
                # It comes twice.
                copy.take(body)
        except AssertionError as error:
            self._fail(f"{copy.tenant}: {error}")
        if body["hasMore"] or copy.query:
            return
        # As of the answer: the version that its token stands for.
        row = conn.execute(DOCUMENTS.encode(), {"user_id": copy.tenant}).fetchone()
        assert row is not None
        if (row[0] or 0) + 1 == copy.position.version:
            self.compared += 1
            if json.loads(row[1]) != copy.leads:
                self._fail(f"the copy of {copy.tenant} is not the list at version {row[0]}")

    def when_quiet(self, conn: Connection) -> None:
        for copy in chain(*self._waiting):
            copy.follow(limit=3)
            assert copy.leads == copy.list(), f"{copy.tenant} {copy.query}"
            self._follow_once(conn, Random(0), copy)
        assert not self.failures
        assert self.compared
        assert self.killed


@pytest.mark.parametrize("seed", [*SHORT, *(pytest.param(seed, marks=pytest.mark.long) for seed in LONG)])
def test_copies_follow_a_burst(database: Database, seed: int) -> None:
    FollowedBurst(database, seed).run(1 if seed in SHORT else ROUNDS)


class Followers:
    """A copy of each tenant with each filter."""

    def __init__(self, client: Any, tenants: list[str]) -> None:  # noqa: ANN401
        self.copies = [Copy(client, tenant, query) for tenant in tenants for query in FILTERS]
        for copy in self.copies:
            copy.begin()

    def follow(self, rng: Random) -> None:
        """Follow to the end, with answers of all sizes; whatever comes twice changes nothing."""
        for copy in self.copies:
            copy.ask(limit=1)
            copy.follow(limit=rng.choice((1, 3, 500)))

    def compare(self) -> None:
        for copy in self.copies:
            assert copy.leads == copy.list(), f"{copy.tenant} {copy.query}"


def fill(database: Database, rng: Random) -> list[str]:
    """Rows, and a read model of which some leads are wrong, for a rebuild to correct. Returns the tenants."""
    with database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(rng, 40))
        rebuild_now(conn)
        conn.execute(
            "UPDATE read_model.leads SET document = '{\"customer_phone\":' || to_json(customer_phone) || '}'"
            " WHERE md5(customer_phone) < '8'"
        )
        return [row[0] for row in conn.execute("SELECT user_id FROM users ORDER BY user_id").fetchall()]


def change(database: Database, rng: Random) -> None:
    """Changes of the platform."""
    with database.connect() as conn:
        for _ in range(15):
            mutate(rng, conn, replica=True)


def recover(database: Database) -> None:
    """What a scheduler does next."""
    with database.connect() as conn:
        recovery.heal(conn, progress=QUIET)
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        rebuild_now(conn)
        assert_exact(conn)


@pytest.mark.parametrize(
    ("work", "point", "seed"),
    [
        *((work, point, 0) for work, point in SHORT_POINTS),
        *(
            pytest.param(work, point, seed, marks=pytest.mark.long)
            for work, point in POINTS
            for seed in range(1, 6)
        ),
    ],
)
def test_copies_follow_a_projector_that_is_killed(
    database: Database, work: str, point: str, seed: int
) -> None:
    rng = Random(f"followed {work} {point} {seed}")
    tenants = fill(database, rng)
    with serving(database) as app:
        followers = Followers(app.test_client(), tenants)
        for _ in range(2):
            change(database, rng)
            count = rng.randint(1, 3) if work == "refresh" else 1
            assert kill_at(database.url, work, point, count) or count > 1
            # What was committed before the death is reported, and nothing else.
            followers.follow(rng)
            followers.compare()
        recover(database)
        followers.follow(rng)
        followers.compare()


def test_copies_follow_a_server_that_stops_at_once(start_server: StartServer) -> None:
    """PostgreSQL's own recovery brings back what was committed: no token ends, and none names what was lost."""
    server = start_server()
    rng = Random("followed server")
    with Database(server.url(), "leads").connect() as conn:
        database = Database(server.url(), str(conn.info.dbname))
        migrate(conn, create_source=True)
    tenants = fill(database, rng)
    with serving(database) as app:
        followers = Followers(app.test_client(), tenants)
        for work, point in SHORT_POINTS:
            change(database, rng)
            assert kill_at(database.url, work, point, 1)
            server.stop(mode="immediate")
            assert followers.copies[0].ask()[0] == 503
            server.start()
            # The API pauses for a moment before it connects again.
            wait_for(lambda: followers.copies[0].ask()[0] == 200, "an answer after the restart")
            followers.follow(rng)
            followers.compare()
        recover(database)
        followers.follow(rng)
        followers.compare()
