"""Where logical replication brings the source rows, freshness never claims what has not arrived."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from projector.core.refresh import refresh
from projector.database.schema import source_tables
from projector.observe.status import as_dict, find_attention, read_status, render
from projector.operate.origin.proof import Origin, note_once
from projector.report.progress import QUIET
from projector.scheduler.jobs.refresh import look
from projector.sweep.rebuild import rebuild
from tests.support.road import Road, address, drop_subscription, ready, replicated_platform
from tests.support.running import value, wait_for, wait_until, write_message
from tests.support.server import connect

Connection = psycopg.Connection[TupleRow]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def road() -> Iterator[Road]:
    with replicated_platform() as found:
        rebuild(found.conn, tenants=None, progress=QUIET)
        assert value(found.conn, "SELECT as_of FROM read_model.freshness") == EPOCH
        found.wait_until_as_of(EPOCH)
        yield found


def test_freshness_follows_the_platform_and_never_claims_more(road: Road) -> None:
    for _ in range(20):
        road.write()
        road.look()
    last = road.committed[road.write()]
    road.wait_until_as_of(last)
    assert road.problem() is None
    status = read_status(road.conn)
    assert find_attention(status) == []
    assert re.search(
        r"Origin +subscription leads: its worker is at \S+, \d+ \w+ behind; .+; all until \S+ \S+ UTC is proved",
        render(status),
    )


def test_freshness_goes_on_while_nothing_is_written(road: Road) -> None:
    for _ in range(2):
        road.wait_until_as_of(value(road.platform, "SELECT clock_timestamp()"))


def test_a_record_that_nothing_writes_to_the_disk_is_not_waited_for(road: Road) -> None:
    """A subscription does not get it, so as-of would stand still until a commit."""
    next_id = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    before = value(road.platform, next_id)
    road.wait_until_as_of(value(road.platform, "SELECT clock_timestamp()"))
    assert value(road.platform, next_id) == before

    def is_pushed() -> bool:
        with road.platform.transaction(force_rollback=True):
            road.platform.execute("SELECT pg_logical_emit_message(false, 'test', 'without a commit')")
        road.wait_until_as_of(value(road.platform, "SELECT clock_timestamp()"))
        return bool(value(road.platform, next_id) > before)

    # PostgreSQL may have written it by itself, as every 15 seconds.
    wait_for(is_pushed, "a transaction had it written", patience=10)


def test_a_transaction_that_is_still_open_is_not_waited_for(road: Road) -> None:
    with connect(address(road.platform)) as other, other.transaction():
        write_message(other, "open")
        road.wait_until_as_of(value(road.platform, "SELECT clock_timestamp()"))


def test_a_subscription_that_is_stuck_moves_nothing(road: Road) -> None:
    with connect(address(road.conn)) as holder, holder.transaction():
        # Readers pass, and so does the refresh.
        holder.execute("LOCK TABLE messages IN SHARE MODE")
        last = road.committed[road.write()]
        for _ in range(20):
            assert road.look() <= last
        status = read_status(road.conn)
        [found] = as_dict(status)["origin"]["subscriptions"]
        assert found["bytes_behind"] > 0
        assert find_attention(status) == []
        assert status.projection is not None
        later = replace(status.projection, read_at=status.projection.read_at + timedelta(minutes=3))
        [sentence] = find_attention(replace(status, projection=later))
        assert "Nothing is proved to have arrived from the platform for 3 min" in sentence
    road.wait_until_as_of(last)


def test_a_subscription_that_is_disabled_is_told(road: Road) -> None:
    assert ready(road) == (200, "")
    road.conn.execute("ALTER SUBSCRIPTION leads DISABLE")
    last = road.committed[road.write()]
    assert all(road.look() <= last for _ in range(5))
    reason = "The subscription leads is disabled"
    assert road.problem() == reason
    assert ready(road) == (503, f"Changes of the platform may not arrive: {reason}")
    status = read_status(road.conn)
    assert [sentence for sentence in find_attention(status) if reason in sentence]
    assert "subscription leads: disabled; " in render(status)
    assert as_dict(status)["origin"]["problem"] == reason
    # The cheap look of the scheduler is bound too.
    look(road.conn, timedelta(0))
    assert value(road.conn, "SELECT as_of FROM read_model.freshness") <= last
    road.conn.execute("ALTER SUBSCRIPTION leads ENABLE")
    road.wait_until_as_of(last)
    wait_for(lambda: road.look() is not None and road.problem() is None, "it is well again")
    assert ready(road) == (200, "")


def test_a_subscription_in_conflict_is_told(road: Road) -> None:
    name = f"m-{len(road.committed)}"
    write_message(road.conn, name)
    last = road.committed[road.write()]
    after = road.committed[road.write()]

    def is_told() -> bool:
        assert road.look() <= last
        return "failed" in (road.problem() or "")

    wait_for(is_told, "the conflict is told")
    status = read_status(road.conn)
    assert [sentence for sentence in find_attention(status) if "failed" in sentence]
    assert re.search(r"Origin .*; failed \d+ times?, seen last \d{4}-", render(status))
    assert road.look() <= last
    road.conn.execute("DELETE FROM messages WHERE message_id = %s", (name,))
    road.wait_until_as_of(after)
    wait_for(lambda: road.look() is not None and road.problem() is None, "it is well again")


def test_a_table_that_is_not_published_is_told(road: Road) -> None:
    others = ", ".join(name for name in source_tables() if name != "contacts")
    road.platform.execute(f"CREATE PUBLICATION most FOR TABLE {others}".encode())
    road.conn.execute("ALTER SUBSCRIPTION leads SET PUBLICATION most")
    name = road.write()
    last = road.committed[name]
    road.platform.execute(
        "INSERT INTO contacts (contact_id, user_id, phone, name) VALUES ('k', 'u', '49151000001', 'Ann')"
    )
    missed = value(road.platform, "SELECT clock_timestamp()")
    # What is published goes on arriving.
    wait_until(road.conn, "EXISTS (SELECT FROM messages WHERE message_id = %s)", name)
    assert all(road.look() <= last for _ in range(5))
    reason = "No subscription brings rows of public.contacts"
    assert reason in (road.problem() or "")
    assert ready(road)[0] == 503
    assert reason in ready(road)[1]
    status = read_status(road.conn)
    assert [sentence for sentence in find_attention(status) if reason in sentence]
    assert "no subscription brings rows of public.contacts" in render(status)
    assert as_dict(status)["origin"]["unfed_tables"] == ["public.contacts"]
    road.platform.execute("ALTER PUBLICATION most ADD TABLE contacts")
    road.conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")
    road.wait_until_as_of(missed)
    assert value(road.conn, "SELECT document::json ->> 'name' FROM read_model.leads") == "Ann"
    wait_for(lambda: road.look() is not None and road.problem() is None, "it is well again")
    assert find_attention(read_status(road.conn)) == []


def test_a_subscription_that_was_dropped_is_told_and_made_again(road: Road) -> None:
    """As docs/scaling.md says it for a slot that was lost."""
    drop_subscription(road.conn)
    last = road.committed[road.write()]
    for _ in range(3):
        assert road.look() <= last
    assert "No subscription brings rows" in (road.problem() or "")
    # The projector is stopped until the tables are copied: it would empty the read model first.
    road.subscribe_again()
    road.wait_until_as_of(last)
    wait_for(lambda: road.look() is not None and road.problem() is None, "it is well again")
    # A Road that looks has compared the messages already; what is left over from before would be too many.
    messages = "SELECT count(*) FROM read_model.lead_messages"
    assert value(road.conn, messages) == value(road.platform, "SELECT count(*) FROM messages")


def test_without_the_address_of_the_origin_nothing_is_proved(road: Road) -> None:
    before = road.look()
    stranger = replace(road, origin_url="", origin=Origin(""))
    road.write()
    for _ in range(3):
        assert stranger.look() <= max(before, value(road.conn, "SELECT proved_at FROM projector.origin"))
    assert "LEADS_ORIGIN_DATABASE_URL is not set" in (stranger.problem() or "")
    road.look()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"port": "1"}, "cannot be read by LEADS_ORIGIN_DATABASE_URL"),
        ({"password": "secret-word"}, "cannot be read by LEADS_ORIGIN_DATABASE_URL"),
        ({"dbname": "postgres"}, "without the replication slots of leads"),
    ],
)
def test_another_address_proves_nothing(road: Road, parameters: dict[str, str], said: str) -> None:
    url = make_conninfo(address(road.platform), **parameters)
    before = value(road.conn, "SELECT proved_at FROM projector.origin")
    note_once(road.conn, url)
    assert said in (road.problem() or "")
    assert "secret-word" not in (road.problem() or "")
    assert value(road.conn, "SELECT proved_at FROM projector.origin") == before
    road.look()


def test_a_platform_of_its_own_needs_no_proof(connection: Connection) -> None:
    rebuild(connection, tenants=None, progress=QUIET)
    before = value(connection, "SELECT clock_timestamp()")
    note_once(connection, "")
    refresh(connection, retry_failed=False, progress=QUIET)
    assert value(connection, "SELECT as_of FROM read_model.freshness") >= before
    assert value(connection, "SELECT feed_problem FROM read_model.projection") is None
    assert not look(connection, timedelta(0)).is_fed
