"""A copy that replays the change feed is the list: nothing is missed, nothing is left over, no token goes back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg.rows import TupleRow

from api import change_token
from api.app import create_app
from api.change_token import Position
from api.config import Config
from projector import erasure, tombstones
from projector.erasure import Target
from projector.install import migrate
from projector.progress import QUIET
from projector.uninstall import uninstall
from tests.exactness.interleaving import refreshing
from tests.exactness.platform import Platform, rebuild_now, refresh_now, shard_of, value
from tests.exactness.random_load import Burst
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

FEED = "/users/one/lead-changes"
SHORT = range(3)
LONG = range(1000, 1700)
# Each is a filter of the list, which the feed takes too.
FILTERS = ("", "has_email=true", "lead_status=Hot,Warm", "platform=whatsapp&has_extraction=false", "search=a")
DOCUMENTS = (
    "SELECT (SELECT t.version FROM read_model.tenants AS t WHERE t.user_id = %(user_id)s),"
    " (SELECT coalesce(json_object_agg(l.customer_phone, l.document::json), '{}')::text FROM read_model.leads AS l"
    " WHERE l.user_id = %(user_id)s)"
)


@contextmanager
def serving(database: Database) -> Iterator[Flask]:
    made = create_app(Config(database.url, rate_limit="", log_level="CRITICAL", exports=8))
    try:
        yield made
    finally:
        made.extensions["leads_database"].engine.dispose()


@pytest.fixture
def client(filled: Platform) -> Iterator[FlaskClient]:
    with serving(filled.database) as made:
        yield made.test_client()


@dataclass
class Copy:
    """A caller's copy of the leads of a tenant that pass a filter."""

    client: FlaskClient
    tenant: str = "one"
    query: str = ""
    leads: dict[str, Any] = field(default_factory=dict)
    token: str = ""
    position: Position = field(default_factory=lambda: Position(0))
    answers: int = 0

    def begin(self) -> None:
        """As the documents say: the token of now, and then the export."""
        first = self.client.get(f"/users/{self.tenant}/lead-changes")
        assert first.status_code == 200, first.data
        body = first.get_json()
        assert (body["data"], body["hasMore"]) == ([], False)
        self.token = body["next"]
        self.position = change_token.read(self.tenant, self.token).position
        answer = self.client.get(f"/users/{self.tenant}/leads.ndjson?{self.query}")
        assert answer.status_code == 200, answer.data
        self.leads = {lead["customer_phone"]: lead for lead in map(json.loads, answer.data.splitlines())}

    def ask(self, limit: int = 50) -> tuple[int, dict[str, Any]]:
        answer = self.client.get(
            f"/users/{self.tenant}/lead-changes?since={self.token}&limit={limit}&{self.query}"
        )
        return answer.status_code, answer.get_json()

    def take(self, body: dict[str, Any]) -> None:
        """Apply an answer, also one that was applied before."""
        phones = [change["customer_phone"] for change in body["data"]]
        assert len(set(phones)) == len(phones), "a lead is reported twice"
        for change in body["data"]:
            assert change["deleted"] is (change["lead"] is None)
            if change["deleted"]:
                self.leads.pop(change["customer_phone"], None)
            else:
                assert change["lead"]["customer_phone"] == change["customer_phone"]
                self.leads[change["customer_phone"]] = change["lead"]
        position = change_token.read(self.tenant, body["next"]).position
        assert position >= self.position, "the token went back"
        self.position, self.token = position, body["next"]
        self.answers += 1

    def follow(self, limit: int = 50) -> list[str]:
        """Ask until there is no more. Returns the phones that were reported."""
        phones: list[str] = []
        while True:
            status, body = self.ask(limit)
            assert status == 200, body
            self.take(body)
            phones += [change["customer_phone"] for change in body["data"]]
            if not body["hasMore"]:
                return phones

    def list(self) -> dict[str, Any]:
        """The list of the API, page by page."""
        found: dict[str, Any] = {}
        while True:
            page = self.client.get(
                f"/users/{self.tenant}/leads?limit=100&offset={len(found)}&{self.query}"
            ).get_json()["data"]
            found |= {lead["customer_phone"]: lead for lead in page}
            if len(page) < 100:
                return found


