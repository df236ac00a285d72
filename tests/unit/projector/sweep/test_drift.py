"""The record of what differs: what ends it, and what does not."""

from datetime import datetime

import pytest

from projector.database.sql import query
from projector.observe.status import find_attention, read_status
from projector.report.progress import QUIET
from projector.sweep import drift
from projector.sweep import verify as verifying
from projector.sweep.drift import Comparison, Drift, Item
from projector.sweep.run_log import read_clock
from projector.sweep.verify import verify
from tests.support.running import value, write_conversations, write_source
from tests.support.server import Database
from tests.unit.projector.scheduler.running import Connection, build

LEAD = Item("lead", "u", "49151000001")
OPEN = "SELECT count(*) FROM projector.drift WHERE ended_at IS NULL"


@pytest.fixture
def drifted(connection: Connection) -> Connection:
    """Two tenants; the first lead of the first has drifted, which a verify has found."""
    write_source(connection)
    write_conversations(connection, 3, first=2)
    write_source(connection, tenant="v")
    build(connection)
    connection.execute(
        "UPDATE read_model.lead_profiles SET name = 'x' WHERE customer_phone = '49151000001' AND user_id = 'u'"
    )
    return connection


def verify_now(
    database: Database, tenants: list[str] | None, sample: int | None = None, *, heal: bool = False
) -> int:
    with database.connect() as own:
        return len(verify(own, tenants=tenants, sample=sample, heal=heal, progress=QUIET).drifts)


def repair(conn: Connection) -> None:
    conn.execute("UPDATE read_model.lead_profiles SET name = NULL")


def test_a_verify_of_another_tenant_clears_nothing(database: Database, drifted: Connection) -> None:
    assert verify_now(database, ["u"]) == 1
    assert verify_now(database, ["v"]) == 0
    assert value(drifted, OPEN) == 1
    assert "1 item differs" in find_attention(read_status(drifted))[0]


def test_a_sample_that_looked_at_the_lead_clears_it(database: Database, drifted: Connection) -> None:
    assert verify_now(database, None) == 1
    assert verify_now(database, None, sample=100) == 1
    assert value(drifted, OPEN) == 1
    repair(drifted)
    assert verify_now(database, None, sample=100) == 0
    assert value(drifted, "SELECT outcome FROM projector.drift") == "right"
    assert find_attention(read_status(drifted)) == []


def test_a_sample_of_other_leads_clears_nothing(
    database: Database, drifted: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verify_now(database, None) == 1
    monkeypatch.setattr(verifying, "sample_leads", lambda *_: [("u", "49151000002"), ("v", "49151000001")])
    assert verify_now(database, None, sample=2) == 0
    assert "1 item differs" in find_attention(read_status(drifted))[0]


def test_a_lead_that_waits_is_not_cleared(database: Database, drifted: Connection) -> None:
    assert verify_now(database, None) == 1
    repair(drifted)
    drifted.execute("UPDATE conversations SET is_active = false WHERE conversation_id = 'c-u-1'")
    assert verify_now(database, None) == 0
    assert value(drifted, OPEN) == 1
    build(drifted)
    assert verify_now(database, ["u"]) == 0
    assert value(drifted, OPEN) == 0


def test_a_heal_clears_what_it_healed_and_is_history(database: Database, drifted: Connection) -> None:
    assert verify_now(database, None) == 1
    assert verify_now(database, ["v"], heal=True) == 0
    assert value(drifted, OPEN) == 1
    assert verify_now(database, ["u"], heal=True) == 1
    status = read_status(drifted)
    assert find_attention(status) == []
    [ended] = status.verification.history
    assert (ended.outcome, ended.items) == ("healed", 1)
    last = status.last_run("verify")
    assert last is not None
    assert last.note == "1 field drifted, 1 lead healed"


def test_a_heal_that_fails_clears_nothing(
    database: Database, drifted: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("the process ended")

    monkeypatch.setattr(verifying, "rebuild_leads", fail)
    with pytest.raises(RuntimeError):
        verify_now(database, None, heal=True)
    assert "1 item differs" in find_attention(read_status(drifted))[0]


def note(conn: Connection, *fields: str, item: Item = LEAD) -> datetime:
    """Record a comparison that found these fields to differ; return when it began."""
    at = read_clock(conn)
    drifts = [Drift(item.user_id, item.customer_phone, one, "a", "b", item.kind, item.key) for one in fields]
    drift.record(conn, Comparison(at, 1, [] if item.key else [item], [], drifts))
    return at


PUBLISHED = "SELECT (open_differences, found_differences)::text FROM read_model.projection"


def test_what_is_seen_again_keeps_the_moment_at_which_it_was_found(connection: Connection) -> None:
    first = note(connection, "name")
    second = note(connection, "email", "company")
    row = connection.execute("SELECT fields, first_field, found_at, seen_at FROM projector.drift").fetchone()
    assert row == (2, "email", first, second)
    assert value(connection, PUBLISHED) == "(1,1)"


def test_what_was_left_out_stays_and_what_is_right_again_is_ended(connection: Connection) -> None:
    note(connection, "name")
    drift.record(connection, Comparison(read_clock(connection), 0, [], [LEAD], []))
    assert value(connection, OPEN) == 1
    note(connection)
    assert value(connection, OPEN) == 0
    # Found again, it is a new row.
    note(connection, "name")
    assert value(connection, "SELECT count(*) FROM projector.drift") == 2
    assert value(connection, PUBLISHED) == "(1,2)"


def test_nothing_clears_what_was_seen_since(connection: Connection) -> None:
    before = read_clock(connection)
    note(connection, "name")
    drift.end(connection, [LEAD], before=before, at=before, outcome="right")
    drift.end_rebuilt(connection, None, before)
    drift.end_rebuilt(connection, ["v"], read_clock(connection))
    assert value(connection, OPEN) == 1
    drift.end_rebuilt(connection, ["u"], read_clock(connection))
    assert value(connection, OPEN) == 0


def test_a_key_is_one_item_whatever_lead_it_was_found_under(connection: Connection) -> None:
    for phone in ("1", "2"):
        note(connection, "source keys", item=Item("contact", "u", phone, "k"))
    after = read_clock(connection)
    drift.end(connection, [Item("contact", key="other")], before=after, at=after, outcome="right")
    assert value(connection, OPEN) == 2
    drift.end(connection, [Item("contact", key="k")], before=after, at=after, outcome="right")
    assert value(connection, OPEN) == 0


def test_old_drift_is_pruned_once_it_is_right(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO projector.drift (kind, user_id, customer_phone, key, fields, first_field, found_at, seen_at,"
        " ended_at, outcome) SELECT 'lead', 'u', n::text, '', 1, 'f', now() - interval '30 days',"
        " now() - interval '30 days', CASE WHEN n = 1 THEN now() - interval '20 days' END,"
        " CASE WHEN n = 1 THEN 'healed' END FROM generate_series(1, 2) AS n"
    )
    connection.execute(
        "INSERT INTO projector.verify_rounds (version, days, started_at, finished_at, due_at, rows_total, leads_total)"
        " SELECT 'v', 1, now() - make_interval(days => n), now() - make_interval(days => n), now(), 1, 1"
        " FROM generate_series(15, 40) AS n"
    )
    connection.execute(query("scheduler", "prune_runs"), {"days": 14})
    assert value(connection, "SELECT string_agg(customer_phone, ',') FROM projector.drift") == "2"
    assert value(connection, "SELECT count(*) FROM projector.verify_rounds") == 1
