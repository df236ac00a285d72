"""Where logical replication brings the source rows, freshness never claims what has not arrived.

tests/acceptance/test_second_server.py has what keeps changes from arriving.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from psycopg.conninfo import make_conninfo

from projector.operate.origin.proof import Origin, note_once
from tests.exactness.platform import rebuild_now, refresh_now
from tests.support.replication import TwoServers, address, replicated_platform
from tests.support.running import value, wait_for, write_message

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def both() -> Iterator[TwoServers]:
    with replicated_platform() as both:
        rebuild_now(both.conn)
        assert value(both.conn, "SELECT as_of FROM read_model.freshness") == EPOCH
        yield both


@pytest.fixture
def origin(both: TwoServers) -> Iterator[Origin]:
    """What the scheduler keeps, which has proved something."""
    with closing(Origin(both.origin_url)) as made:
        wait_until_as_of(both, made, EPOCH)
        yield made


def look(both: TwoServers, origin: Origin) -> tuple[datetime, list[str]]:
    """Do what the scheduler does. Returns as of when the read model is, and its messages."""
    origin.follow(both.conn)
    refresh_now(both.conn)
    [(as_of, messages)] = both.conn.execute(
        "SELECT f.as_of, ARRAY(SELECT m.message_id FROM read_model.lead_messages AS m)"
        " FROM read_model.freshness AS f"
    ).fetchall()
    return as_of, messages


def wait_until_as_of(both: TwoServers, origin: Origin, moment: datetime) -> None:
    wait_for(lambda: look(both, origin)[0] > moment, f"freshness passes {moment}")


def test_a_record_that_nothing_writes_to_the_disk_is_not_waited_for(both: TwoServers, origin: Origin) -> None:
    """A subscription does not get it, so as-of would stand still until a commit."""
    next_id = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    before = value(both.platform, next_id)
    wait_until_as_of(both, origin, value(both.platform, "SELECT clock_timestamp()"))
    assert value(both.platform, next_id) == before

    def is_pushed() -> bool:
        with both.platform.transaction(force_rollback=True):
            both.platform.execute("SELECT pg_logical_emit_message(false, 'test', 'without a commit')")
        wait_until_as_of(both, origin, value(both.platform, "SELECT clock_timestamp()"))
        return bool(value(both.platform, next_id) > before)

    # PostgreSQL may have written it by itself, as every 15 seconds.
    wait_for(is_pushed, "a transaction had it written", patience=10)


def test_a_clock_of_the_platform_that_was_set_back_takes_its_moments_back(
    both: TwoServers, origin: Origin
) -> None:
    later = value(both.platform, "SELECT clock_timestamp() + interval '1 h'")
    origin._moments.append((later, "0/1"))  # noqa: SLF001  # One that was read before.
    both.conn.execute("UPDATE projector.origin SET proved_at = %s", (later,))
    both.conn.execute(
        "UPDATE read_model.freshness SET as_of = %s, shards = array_fill(%s, ARRAY[4])", (later, later)
    )
    origin.follow(both.conn)
    assert value(both.conn, "SELECT greatest(as_of, shards[1]) < %s FROM read_model.freshness", later)
    write_message(both.platform, "m")
    committed = value(both.platform, "SELECT clock_timestamp()")

    def is_promised() -> bool:
        as_of, messages = look(both, origin)
        assert as_of <= committed or messages == ["m"]
        return bool(as_of > committed)

    wait_for(is_promised, f"freshness passes {committed}")
    assert value(both.conn, "SELECT proved_at < %s FROM projector.origin", later)


@pytest.mark.parametrize("parameters", [{"port": "1"}, {"password": "secret-word"}])
@pytest.mark.usefixtures("origin")
def test_another_address_proves_nothing(
    both: TwoServers, parameters: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projector.operate.origin.proof._MOST_ONCE_SECONDS", 0.2)
    before = value(both.conn, "SELECT proved_at FROM projector.origin")
    note_once(both.conn, make_conninfo(address(both.platform), **parameters))
    problem = value(both.conn, "SELECT feed_problem FROM read_model.projection")
    assert "cannot be read by LEADS_ORIGIN_DATABASE_URL" in problem
    assert "secret-word" not in problem
    assert value(both.conn, "SELECT proved_at FROM projector.origin") == before