@pytest.fixture
def copy(client: FlaskClient) -> Copy:
    made = Copy(client)
    made.begin()
    return made


def execute(conn: Connection, *commands: str) -> None:
    for command in commands:
        conn.execute(command.encode())


def test_a_change_is_reported_once_with_its_newest_state(filled: Platform, copy: Copy) -> None:
    assert copy.follow() == []
    for text in ("one", "two"):
        filled.message("c", text, at="2025-06-01 10:00:00")
        refresh_now(filled.conn)
    assert copy.follow() == ["4915"]
    assert copy.leads == copy.list()
    assert copy.follow() == []


def test_a_new_lead_and_a_deleted_one(filled: Platform, copy: Copy) -> None:
    agent = value(filled.conn, "SELECT min(agent_id) FROM agents")
    filled.conversation(agent, "77")
    refresh_now(filled.conn)
    assert copy.follow() == ["77"]
    execute(filled.conn, "DELETE FROM conversations WHERE customer_phone = '77'")
    refresh_now(filled.conn)
    status, body = copy.ask()
    assert (status, body["data"]) == (200, [{"customer_phone": "77", "deleted": True, "lead": None}])
    copy.take(body)
    assert copy.leads == copy.list()


def test_a_lead_that_comes_again_has_no_tombstone(filled: Platform, copy: Copy) -> None:
    agent = value(filled.conn, "SELECT min(agent_id) FROM agents")
    for _ in range(2):
        filled.conversation(agent, "77")
        refresh_now(filled.conn)
        execute(filled.conn, "DELETE FROM conversations WHERE customer_phone = '77'")
        refresh_now(filled.conn)
    filled.conversation(agent, "77")
    refresh_now(filled.conn)
    assert copy.follow() == ["77"]
    assert "77" in copy.leads
    assert value(filled.conn, "SELECT count(*) FROM read_model.lead_tombstones") == 0


@pytest.mark.parametrize("table", ["leads", "lead_profiles", "lead_messages", "lead_totals"])
def test_a_correction_is_reported_only_where_the_lead_differs(
    filled: Platform, copy: Copy, table: str
) -> None:
    spoilt = {
        "leads": "UPDATE read_model.leads SET document = '{}'",
        "lead_profiles": "UPDATE read_model.lead_profiles SET company = 'wrong'",
        "lead_messages": "UPDATE read_model.lead_messages SET status = 'failed'",
        "lead_totals": "UPDATE read_model.lead_totals SET leads = 7",
    }
    execute(filled.conn, spoilt[table])
    rebuild_now(filled.conn)
    assert copy.follow() == (["4915"] if table == "leads" else [])
    assert copy.leads == copy.list()


def test_a_rebuild_that_changes_nothing_reports_nothing(filled: Platform, copy: Copy) -> None:
    before = copy.token
    rebuild_now(filled.conn)
    refresh_now(filled.conn)
    assert copy.follow() == []
    assert copy.token == before


def test_only_what_differs_is_reported(filled: Platform, copy: Copy) -> None:
    """One batch recomputes both leads, and one of them is as it was."""
    agent = value(filled.conn, "SELECT min(agent_id) FROM agents")
    other = filled.conversation(agent, "77", shard=shard_of(filled.conn, "c"))
    refresh_now(filled.conn)
    copy.follow()
    execute(
        filled.conn, f"UPDATE conversations SET created_at = '2024-01-01' WHERE conversation_id = '{other}'"
    )
    execute(filled.conn, "UPDATE conversations SET is_active = NOT is_active WHERE conversation_id = 'c'")
    execute(filled.conn, "UPDATE conversations SET is_active = NOT is_active WHERE conversation_id = 'c'")
    refresh_now(filled.conn)
    assert copy.follow() == ["77"]


