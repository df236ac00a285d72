"""A read model on Citus itself, where LEADS_CITUS_URL names a coordinator."""

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.progress import QUIET
from projector.sides import is_distributed, on_read_model
from projector.verify import verify
from tests.exactness.apart.test_citus import LOGIN, ask_everything, fill, reader
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now, value
from tests.support.citus import DISTRIBUTED, READ_MODEL
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

pytestmark = [
    pytest.mark.citus,
    pytest.mark.parametrize("engine", ["coordinator"], indirect=True),
]


def test_each_table_is_on_the_servers(conn: Connection) -> None:
    assert is_distributed(conn)
    placed: dict[str, str] = dict(
        on_read_model(conn)
        .execute(
            "SELECT c.relname, p.partmethod::text FROM pg_dist_partition AS p"
            " INNER JOIN pg_class AS c ON c.oid = p.logicalrelid"
            " WHERE c.relnamespace = 'read_model'::regnamespace"
        )
        .fetchall()
    )
    assert placed == {name: "h" if name in DISTRIBUTED else "n" for name in READ_MODEL}
    beside = "SELECT count(DISTINCT p.colocationid) FROM pg_dist_partition AS p WHERE p.partmethod = 'h'"
    assert value(on_read_model(conn), beside) == 1


def test_each_request_goes_to_one_server(platform: Platform, conn: Connection, database: Database) -> None:
    fill(platform, "one", "two")
    rebuild_now(conn)
    refresh_now(conn)
    counted = (
        "SELECT query_execution_single_shard, query_execution_multi_shard FROM citus_stat_counters"
        " WHERE name = current_database()"
    )
    read_model = on_read_model(conn)
    with reader(database) as url:
        before = read_model.execute(counted).fetchone() or (0, 0)
        ask_everything(url)
        after = read_model.execute(counted).fetchone() or (0, 0)
    assert after[0] > before[0], f"{LOGIN} asked nothing"
    assert after[1] == before[1]


def test_what_is_wrong_is_found_and_made_right(platform: Platform, conn: Connection) -> None:
    fill(platform, "one", "two", "three")
    refresh_now(conn)
    assert_exact(conn)
    on_read_model(conn).execute("UPDATE read_model.lead_profiles SET name = 'wrong' WHERE user_id = 'two'")
    on_read_model(conn).execute("UPDATE read_model.lead_totals SET leads = leads + 1 WHERE user_id = 'one'")
    found = verify(conn, tenants=None, sample=None, heal=True, progress=QUIET)
    assert {drift.user_id for drift in found.drifts} == {"one", "two"}
    assert_exact(conn)
    platform.conn.execute("TRUNCATE users CASCADE")
    refresh_now(conn)
    assert_exact(conn)
