"""What docs/internals/replication-and-citus.md says of publications, partitions and a lost slot, on two servers.

The tests change the tables one after the other. Before and after each, everything has arrived, and every answer equals
an independent reading of the platform's rows.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from projector.database.schema import source_tables
from tests.acceptance.test_second_server import Load, followed
from tests.support.replication import address, replicated_platform
from tests.support.running import Scheduler, running_scheduler, value, wait_for, wait_until


@pytest.fixture(scope="module")
def started(stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Load, Scheduler]:
    """Both servers, with a publication as docs/scaling.md has it, and a scheduler."""
    both = stack.enter_context(replicated_platform())
    running = stack.enter_context(followed(both, tmp_path_factory.mktemp("run"), 21, both.origin_url))
    tables = ", ".join([*source_tables(), "numbers"])
    both.platform.execute(
        f"CREATE PUBLICATION listed FOR TABLE {tables} WITH (publish_via_partition_root = true)".encode()
    )
    both.conn.execute("ALTER SUBSCRIPTION leads SET PUBLICATION listed")
    return running


@pytest.fixture
def load(started: tuple[Load, Scheduler]) -> Iterator[Load]:
    running, _ = started
    yield running
    settle(running)


def settle(load: Load) -> None:
    """All that the platform commits arrives, and the answers are right."""
    load.write("insert message")
    load.settle()


def hold(load: Load, said: str) -> None:
    """As-of stands still, and readiness and status say why."""
    load.wait_until_told(said)
    held = len(load.committed)
    for _ in range(3):
        load.write("insert message")
        assert load.look() <= load.committed[held]


PARTITIONED = """
CREATE TABLE parted (LIKE messages INCLUDING DEFAULTS, PRIMARY KEY (message_id)) PARTITION BY RANGE (message_id);
CREATE TABLE messages_a PARTITION OF parted FOR VALUES FROM (MINVALUE) TO ('zz');
CREATE TABLE messages_b PARTITION OF parted FOR VALUES FROM ('zz') TO (MAXVALUE);
"""


def test_messages_get_partitions(load: Load) -> None:
    platform, conn = load.both.platform, load.both.conn
    with platform.transaction():
        platform.execute(PARTITIONED, prepare=False)
        # The new table is published when it has its rows, so that they do not arrive twice.
        platform.execute("INSERT INTO parted SELECT * FROM messages")
        platform.execute("DROP TABLE messages")
        platform.execute("ALTER TABLE parted RENAME TO messages")
        platform.execute("ALTER PUBLICATION listed ADD TABLE messages")
    for kind in ("insert message", "edit messages", "delete messages") * 3:
        load.write(kind)
    # The second server need not have partitions.
    settle(load)
    # A worker that goes on would write to the new table, whose copy then finds the rows there.
    conn.execute("ALTER SUBSCRIPTION leads DISABLE")
    wait_until(conn, "NOT EXISTS (SELECT FROM pg_stat_subscription WHERE pid IS NOT NULL)")
    with conn.transaction():
        conn.execute(PARTITIONED, prepare=False)
        conn.execute("DROP TABLE messages")
        conn.execute("ALTER TABLE parted RENAME TO messages")
    conn.execute("ALTER SUBSCRIPTION leads ENABLE")
    hold(load, "No subscription brings rows of public.messages_a, public.messages_b")
    conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")
    settle(load)


def test_a_slot_is_lost(
    started: tuple[Load, Scheduler], load: Load, stack: ExitStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, scheduler = started
    platform, conn = load.both.platform, load.both.conn
    platform.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    platform.execute("SELECT pg_reload_conf()")
    conn.execute("ALTER SUBSCRIPTION leads DISABLE")
    for _ in range(4):
        load.write()
        platform.execute("SELECT pg_switch_wal()")
    platform.execute("CHECKPOINT")
    assert value(platform, "SELECT wal_status FROM pg_replication_slots") == "lost"
    conn.execute("ALTER SUBSCRIPTION leads ENABLE")
    wait_for(lambda: "The subscription leads has no worker" in load.ready(), "it is told")
    scheduler.terminate()
    before = load.printed_as_of()
    load.both.copy_again(publication="listed", more_tables=["numbers"])
    # The API goes on with what it has, and says as of when that is.
    assert load.printed_as_of() == before
    settings = {"LEADS_ORIGIN_DATABASE_URL": load.both.origin_url}
    again = stack.enter_context(
        running_scheduler(address(conn), tmp_path_factory.mktemp("again"), **settings)
    )
    settle(load)
    assert not [event for event in again.events() if "rebuil" in event]