def test_a_lead_that_leaves_the_set_is_sent_as_deleted(filled: Platform, client: FlaskClient) -> None:
    copy = Copy(client, query="has_email=true")
    copy.begin()
    assert copy.leads == {}
    execute(filled.conn, "UPDATE extractions SET email = 'ann@example.com'")
    refresh_now(filled.conn)
    copy.follow()
    assert list(copy.leads) == ["4915"]
    execute(filled.conn, "UPDATE extractions SET email = NULL")
    refresh_now(filled.conn)
    status, body = copy.ask()
    assert (status, body["data"]) == (200, [{"customer_phone": "4915", "deleted": True, "lead": None}])
    copy.take(body)
    assert copy.leads == copy.list() == {}


def test_many_leads_of_one_version_come_page_by_page(filled: Platform, copy: Copy) -> None:
    """One batch writes all of them: the token is a version and a phone."""
    agent = value(filled.conn, "SELECT min(agent_id) FROM agents")
    for number in range(7):
        filled.conversation(agent, f"{50 + number}", shard=0)
    refresh_now(filled.conn)
    assert (
        value(filled.conn, "SELECT count(*) FROM read_model.leads GROUP BY version HAVING count(*) > 1") == 7
    )
    tokens = []
    while True:
        status, body = copy.ask(limit=2)
        assert (status, len(body["data"]) <= 2) == (200, True)
        # An answer that was lost is asked for again, and one that came twice is taken twice.
        assert copy.ask(limit=2)[1]["data"] == body["data"]
        copy.take(body)
        copy.take(body)
        tokens.append(body["next"])
        if not body["hasMore"]:
            break
    assert len(tokens) == 4
    assert copy.leads == copy.list()


def test_versions_of_a_tenant_commit_in_order(filled: Platform, copy: Copy) -> None:
    """A batch that has written and not committed keeps every later one of the tenant waiting: no gap can open."""
    agent = value(filled.conn, "SELECT min(agent_id) FROM agents")
    filled.conversation(agent, "77", shard=0)
    filled.conversation(agent, "88", shard=1)
    with refreshing(filled.database, "written", shard=0) as first:
        first.reach("written")
        with refreshing(filled.database, shard=1) as second:
            second.waits(filled.conn)
            assert copy.follow() == []
            first.finish()
            second.finish()
    assert copy.follow() == ["77", "88"]
    assert copy.leads == copy.list()


def test_a_batch_that_was_killed_reports_nothing_and_is_done_again(filled: Platform, copy: Copy) -> None:
    filled.message("c", "x", at="2025-07-01 10:00:00")
    with refreshing(filled.database, "written") as batch:
        batch.reach("written")
        filled.conn.execute("SELECT pg_terminate_backend(%s)", (batch.pid,))
        with pytest.raises(psycopg.OperationalError):
            batch.finish()
    assert copy.follow() == []
    refresh_now(filled.conn)
    assert copy.follow() == ["4915"]
    assert copy.leads == copy.list()


def test_a_tenant_that_was_unknown(filled: Platform, client: FlaskClient) -> None:
    copy = Copy(client, tenant="new")
    copy.begin()
    assert copy.follow() == []
    filled.tenant("new")
    filled.conversation(filled.agent("new"), "1")
    refresh_now(filled.conn)
    assert copy.follow() == ["1"]
    assert copy.leads == copy.list()


def test_a_token_that_is_older_than_the_tombstones_is_gone(filled: Platform, copy: Copy) -> None:
    old = copy.token
    agent = value(filled.conn, "SELECT min(agent_id) FROM agents")
    filled.conversation(agent, "77")
    refresh_now(filled.conn)
    execute(filled.conn, "DELETE FROM conversations WHERE customer_phone = '77'")
    refresh_now(filled.conn)
    copy.follow()
    tombstones.prune(filled.conn, 30)
    copy.token = old
    assert copy.ask()[0] == 200
    execute(filled.conn, "UPDATE read_model.lead_tombstones SET deleted_at = now() - interval '31 days'")
    tombstones.prune(filled.conn, 30)
    assert value(filled.conn, "SELECT count(*) FROM read_model.lead_tombstones") == 0
    status, body = copy.ask()
    assert status == 410
    assert "leads.ndjson" in body["message"]
    # Who has seen the deletion goes on.
    copy.begin()
    copy.leads.clear()
    filled.message("c", "x", at="2025-07-01 10:00:00")
    refresh_now(filled.conn)
    assert copy.follow() == ["4915"]


