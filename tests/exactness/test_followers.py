"""Copies that follow the change feed are the list, whatever is rebuilt, killed, lost and repeated meanwhile."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from random import Random

import psycopg
import pytest

from projector.database.rows import Connection
from tests.exactness import crash_worker
from tests.exactness.feed_copy import Copy, serving
from tests.exactness.random_load import Burst
from tests.support.running import wait_until
from tests.support.server import Database

Work = Callable[[Connection, Random], None]
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
