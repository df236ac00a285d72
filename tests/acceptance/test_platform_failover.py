"""The platform fails over to its standby, and the second server goes on with it, as the page on replication says."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tests.acceptance.test_second_server import Load, followed
from tests.support.replication import FIRST_WITH_FAILOVER_SLOTS, TwoServers, address, replicated_platform
from tests.support.running import Scheduler, running_scheduler, value, wait_for, wait_until
from tests.support.server import connect
from tests.support.standby import Standby, running_standby

WAITS_FOR_A_STANDBY = (
    "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'WaitForStandbyConfirmation'"
    " AND backend_type = 'walsender')"
)


def has_failover_slots(both: TwoServers) -> bool:
    """Whether the standby has the slot of the subscription, as from PostgreSQL 17 on."""
    return both.conn.info.server_version >= FIRST_WITH_FAILOVER_SLOTS


@contextmanager
def platform_with_standby(both: TwoServers) -> Iterator[Standby]:
    """A standby of the platform."""
    both.platform.execute("SELECT pg_create_physical_replication_slot('standby')")
    settings = {"primary_slot_name": "standby", "hot_standby_feedback": "on"}
    if has_failover_slots(both):
        settings["sync_replication_slots"] = "on"
    with running_standby(both.server, **settings) as standby:
        yield standby


def let_slots_fail_over(both: TwoServers, standby: Standby) -> None:
    """Let the second server wait for the standby, and wait until the standby has its slot."""
    with standby.connect() as conn:
        # Both have the same settings.
        for server in (both.platform, conn):
            server.execute("ALTER SYSTEM SET synchronized_standby_slots = 'standby'")
            server.execute("SELECT pg_reload_conf()")

        def is_there() -> bool:
            # PostgreSQL writes such a record every 15 seconds by itself, and the slot of the standby waits for one.
            both.platform.execute("SELECT pg_log_standby_snapshot()")
            return bool(
                value(
                    conn,
                    "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'leads'"
                    " AND synced AND NOT temporary AND invalidation_reason IS NULL",
                )
            )

        wait_for(is_there, "the standby has the slot")


def publisher(both: TwoServers, standby: Standby) -> str:
    """The address for the subscription, with both hosts."""
    return make_conninfo(standby.both(), password=both.platform.info.password, target_session_attrs="primary")


def origin_url(standby: Standby) -> str:
    """The address for the projector, with both hosts."""
    return standby.both(user="leads_origin", password="x")


def cut_off(both: TwoServers, standby: Standby) -> None:
    """Let the standby receive nothing more."""
    with standby.connect() as conn:
        conn.execute("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'")
        conn.execute("SELECT pg_reload_conf()")
    wait_until(
        both.platform, "NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'standby' AND active)"
    )


def fail_over(load: Load, standby: Standby) -> None:
    """Kill the primary, promote the standby, and forget the commits that are lost with the primary."""
    url = make_conninfo(standby.url, password=load.both.platform.info.password)
    load.both.server.stop(mode="immediate")
    load.both.platform.close()
    standby.promote()
    load.both.platform = connect(url)
    del load.committed[1 + value(load.both.platform, "SELECT max(n) FROM numbers") :]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[tuple[Load, Scheduler, Standby]]:
    """A platform with a standby, and a second server that follows whichever of them is the primary."""
    with replicated_platform(failover="true") as both, platform_with_standby(both) as standby:
        both.conn.execute(f"ALTER SUBSCRIPTION leads CONNECTION '{publisher(both, standby)}'".encode())
        with followed(both, tmp_path, 11, origin_url(standby)) as (load, scheduler):
            yield load, scheduler, standby
            load.both.platform.close()


def test_the_second_server_goes_on_with_the_new_primary(
    loaded: tuple[Load, Scheduler, Standby], tmp_path: Path, stack: ExitStack
) -> None:
    load, scheduler, standby = loaded
    both = load.both
    for _ in range(8):
        load.write()
    load.settle()
    if has_failover_slots(both):
        let_slots_fail_over(both, standby)
        load.write()
        load.settle()
    cut_off(both, standby)
    kept = len(load.committed)
    for _ in range(5):
        load.write()
    if has_failover_slots(both):
        # The second server gets nothing that the standby does not have.
        wait_until(both.platform, WAITS_FOR_A_STANDBY)
        fail_over(load, standby)
        assert len(load.committed) == kept
        write_while_nothing_is_sent(load)
    else:
        fail_over(load, standby)
        load.write()
        wait_for(lambda: "The subscription leads failed" in load.ready(), "the new primary lacks the slot")
        scheduler.terminate()
        both.copy_again(publisher(both, standby), more_tables=["numbers", "clashes"])
        settings = {"LEADS_ORIGIN_DATABASE_URL": origin_url(standby)}
        stack.enter_context(running_scheduler(address(both.conn), tmp_path, **settings))
    for _ in range(10):
        load.write()
    load.settle()


def write_while_nothing_is_sent(load: Load) -> None:
    """The new primary has the settings of the old one, whose slot for the standby it does not have."""
    held = len(load.committed)
    for _ in range(5):
        load.write()
    wait_until(load.both.platform, WAITS_FOR_A_STANDBY)
    assert load.look() <= load.committed[held]
    for command in ("ALTER SYSTEM RESET synchronized_standby_slots", "SELECT pg_reload_conf()"):
        load.both.platform.execute(command.encode())
