"""Where logical replication brings the source rows, freshness never claims what has not arrived."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.conninfo import make_conninfo

from projector.database.schema import source_tables
from projector.observe.status import as_dict, find_attention, read_status, render
from projector.operate.origin.proof import Origin, note_once
from projector.report.progress import QUIET
from projector.scheduler.refresh import look
from projector.sweep.rebuild import rebuild
from tests.support.replication import TwoServers, address, ready, replicated_platform
from tests.support.running import value, wait_for, wait_until, write_message
from tests.support.server import connect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def both() -> Iterator[TwoServers]:
    with replicated_platform() as found:
        rebuild(found.conn, tenants=None, progress=QUIET)
        assert value(found.conn, "SELECT as_of FROM read_model.freshness") == EPOCH
        found.wait_until_as_of(EPOCH)
        yield found


def test_freshness_follows_the_platform_and_never_claims_more(both: TwoServers) -> None:
    for _ in range(20):
        both.write()
        both.look()
    last = both.committed[both.write()]
    both.wait_until_as_of(last)
    assert both.problem() is None
    status = read_status(both.conn)
    assert find_attention(status) == []
    assert re.search(
        r"Origin +subscription leads: its worker is at \S+, \d+ \w+ behind; .+; all until \S+ \S+ UTC is proved",
        render(status),
    )
    # It goes on while nothing is written, whatever transaction is open.
    with connect(address(both.platform)) as other, other.transaction():
        write_message(other, "open")
        both.wait_until_as_of(value(both.platform, "SELECT clock_timestamp()"))


def test_a_record_that_nothing_writes_to_the_disk_is_not_waited_for(both: TwoServers) -> None:
    """A subscription does not get it, so as-of would stand still until a commit."""
    next_id = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    before = value(both.platform, next_id)
    both.wait_until_as_of(value(both.platform, "SELECT clock_timestamp()"))
    assert value(both.platform, next_id) == before

    def is_pushed() -> bool:
        with both.platform.transaction(force_rollback=True):
            both.platform.execute("SELECT pg_logical_emit_message(false, 'test', 'without a commit')")
        both.wait_until_as_of(value(both.platform, "SELECT clock_timestamp()"))
        return bool(value(both.platform, next_id) > before)

    # PostgreSQL may have written it by itself, as every 15 seconds.
    wait_for(is_pushed, "a transaction had it written", patience=10)


def test_a_subscription_that_is_stuck_moves_nothing(both: TwoServers) -> None:
    with connect(address(both.conn)) as holder, holder.transaction():
        # Readers pass, and so does the refresh.
        holder.execute("LOCK TABLE messages IN SHARE MODE")
        last = both.committed[both.write()]
        for _ in range(20):
            assert both.look() <= last
        status = read_status(both.conn)
        [found] = as_dict(status)["origin"]["subscriptions"]
        assert found["bytes_behind"] > 0
        assert find_attention(status) == []
        assert status.projection is not None
        status.projection.read_at += timedelta(minutes=3)
        [sentence] = find_attention(status)
        assert "Nothing is proved to have arrived from the platform for 3 min" in sentence
    both.wait_until_as_of(last)


def test_a_subscription_that_is_disabled_is_told(both: TwoServers) -> None:
    assert ready(both) == (200, "")
    both.conn.execute("ALTER SUBSCRIPTION leads DISABLE")
    last = both.committed[both.write()]
    assert all(both.look() <= last for _ in range(5))
    reason = "The subscription leads is disabled"
    assert both.problem() == reason
    assert ready(both) == (503, f"Changes of the platform may not arrive: {reason}")
    status = read_status(both.conn)
    assert [sentence for sentence in find_attention(status) if reason in sentence]
    assert "subscription leads: disabled; " in render(status)
    assert as_dict(status)["origin"]["problem"] == reason
    # The cheap look of the scheduler is bound too.
    look(both.conn, timedelta(0))
    assert value(both.conn, "SELECT as_of FROM read_model.freshness") <= last
    both.conn.execute("ALTER SUBSCRIPTION leads ENABLE")
    both.wait_until_as_of(last)
    wait_for(lambda: both.look() is not None and both.problem() is None, "it is well again")
    assert ready(both) == (200, "")


def test_a_subscription_in_conflict_is_told(both: TwoServers) -> None:
    name = f"m-{len(both.committed)}"
    write_message(both.conn, name)
    last = both.committed[both.write()]
    after = both.committed[both.write()]

    def is_told() -> bool:
        assert both.look() <= last
        return "failed" in (both.problem() or "")

    wait_for(is_told, "the conflict is told")
    status = read_status(both.conn)
    assert [sentence for sentence in find_attention(status) if "failed" in sentence]
    assert re.search(r"Origin .*; failed \d+ times?, seen last \d{4}-", render(status))
    assert both.look() <= last
    both.conn.execute("DELETE FROM messages WHERE message_id = %s", (name,))
    both.wait_until_as_of(after)
    wait_for(lambda: both.look() is not None and both.problem() is None, "it is well again")


def test_a_table_that_is_not_published_is_told(both: TwoServers) -> None:
    others = ", ".join(name for name in source_tables() if name != "contacts")
    both.platform.execute(f"CREATE PUBLICATION most FOR TABLE {others}".encode())
    both.conn.execute("ALTER SUBSCRIPTION leads SET PUBLICATION most")
    name = both.write()
    last = both.committed[name]
    both.platform.execute(
        "INSERT INTO contacts (contact_id, user_id, phone, name) VALUES ('k', 'u', '49151000001', 'Ann')"
    )
    missed = value(both.platform, "SELECT clock_timestamp()")
    # What is published goes on arriving.
    wait_until(both.conn, "EXISTS (SELECT FROM messages WHERE message_id = %s)", name)
    assert all(both.look() <= last for _ in range(5))
    reason = "No subscription brings rows of public.contacts"
    assert reason in (both.problem() or "")
    assert ready(both)[0] == 503
    assert reason in ready(both)[1]
    status = read_status(both.conn)
    assert [sentence for sentence in find_attention(status) if reason in sentence]
    assert "no subscription brings rows of public.contacts" in render(status)
    assert as_dict(status)["origin"]["unfed_tables"] == ["public.contacts"]
    both.platform.execute("ALTER PUBLICATION most ADD TABLE contacts")
    both.conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")
    both.wait_until_as_of(missed)
    assert value(both.conn, "SELECT document::json ->> 'name' FROM read_model.leads") == "Ann"
    wait_for(lambda: both.look() is not None and both.problem() is None, "it is well again")
    assert find_attention(read_status(both.conn)) == []


def test_without_the_address_of_the_origin_nothing_is_proved(both: TwoServers) -> None:
    before = both.look()
    stranger = replace(both, origin_url="", origin=Origin(""))
    both.write()
    for _ in range(3):
        assert stranger.look() <= max(before, value(both.conn, "SELECT proved_at FROM projector.origin"))
    assert "LEADS_ORIGIN_DATABASE_URL is not set" in (stranger.problem() or "")
    both.look()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"port": "1"}, "cannot be read by LEADS_ORIGIN_DATABASE_URL"),
        ({"password": "secret-word"}, "cannot be read by LEADS_ORIGIN_DATABASE_URL"),
        ({"dbname": "postgres"}, "without the replication slots of leads"),
    ],
)
def test_another_address_proves_nothing(both: TwoServers, parameters: dict[str, str], said: str) -> None:
    url = make_conninfo(address(both.platform), **parameters)
    before = value(both.conn, "SELECT proved_at FROM projector.origin")
    note_once(both.conn, url)
    assert said in (both.problem() or "")
    assert "secret-word" not in (both.problem() or "")
    assert value(both.conn, "SELECT proved_at FROM projector.origin") == before
    both.look()
