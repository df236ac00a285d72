"""Where logical replication brings the source rows, freshness never claims what has not arrived.

tests/acceptance/test_second_server.py has what keeps changes from arriving.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from psycopg.conninfo import make_conninfo

from projector.operate.origin.proof import note_once
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.replication import TwoServers, address, replicated_platform
from tests.support.running import value, wait_for

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def both() -> Iterator[TwoServers]:
    with replicated_platform() as found:
        rebuild(found.conn, tenants=None, progress=QUIET)
        assert value(found.conn, "SELECT as_of FROM read_model.freshness") == EPOCH
        found.wait_until_as_of(EPOCH)
        yield found


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


def test_a_clock_of_the_platform_that_was_set_back_takes_its_moments_back(both: TwoServers) -> None:
    later = value(both.platform, "SELECT clock_timestamp() + interval '1 h'")
    both.origin._moments.append((later, "0/1"))  # noqa: SLF001  # One that was read before.
    both.conn.execute("UPDATE projector.origin SET proved_at = %s", (later,))
    both.conn.execute(
        "UPDATE read_model.freshness SET as_of = %s, shards = array_fill(%s, ARRAY[4])", (later, later)
    )
    both.origin.follow(both.conn)
    assert value(both.conn, "SELECT greatest(as_of, shards[1]) < %s FROM read_model.freshness", later)
    both.wait_until_as_of(both.committed[both.write()])
    assert value(both.conn, "SELECT proved_at < %s FROM projector.origin", later)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"port": "1"}, "cannot be read by LEADS_ORIGIN_DATABASE_URL"),
        ({"password": "secret-word"}, "cannot be read by LEADS_ORIGIN_DATABASE_URL"),
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
