"""The platform fails over to its standby, and the second server goes on with it, as the page on replication says."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tests.acceptance.test_second_server import Load, followed
from tests.support.replication import (
    TwoServers,
    address,
    has_failover_slots,
    let_slots_fail_over,
    origin_url,
    platform_with_standby,
    publisher,
    replicated_platform,
)
from tests.support.running import Scheduler, running_scheduler, value, wait_for, wait_until
from tests.support.server import connect
from tests.support.standby import Standby

WAITS_FOR_A_STANDBY = (
    "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'WaitForStandbyConfirmation'"
    " AND backend_type = 'walsender')"
)


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
