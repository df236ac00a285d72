"""The read model in a database of its own is as exact as beside the source tables."""

from random import Random

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.observe.status import read_status
from projector.operate.install import migrate
from projector.operate.tenants import read_tenants
from projector.operate.uninstall import uninstall
from projector.report.progress import QUIET
from projector.sides import is_apart, on_read_model
from projector.sweep.verify import verify
from tests.exactness.platform import Platform, assert_exact, document, rebuild_now, refresh_now, texts, value
from tests.exactness.random_load import Burst
from tests.support import edge_cases
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

SCHEMAS = (
    "SELECT array_agg(nspname::text ORDER BY nspname) FROM pg_namespace"
    " WHERE nspname IN ('read_model', 'projector', 'leads_access', 'leads_sql')"
)
TABLES = "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'"


def fill(platform: Platform) -> None:
    """One lead with a row in every table of the platform."""
    conversation = platform.conversation(platform.agent("one"), "4915")
    platform.message(conversation, "first")
    platform.conn.execute(
        "INSERT INTO extractions (extraction_id, conversation_id, email) VALUES (gen_random_uuid(), %s, 'a@b.c')",
        (conversation,),
    )
    platform.contact("one", "+4915", "Ann")
    platform.send(platform.template("one"), "4915")


def test_each_side_has_its_tables_only(conn: Connection) -> None:
    assert is_apart(conn)
    read_model = on_read_model(conn)
    assert value(conn, SCHEMAS) == ["projector"]
    assert value(read_model, SCHEMAS) == ["leads_access", "leads_sql", "projector", "read_model"]
    # Functions alone, which compute printed values.
    assert value(read_model, TABLES, "projector") == 0
    assert value(read_model, TABLES, "public") == 0
    assert value(read_model, "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0


def test_changes_are_brought_in(platform: Platform, conn: Connection) -> None:
    fill(platform)
    refresh_now(conn)
    assert_exact(conn)
    printed = document(on_read_model(conn), "one", "4915")
    assert printed is not None
    assert (printed["name"], printed["email"], printed["total_messages"]) == ("Ann", "a@b.c", 1)
    platform.conn.execute("UPDATE messages SET text = 'second'")
    platform.conn.execute("DELETE FROM contacts")
    refresh_now(conn)
    assert_exact(conn)
    assert texts(on_read_model(conn), "one", "4915") == ["second"]
    platform.conn.execute("TRUNCATE users CASCADE")
    refresh_now(conn)
    assert_exact(conn)
    assert value(on_read_model(conn), "SELECT count(*) FROM read_model.leads") == 0


@pytest.mark.parametrize("first", [True, False], ids=["the first build", "a rebuild in place"])
def test_a_rebuild_makes_everything_right(platform: Platform, conn: Connection, *, first: bool) -> None:
    edge_cases.write(platform.conn, edge_cases.generate(Random(3), 40))
    read_model = on_read_model(conn)
    rebuild_now(conn)
    read_model.execute("UPDATE read_model.leads SET document = 'wrong'")
    read_model.execute("DELETE FROM read_model.lead_messages WHERE hashtext(message_id) % 3 = 0")
    read_model.execute("UPDATE read_model.lead_totals SET leads = leads + 1")
    conn.execute("DELETE FROM projector.source_keys WHERE hashtext(key) % 3 = 0")
    rebuild_now(conn, first=first)
    refresh_now(conn)
    assert_exact(conn)


def test_a_verify_finds_what_differs_and_heals_it(platform: Platform, conn: Connection) -> None:
    fill(platform)
    refresh_now(conn)
    on_read_model(conn).execute("UPDATE read_model.lead_profiles SET name = 'wrong'")
    found = verify(conn, tenants=None, sample=None, heal=True, progress=QUIET)
    assert {drift.field for drift in found.drifts} == {"profile.name"}
    assert found.healed == 1
    assert_exact(conn)
    sample = verify(conn, tenants=["one"], sample=10, heal=False, progress=QUIET)
    assert (sample.checked, sample.drifts) == (1, [])


def test_what_waits_is_no_drift(platform: Platform, conn: Connection) -> None:
    fill(platform)
    refresh_now(conn)
    platform.conn.execute("UPDATE messages SET text = 'second'")
    found = verify(conn, tenants=None, sample=None, heal=False, progress=QUIET)
    assert (found.drifts, found.left_out) == ([], 1)


def test_status_and_tenants_read_both_sides(platform: Platform, conn: Connection) -> None:
    fill(platform)
    refresh_now(conn)
    status = read_status(conn)
    assert status.projection is not None
    assert status.projection.as_of is not None
    assert status.projection.capture_gap is None
    assert {size.table_name.partition(".")[0] for size in status.sizes} == {"projector", "read_model"}
    [tenant] = read_tenants(conn).tenants
    assert (tenant.user_id, tenant.leads, tenant.messages, tenant.dead_letters) == ("one", 1, 1, 0)


def test_a_lead_that_cannot_be_projected_is_set_aside_and_retried(
    platform: Platform, conn: Connection
) -> None:
    fill(platform)
    bad = platform.conversation(platform.agent("one"), "4916")
    platform.conn.execute(
        "INSERT INTO extractions (extraction_id, conversation_id, intent_score, urgency_score, budget_score,"
        " fit_score, engagement_score) VALUES (gen_random_uuid(), %s, 2147483647, 1, 1, 1, 1)",
        (bad,),
    )
    refresh_now(conn)
    read_model = on_read_model(conn)
    assert value(read_model, "SELECT dead_letters FROM read_model.tenants") == 1
    assert texts(read_model, "one", "4915") == ["first"]
    platform.conn.execute("UPDATE extractions SET intent_score = 1")
    refresh_now(conn)
    assert value(read_model, "SELECT dead_letters FROM read_model.tenants") == 0
    assert_exact(conn)


def test_uninstall_removes_both_sides(conn: Connection, database: Database) -> None:
    uninstall(conn)
    for side in (conn, on_read_model(conn)):
        assert value(side, SCHEMAS) is None
    assert value(conn, "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0
    with database.connect() as again:
        migrate(again, create_source=False)
        rebuild_now(again)
        assert_exact(again)


@pytest.mark.parametrize(
    ("engine", "seed"),
    [
        ("postgresql", 0),
        ("postgresql", 1),
        ("citus", 0),
        pytest.param("coordinator", 1, marks=pytest.mark.citus),
    ],
    indirect=["engine"],
)
def test_after_a_burst_the_read_model_is_exact(database: Database, seed: int) -> None:
    Burst(database, seed).run()
