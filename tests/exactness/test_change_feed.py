"""A copy that replays the change feed is the list: each rule of the feed, in one schedule."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from flask.testing import FlaskClient

from projector.database.rows import Connection
from projector.operate import erase as erasure
from projector.operate.erase.ledger import Target
from projector.operate.install import migrate
from projector.operate.uninstall import uninstall
from projector.report.progress import QUIET
from projector.scheduler.jobs import prune_tombstones
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.feed_copy import Copy, serving
from tests.exactness.platform import Platform, rebuild_now, refresh_now, shard_of, value
from tests.support.server import Database, connect
from tests.support.standby import running_standby


@pytest.fixture
def client(filled: Platform) -> Iterator[FlaskClient]:
    with serving(filled.database) as made:
        yield made.test_client()


@pytest.fixture
def copy(client: FlaskClient) -> Copy:
    made = Copy(client)
    made.begin()
    return made


def _agent(platform: Platform) -> str:
    return str(value(platform.conn, "SELECT min(agent_id) FROM agents"))


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


def test_a_lead_that_is_new_goes_and_comes_again(filled: Platform, copy: Copy) -> None:
    for _ in range(2):
        filled.conversation(_agent(filled), "77")
        refresh_now(filled.conn)
        assert value(filled.conn, "SELECT count(*) FROM read_model.lead_tombstones") == 0
        assert copy.follow() == ["77"]
        assert "77" in copy.leads
        execute(filled.conn, "DELETE FROM conversations WHERE customer_phone = '77'")
        refresh_now(filled.conn)
        status, body = copy.ask()
        assert (status, body["data"]) == (200, [{"customer_phone": "77", "deleted": True, "lead": None}])
        copy.take(body)
        assert copy.leads == copy.list()


def test_only_what_differs_is_reported(filled: Platform, copy: Copy) -> None:
    """One batch recomputes both leads, and one of them is as it was."""
    other = filled.conversation(_agent(filled), "77", shard=shard_of(filled.conn, "c"))
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
    for number in range(8):
        filled.conversation(_agent(filled), f"{50 + number}", shard=0)
    refresh_now(filled.conn)
    assert (
        value(filled.conn, "SELECT count(*) FROM read_model.leads GROUP BY version HAVING count(*) > 1") == 8
    )
    tokens = []
    while True:
        status, body = copy.ask(limit=2)
        assert (status, len(body["data"]) <= 2) == (200, True)
        # The copy requests a lost answer again, and applies an answer twice if it came twice.
        assert copy.ask(limit=2)[1]["data"] == body["data"]
        copy.take(body)
        copy.take(body)
        tokens.append(body["next"])
        if not body["hasMore"]:
            break
    # The last page is full, and is marked as the last.
    assert len(tokens) == 4
    assert copy.leads == copy.list()


def test_a_token_that_is_older_than_the_tombstones_is_gone(filled: Platform, copy: Copy) -> None:
    old = copy.token
    filled.conversation(_agent(filled), "77")
    refresh_now(filled.conn)
    copy.follow()
    oldest = copy.token
    execute(filled.conn, "DELETE FROM conversations WHERE customer_phone = '77'")
    refresh_now(filled.conn)
    copy.follow()
    prune_tombstones(filled.conn, 30)
    newest = copy.token
    for copy.token in (old, oldest, newest):
        assert copy.ask()[0] == 200
    execute(filled.conn, "UPDATE read_model.lead_tombstones SET deleted_at = now() - interval '31 days'")
    prune_tombstones(filled.conn, 30)
    assert value(filled.conn, "SELECT count(*) FROM read_model.lead_tombstones") == 0
    # Who has seen the deletion goes on.
    assert copy.ask()[0] == 200
    for copy.token in (old, oldest):
        status, body = copy.ask()
        assert status == 410
        assert "leads.ndjson" in body["message"]
    copy.token = newest
    filled.message("c", "x", at="2025-07-01 10:00:00")
    refresh_now(filled.conn)
    assert copy.follow() == ["4915"]


def test_an_erasure_ends_the_tokens_of_its_tenant_alone(filled: Platform, copy: Copy) -> None:
    filled.conversation(_agent(filled), "77")
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


@pytest.mark.parametrize("bring_in", [refresh_now, partial(rebuild_now, first=True)])
def test_a_tenant_that_was_unknown(
    filled: Platform, client: FlaskClient, bring_in: Callable[[Connection], None]
) -> None:
    """The leads of a first build have no version, and a copy of an unknown tenant has none of them."""
    copy = Copy(client, tenant="new")
    copy.begin()
    filled.tenant("new")
    filled.conversation(filled.agent("new"), "1")
    bring_in(filled.conn)
    assert copy.follow() == ["1"]
    assert copy.leads == copy.list()


def test_a_token_from_the_time_before_a_restore_is_gone(filled: Platform, copy: Copy) -> None:
    """The versions restart from an earlier one, and the token names one that is still to come."""
    filled.message("c", "x", at="2025-07-01 10:00:00")
    refresh_now(filled.conn)
    copy.follow()
    execute(filled.conn, "UPDATE read_model.tenants SET version = version - 1")
    assert copy.ask()[0] == 410


def test_a_failover_ends_the_tokens_of_the_change_feed(start_server: Callable[..., EmbeddedServer]) -> None:
    """The standby may lack what the primary had already reported."""
    server = start_server(fast=True, wal_level="replica", max_wal_senders="5")
    with connect(server.url("leads")) as conn:
        migrate(conn, create_source=True)
        platform = Platform(conn)
        platform.tenant("one")
        platform.message(platform.conversation(platform.agent("one"), "4915"))
        rebuild_now(conn)
        with (
            running_standby(server, hot_standby_feedback="on") as replica,
            serving(Database(server.url("leads"), "leads")) as primary_api,
            serving(Database(replica.url, "leads")) as standby_api,
        ):
            copy = Copy(primary_api.test_client())
            copy.begin()
            # As long as it follows, it tells the same history.
            copy.client = standby_api.test_client()
            assert copy.follow() == []
            replica.promote()
            assert copy.ask()[0] == 410
            copy.begin()
            assert copy.leads == copy.list() != {}
            assert copy.follow() == []
