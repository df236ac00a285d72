"""What docs/scaling.md says of changes of the platform's tables, and of a lost slot, done on two servers.

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
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture(scope="module")
def started(stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Load, Scheduler]:
    """Both servers, with a publication as docs/scaling.md has it, and a scheduler."""
    both = stack.enter_context(replicated_platform())
    found = stack.enter_context(followed(both, tmp_path_factory.mktemp("run"), 21, both.origin_url))
    tables = ", ".join([*source_tables(), "numbers"])
    both.platform.execute(
        f"CREATE PUBLICATION listed FOR TABLE {tables} WITH (publish_via_partition_root = true)".encode()
    )
    both.conn.execute("ALTER SUBSCRIPTION leads SET PUBLICATION listed")
    return found


@pytest.fixture
def load(started: tuple[Load, Scheduler]) -> Iterator[Load]:
    found, _ = started
    yield found
    settle(found)


def settle(load: Load) -> None:
    """All that the platform commits arrives, and the answers are right."""
    load.write("insert_message")
    load.settle()


def on_both(load: Load, command: str) -> None:
    """On the second server first."""
    load.both.conn.execute(command.encode())
    load.both.platform.execute(command.encode())


def write_contact(load: Load) -> None:
    """Commit a row of contacts, in any case, with a number of its own."""
    with load.both.platform.transaction():
        load.both.platform.execute(
            "INSERT INTO contacts (contact_id, user_id, phone)"
            " SELECT 'new-' || %(n)s::text, min(user_id), %(n)s::text FROM users",
            {"n": str(len(load.committed))},
        )
        load.number()
    load.note_commit()


def write_to_new_partition(load: Load) -> None:
    """Commit a message that only the new partition takes."""
    load.both.platform.execute(
        "INSERT INTO messages (message_id, conversation_id, sender, text)"
        " SELECT 'zz-' || %s::text, min(conversation_id), 'user', 'new' FROM conversations",
        (len(load.committed),),
    )


def hold(load: Load, said: str) -> None:
    """As-of stands still, and readiness and status say why."""
    load.wait_until_told(said)
    held = len(load.committed)
    for _ in range(3):
        write_contact(load)
        assert load.look() <= load.committed[held]


def test_a_new_column_is_made_on_the_second_server_first(load: Load) -> None:
    on_both(load, "ALTER TABLE contacts ADD COLUMN remark text")
    load.both.platform.execute("UPDATE contacts SET remark = 'x'")
    settle(load)
    remarks = "SELECT count(*) FROM contacts WHERE remark = 'x'"
    assert value(load.both.conn, remarks) == value(load.both.platform, remarks) > 0


def test_a_new_column_of_the_platform_alone_is_told_and_goes_on_the_platform_first(load: Load) -> None:
    load.both.platform.execute("ALTER TABLE contacts ADD COLUMN more text")
    write_contact(load)
    hold(load, "The subscription leads failed")
    load.both.conn.execute("ALTER TABLE contacts ADD COLUMN more text")
    settle(load)
    load.both.platform.execute("ALTER TABLE contacts DROP COLUMN more")
    settle(load)
    load.both.conn.execute("ALTER TABLE contacts DROP COLUMN more")


def test_a_column_that_the_projection_reads_is_missed_at_once(load: Load) -> None:
    load.both.platform.execute("ALTER TABLE contacts DROP COLUMN company")
    load.wait_until_told("public.contacts without the column company")
    held = len(load.committed)
    load.write("insert_message")
    assert load.look() <= load.committed[held]
    load.both.platform.execute("ALTER TABLE contacts ADD COLUMN company varchar(255)")
    load.wait_until_told("missing until these tables are copied again: public.contacts")
    load.both.platform.execute("ALTER PUBLICATION listed DROP TABLE contacts")
    load.both.conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")
    load.both.conn.execute("TRUNCATE contacts")
    load.both.platform.execute("ALTER PUBLICATION listed ADD TABLE contacts")
    load.both.conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")


@pytest.mark.parametrize(
    "command",
    [
        "ALTER TABLE contacts RENAME COLUMN old_name TO new_name",
        "ALTER TABLE contacts ALTER COLUMN name TYPE text USING upper(name)",
    ],
)
def test_a_column_is_renamed_or_rewritten_while_the_platform_holds_its_table(
    load: Load, command: str
) -> None:
    on_both(load, "ALTER TABLE contacts ADD COLUMN IF NOT EXISTS old_name text")
    for _ in range(5):
        write_contact(load)
    with load.both.platform.transaction():
        load.both.platform.execute(command.encode())
        wait_until(
            load.both.conn,
            "(SELECT latest_end_lsn FROM pg_stat_subscription WHERE subname = 'leads' AND relid IS NULL)"
            " >= %s::pg_lsn",
            value(load.both.platform, "SELECT pg_current_wal_flush_lsn()::text"),
        )
        load.both.conn.execute(command.encode())
    write_contact(load)


def test_rows_that_wait_come_with_the_old_name_of_a_column(load: Load) -> None:
    on_both(load, "ALTER TABLE contacts ADD COLUMN note text")
    settle(load)
    load.both.conn.execute("ALTER SUBSCRIPTION leads DISABLE")
    wait_until(load.both.conn, "NOT EXISTS (SELECT FROM pg_stat_subscription WHERE pid IS NOT NULL)")
    write_contact(load)
    on_both(load, "ALTER TABLE contacts RENAME COLUMN note TO renamed")
    load.both.conn.execute("ALTER SUBSCRIPTION leads ENABLE")
    hold(load, "The subscription leads failed")
    with load.both.conn.transaction():
        # What waits on the platform has one name or the other.
        load.both.conn.execute("ALTER TABLE contacts ADD COLUMN note text")
    settle(load)
    load.both.conn.execute("ALTER TABLE contacts DROP COLUMN note")


def test_a_table_is_published_later(load: Load) -> None:
    for conn in (load.both.conn, load.both.platform):
        conn.execute("CREATE TABLE later (n integer PRIMARY KEY)")
    load.both.platform.execute("INSERT INTO later VALUES (1)")
    load.both.platform.execute("ALTER PUBLICATION listed ADD TABLE later")
    load.both.conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")
    load.both.platform.execute("INSERT INTO later VALUES (2)")
    wait_until(load.both.conn, "count(*) = 2 FROM later")
    # Its rows are there before its copy has ended, and until then nothing may drop it.
    wait_until(load.both.conn, "bool_and(srsubstate = 'r') FROM pg_subscription_rel")
    for conn in (load.both.platform, load.both.conn):
        conn.execute("DROP TABLE later")


PARTITIONED = """
CREATE TABLE parted (LIKE messages INCLUDING DEFAULTS, PRIMARY KEY (message_id)) PARTITION BY RANGE (message_id);
CREATE TABLE messages_a PARTITION OF parted FOR VALUES FROM (MINVALUE) TO ('zz');
CREATE TABLE messages_b PARTITION OF parted FOR VALUES FROM ('zzz') TO (MAXVALUE);
"""


def test_messages_get_partitions_and_another_one_and_lose_it(load: Load) -> None:
    platform, conn = load.both.platform, load.both.conn
    with platform.transaction():
        platform.execute(PARTITIONED, prepare=False)
        # The new table is published when it has its rows, so that they do not arrive twice.
        platform.execute("INSERT INTO parted SELECT * FROM messages")
        platform.execute("DROP TABLE messages")
        platform.execute("ALTER TABLE parted RENAME TO messages")
        platform.execute("ALTER PUBLICATION listed ADD TABLE messages")
    for kind in ("insert_message", "update_message_text", "delete_message") * 3:
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
    # A new partition on the second server first, and on the platform alone.
    on_both(load, NEW_PARTITION)
    write_to_new_partition(load)
    settle(load)
    lose_rows_of_new_partition(load)
    conn.execute("DROP TABLE messages_c")
    settle(load)
    write_to_new_partition(load)
    hold(load, "The subscription leads failed")
    conn.execute(NEW_PARTITION)
    settle(load)
    lose_rows_of_new_partition(load)
    for server in (platform, conn):
        server.execute("DROP TABLE messages_c")


NEW_PARTITION = "CREATE TABLE messages_c PARTITION OF messages FOR VALUES FROM ('zz') TO ('zzz')"


def lose_rows_of_new_partition(load: Load) -> None:
    load.both.platform.execute("DELETE FROM messages WHERE message_id LIKE 'zz-%%'")
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
