"""Source rows by logical replication, and the read model in a third database: both roads together."""

from datetime import datetime, timedelta

import pytest

from projector.operate.install import migrate
from projector.operate.origin.proof import Origin
from projector.scheduler.look import look
from projector.sides import on_read_model
from tests.exactness.platform import assert_exact, rebuild_now, refresh_now, value
from tests.support.road import address, replicated_platform
from tests.support.running import wait_for, wait_until, write_message
from tests.support.server import connect

# What holds the read model changes nothing of this.
pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


def test_what_has_not_arrived_is_not_promised_in_the_third_database() -> None:
    with replicated_platform() as road:
        road.conn.execute("CREATE DATABASE third")
        third = address(road.conn).replace(f"dbname={road.conn.info.dbname}", "dbname=third")
        with connect(address(road.conn), read_model_url=third) as conn:
            read_model = on_read_model(conn)
            assert read_model.info.dbname == "third"
            migrate(conn, create_source=False)
            wait_until(conn, "count(*) = 1 FROM public.conversations")
            rebuild_now(conn)
            write_message(road.platform, "m1")
            wait_until(conn, "count(*) = 1 FROM public.messages")
            origin = Origin(road.origin_url)
            try:

                def as_of_after_proof() -> datetime:
                    origin.follow(conn)
                    refresh_now(conn)
                    look(conn, timedelta(0))
                    found: datetime = value(read_model, "SELECT as_of FROM read_model.freshness")
                    return found

                conn.execute("ALTER SUBSCRIPTION leads DISABLE")
                wait_until(conn, "count(*) = 0 FROM pg_stat_subscription WHERE pid IS NOT NULL")
                later = value(road.platform, "SELECT clock_timestamp()")
                write_message(road.platform, "m2")
                assert as_of_after_proof() <= later
                assert "disabled" in value(read_model, "SELECT feed_problem FROM read_model.projection")
                conn.execute("ALTER SUBSCRIPTION leads ENABLE")
                wait_until(conn, "count(*) = 2 FROM public.messages")
                wait_for(lambda: as_of_after_proof() > later, "a proof")
                assert value(read_model, "SELECT count(*) FROM read_model.lead_messages") == 2
                assert value(read_model, "SELECT feed_problem FROM read_model.projection") is None
                assert_exact(conn)
            finally:
                origin.close()
