"""The read model on a second server that logical replication feeds: exact, and never ahead of what has arrived."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.observe.status.render import render
from tests.acceptance.conftest import NOW, expected_answers
from tests.exactness.feed_copy import serving
from tests.exactness.platform import rebuild_now
from tests.oracle import answers, read_model
from tests.support import edge_cases, mutations, queries
from tests.support.replication import TwoServers, address, replicated_platform
from tests.support.running import Scheduler, running_scheduler, value, wait_for, wait_until
from tests.support.server import Database, connect

LISTS: tuple[dict[str, str], ...] = (
    {},
    {"sort_by": "name", "sort_order": "asc", "limit": "7"},
    {"search": "an"},
    {"lead_status": "Hot,Warm", "has_email": "true"},
)
# More than logical_decoding_work_mem holds, and than a refresh takes in its first batches.
MASS, BATCH = 1000, "300"


@dataclass
class Load:
    """Random writes at the platform, each numbered in its transaction, and what the second server then promises."""

    both: TwoServers
    client: FlaskClient
    rng: random.Random
    committed: list[datetime] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def write(self, kind: str | None = None) -> None:
        """Commit a random change, and check the promise."""
        platform = self.both.platform
        with platform.transaction():
            self.log.append(mutations.mutate(self.rng, platform, kind=kind, replica=True, now=NOW))
            self.number()
        self.note_commit()

    def write_much(self) -> None:
        platform = self.both.platform
        number = len(self.committed)
        with platform.transaction():
            platform.execute(
                "INSERT INTO conversations (conversation_id, agent_id, customer_phone)"
                " SELECT 'mass-' || %(n)s || '-' || i, a.agent_id, 49160000000 + %(n)s * 1000 + i"
                " FROM generate_series(0, 9) AS i, LATERAL (SELECT agent_id FROM agents WHERE i >= 0"
                '  ORDER BY agent_id COLLATE "C" LIMIT 1) AS a',
                {"n": number},
            )
            platform.execute(
                "INSERT INTO messages (message_id, conversation_id, sender, text)"
                " SELECT 'mass-' || %(n)s || '-' || i, c.conversation_id, 'user', 'Hello ' || i"
                " FROM generate_series(1, %(rows)s) AS i"
                " INNER JOIN conversations AS c ON c.conversation_id = 'mass-' || %(n)s || '-' || i %% 10",
                {"n": number, "rows": MASS},
            )
            self.number()
        self.log.append("a mass change")
        self.note_commit()

    def settle(self) -> None:
        """Wait until all has arrived and is well, and compare every answer with a reading of the platform's rows."""
        last = self.committed[-1]
        wait_for(lambda: self.look() > last, f"freshness passes {last}")
        wait_for(lambda: (self.ready(), self.attention()) == ("", ""), "all is well")
        for path, params, expected in expected_answers(read_model(self.both.platform), NOW, LISTS):
            answer = self.client.get(f"{path}?{queries.query_string(params)}")
            differences = answers.differences(expected, answer.status_code, answer.get_json())
            assert differences == [], (path, params, self.log)

    def wait_until_told(self, said: str) -> None:
        """Wait until readiness and status say it."""
        wait_for(
            lambda: said in self.ready() and said in self.attention(), f"readiness and status say: {said}"
        )

    def look(self) -> datetime:
        """Check what the second server promises in one snapshot. Returns as of when it is."""
        row = self.both.conn.execute(
            "SELECT f.as_of, (SELECT max(n) FROM numbers) FROM read_model.freshness AS f"
        ).fetchone()
        assert row is not None
        as_of, arrived = row
        ahead = [number for number, at in enumerate(self.committed) if at < as_of and number > arrived]
        assert ahead == [], f"as of {as_of} with {arrived} of {len(self.committed) - 1}: {self.log[-20:]}"
        return as_of  # type: ignore[no-any-return]

    def printed_as_of(self) -> datetime:
        """What callers are told."""
        return datetime.fromisoformat(self.client.get("/users/u/leads").headers["X-Data-As-Of"])

    def ready(self) -> str:
        """What readiness says, with its warnings; an empty text where all is well."""
        answer = self.client.get("/health/ready")
        assert answer.status_code in (200, 503)
        body = answer.get_json()
        return " ".join(said["message"] for said in (body, *body.get("warnings", ())) if "message" in said)

    def attention(self) -> str:
        return " ".join(find_attention(read_status(self.both.conn)))

    def number(self) -> None:
        self.both.platform.execute("INSERT INTO numbers (n) VALUES (%s)", (len(self.committed),))

    def note_commit(self) -> None:
        self.committed.append(value(self.both.platform, "SELECT clock_timestamp()"))
        self.look()