def test_an_erasure_ends_the_tokens_of_its_tenant_alone(filled: Platform, copy: Copy) -> None:
    agent = value(filled.conn, "SELECT min(agent_id) FROM agents")
    filled.conversation(agent, "77")
    filled.tenant("two")
    filled.conversation(filled.agent("two"), "1")
    refresh_now(filled.conn)
    other = Copy(copy.client, tenant="two")
    other.begin()
    copy.follow()
    execute(filled.conn, "DELETE FROM conversations WHERE customer_phone = '77'")
    erasure.erase(filled.conn, Target("one", "77"), progress=QUIET)
    assert copy.ask()[0] == 410
    assert value(filled.conn, "SELECT count(*) FROM read_model.lead_tombstones") == 0
    assert other.ask()[0] == 200
    copy.begin()
    assert copy.leads == copy.list()
    execute(filled.conn, "DELETE FROM messages", "DELETE FROM users WHERE user_id = 'two'")
    erasure.erase(filled.conn, Target("two"), progress=QUIET)
    assert other.ask()[0] == 410


def test_another_installation_ends_all_tokens(filled: Platform, copy: Copy) -> None:
    unknown = Copy(copy.client, tenant="nobody")
    unknown.begin()
    uninstall(filled.conn)
    migrate(filled.conn, create_source=False)
    rebuild_now(filled.conn)
    assert [copy.ask()[0], unknown.ask()[0]] == [410, 410]


def test_a_first_build_ends_tokens(filled: Platform, copy: Copy) -> None:
    rebuild_now(filled.conn, first=True)
    assert copy.ask()[0] == 410


def test_a_tenant_that_was_unknown_before_a_first_build(filled: Platform, client: FlaskClient) -> None:
    """The leads of a first build have no version, and a copy of an unknown tenant has none of them."""
    copy = Copy(client, tenant="new")
    copy.begin()
    filled.tenant("new")
    filled.conversation(filled.agent("new"), "1")
    rebuild_now(filled.conn, first=True)
    assert copy.follow() == ["1"]
    assert copy.leads == copy.list()


def test_a_token_from_the_time_before_a_restore_is_gone(filled: Platform, copy: Copy) -> None:
    """The versions begin from before again, and the token names one that is still to come."""
    filled.message("c", "x", at="2025-07-01 10:00:00")
    refresh_now(filled.conn)
    copy.follow()
    execute(filled.conn, "UPDATE read_model.tenants SET version = version - 1")
    assert copy.ask()[0] == 410


@dataclass
class FollowedBurst(Burst):
    """A burst with callers that keep copies of its tenants meanwhile, with each filter."""

    compared: int = 0

    def run(self) -> None:
        with serving(self.database) as app:
            self.app = app
            self.copies: list[Copy] = []
            super().run()

    def watchers(self) -> list[Any]:
        return [*super().watchers(), self._follow, self._follow]

    def _follow(self, conn: Connection, rng: Random) -> None:
        tenants = [row[0] for row in conn.execute("SELECT user_id FROM users ORDER BY user_id").fetchall()]
        own = []
        for tenant in tenants:
            for query in ("", rng.choice(FILTERS)):
                copy = Copy(self.app.test_client(), tenant, query)
                copy.begin()
                own.append(copy)
        self.copies += own
        while self._writing.is_set():
            self._follow_once(conn, rng, rng.choice(own))

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
        for copy in self.copies:
            copy.follow(limit=3)
            assert copy.leads == copy.list(), f"{copy.tenant} {copy.query}"
            self._follow_once(conn, Random(0), copy)
        assert not self.failures
        assert self.compared


@pytest.mark.parametrize("seed", [*SHORT, *(pytest.param(seed, marks=pytest.mark.long) for seed in LONG)])
def test_copies_follow_a_burst(database: Database, seed: int) -> None:
    FollowedBurst(database, seed).run()