@contextmanager
def followed(
    both: TwoServers, tmp_path: Path, seed: int, origin_url: str
) -> Iterator[tuple[Load, Scheduler]]:
    """Both servers with edge cases in the tables, a scheduler, and the API."""
    rng = random.Random(seed)
    edge_cases.write(both.platform, edge_cases.generate(rng, 15, now=NOW))
    for conn in (both.platform, both.conn):
        conn.execute("CREATE TABLE numbers (n integer PRIMARY KEY)")
        conn.execute("CREATE TABLE clashes (n integer PRIMARY KEY)")
    both.conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")
    rebuild_now(both.conn)
    url = address(both.conn)
    with (
        serving(Database(url, ""), clock=lambda: NOW) as app,
        running_scheduler(
            url, tmp_path, LEADS_ORIGIN_DATABASE_URL=origin_url, LEADS_REFRESH_BATCH=BATCH
        ) as scheduler,
    ):
        yield Load(both, app.test_client(), rng), scheduler


@contextmanager
def stuck(load: Load) -> Iterator[str]:
    """The worker of the subscription waits for a lock."""
    with connect(address(load.both.conn)) as holder, holder.transaction():
        holder.execute("LOCK TABLE numbers IN SHARE MODE")
        yield ""


@contextmanager
def disabled(load: Load) -> Iterator[str]:
    load.both.conn.execute("ALTER SUBSCRIPTION leads DISABLE")
    yield "The subscription leads is disabled"
    load.both.conn.execute("ALTER SUBSCRIPTION leads ENABLE")


@contextmanager
def in_conflict(load: Load) -> Iterator[str]:
    """A row of the platform is there already."""
    number = len(load.committed)
    load.both.conn.execute("INSERT INTO clashes (n) VALUES (%s)", (number,))
    load.both.platform.execute("INSERT INTO clashes (n) VALUES (%s)", (number,))
    yield "The subscription leads failed"
    load.both.conn.execute("DELETE FROM clashes")


TROUBLES: tuple[Callable[[Load], AbstractContextManager[str]], ...] = (stuck, disabled, in_conflict)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_it_is_exact_and_promises_nothing_that_has_not_arrived(tmp_path: Path, seed: int) -> None:
    # A large transaction is applied while it is still written.
    with (
        replicated_platform(streaming="parallel") as both,
        followed(both, tmp_path, seed, both.origin_url) as (load, scheduler),
    ):
        for _ in range(15):
            load.write()
        load.write_much()
        load.settle()
        for trouble in TROUBLES:
            with trouble(load) as said:
                held = len(load.committed)
                for kind in (*[None] * 5, "truncate leaf", *[None] * 5, "truncate and refill"):
                    load.write(kind)
                load.write_much()
                if said:
                    load.wait_until_told(said)
                    scheduler.wait_for_event("changes of the platform may not arrive")
                for _ in range(10):
                    assert load.look() <= load.committed[held]
                    time.sleep(0.05)
            load.settle()
        scheduler.wait_for_event("changes of the platform arrive again", times=2)
        load.write("truncate with cascade")
        for _ in range(5):
            load.write()
        load.settle()
        assert value(both.platform, "SELECT stream_txns FROM pg_stat_replication_slots") > 0
        assert "subscription leads: its worker is at" in render(read_status(load.both.conn))
        last = load.committed[-1]
        wait_for(lambda: load.printed_as_of() >= last, "callers are told")
        # Without the address of the platform as-of stands still.
        scheduler.terminate()
        with running_scheduler(address(both.conn), tmp_path):
            load.wait_until_told("LEADS_ORIGIN_DATABASE_URL is not set")
            held = len(load.committed)
            load.write("insert message")
            wait_until(both.conn, "max(n) = %s FROM numbers", held)
            wait_until(both.conn, "count(*) = 0 FROM projector.changes")
            assert load.printed_as_of() < load.committed[held]
