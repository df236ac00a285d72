"""The rolling verify, slice by slice: everything once a round, whatever comes in between."""

from collections import Counter
from itertools import islice
from typing import Any

import psycopg
import pytest

from projector.core import pipeline
from projector.database.rows import Connection
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.observe.status.render import render
from projector.report.progress import QUIET
from projector.sweep import drift, recovery, rolling
from projector.sweep.compare import compare_piece
from projector.sweep.drift import Comparison, Drift, Item
from projector.sweep.pieces import Piece
from projector.sweep.run_log import read_clock
from projector.sweep.verify import verify
from tests.exactness.platform import Platform, assert_exact, refresh_now, value
from tests.support.points import at_points
from tests.unit.projector.sweep.clock import DAYS, finish_round, pass_time, slices

DAY = 86_400.0


def differences(conn: Connection) -> list[tuple[str, str, str]]:
    """What differs as far as is known: kind, tenant, phone."""
    return conn.execute(
        "SELECT kind, user_id, customer_phone FROM projector.drift WHERE ended_at IS NULL ORDER BY 1, 2, 3"
    ).fetchall()


def last_round(conn: Connection, column: str) -> Any:  # noqa: ANN401  # Whatever the column holds.
    return value(conn, f"SELECT {column} FROM projector.verify_rounds ORDER BY round_id DESC LIMIT 1")


def compared(monkeypatch: pytest.MonkeyPatch) -> dict[str, Counter[Any]]:
    """The leads and the phases that are compared from now on, and how often."""
    seen: dict[str, Counter[Any]] = {"leads": Counter(), "phases": Counter()}
    compare = compare_piece

    def noting(conn: Connection, piece: Piece, *, patience: float) -> Comparison:
        seen["leads"].update(piece.leads)
        seen["phases"].update([piece.phase])
        return compare(conn, piece, patience=patience)

    monkeypatch.setattr(rolling, "compare_piece", noting)
    return seen


def test_a_round_compares_each_lead_once_and_all_keys_and_statistics_once(
    world: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = world.conn
    conn.execute(
        "INSERT INTO read_model.lead_messages (user_id, message_id, customer_phone, conversation_id, sent_at, status)"
        " VALUES ('orphan', 'm', '1', 'c', now(), 'sent')"
    )
    seen = compared(monkeypatch)
    finish_round(conn)
    leads = conn.execute("SELECT user_id, customer_phone FROM read_model.leads").fetchall()
    assert len(leads) == 8
    assert seen["leads"] == Counter([*leads, ("orphan", "1")])
    assert (seen["phases"]["keys"], seen["phases"]["statistics"]) == (1, 1)
    # A round that finds nothing to do twice does not count a lead twice.
    assert (last_round(conn, "leads"), last_round(conn, "left_out")) == (8, 0)


def test_a_round_takes_most_of_its_days_in_even_slices_and_the_next_follows(world: Platform) -> None:
    passed = finish_round(world.conn)
    assert 0.7 * DAY * DAYS < passed < 0.85 * DAY * DAYS
    began = "SELECT count(*) FROM projector.verify_rounds"
    assert value(world.conn, began) == 1
    pass_time(world.conn, 0.89 * DAY - passed)
    assert next(slices(world.conn)) < 0.02 * DAY
    assert value(world.conn, began) == 1
    assert next(islice(slices(world.conn), 1, None)) > 0
    assert value(world.conn, began) == 2


# tests/unit/projector/sweep/test_in_place.py has every row that can be wrong; here is one of each phase of a round.
SPOILED = [
    ("UPDATE read_model.leads SET document = '{}' WHERE user_id = 'three'", ("lead", "three", "490")),
    (
        (
            "INSERT INTO read_model.lead_messages (user_id, message_id, customer_phone, conversation_id, sent_at,"
            " status) VALUES ('orphan', 'm', '1', 'c', now(), 'sent')"
        ),
        ("lead", "orphan", "1"),
    ),
    (
        "UPDATE projector.source_keys SET customer_phone = '999' WHERE kind = 'contact' AND customer_phone = '490'",
        ("contact", "one", "490"),
    ),
    ("DELETE FROM projector.source_keys WHERE kind = 'template_send'", ("template_send", "two", "497")),
    ("DELETE FROM projector.source_keys WHERE kind = 'contact' AND user_id = 'two'", ("contact", "two", "999")),
    ("DELETE FROM read_model.lead_daily_counts WHERE user_id = 'two'", ("statistics", "two", "")),
    (
        "INSERT INTO read_model.lead_totals VALUES ('nobody', 'hour', '2025-06-01', 1, 0, 0, 1, 0, 0, 0, 0, 0)",
        ("statistics", "nobody", ""),
    ),
]  # fmt: skip


def test_what_was_spoiled_is_found_within_a_round_and_is_history_once_it_is_healed(world: Platform) -> None:
    conn = world.conn
    for statement, _ in SPOILED:
        assert conn.execute(statement.encode()).rowcount >= 1
    finish_round(conn)
    assert {expected for _, expected in SPOILED} - {*differences(conn)} == set()
    # Reported, and not healed.
    [sentence] = find_attention(read_status(conn))
    assert "run `verify --all --heal`" in sentence
    assert last_round(conn, "differences") >= len(SPOILED)
    with world.database.connect() as own:
        assert verify(own, tenants=None, sample=None, heal=True, progress=QUIET).drifts
    status = read_status(conn)
    assert (find_attention(status), differences(conn)) == ([], [])
    assert "healed by `verify --heal`" in render(status)
    # What is left of a tenant that never was is its version.
    conn.execute("DELETE FROM read_model.tenants WHERE user_id IN ('orphan', 'nobody')")
    assert_exact(conn)


def test_statistics_that_are_right_again_are_history_after_a_round_and_after_a_verify(
    world: Platform,
) -> None:
    conn = world.conn

    def spoil(by: int) -> None:
        conn.execute("UPDATE read_model.lead_daily_counts SET leads = leads + %s WHERE user_id = 'two'", [by])

    for compare in (
        lambda: finish_round(conn),
        lambda: verify(conn, tenants=None, sample=None, heal=False, progress=QUIET),
    ):
        spoil(1)
        compare()
        assert differences(conn) == [("statistics", "two", "")]
        spoil(-1)
        compare()
        assert differences(conn) == []


def test_a_heal_that_fails_clears_nothing(world: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("the process ended")

    world.conn.execute("UPDATE read_model.leads SET document = '{}' WHERE user_id = 'three'")
    monkeypatch.setattr("projector.sweep.verify.rebuild_leads", fail)
    with world.database.connect() as own, pytest.raises(RuntimeError):
        verify(own, tenants=None, sample=None, heal=True, progress=QUIET)
    assert "1 item differs" in find_attention(read_status(world.conn))[0]


def test_nothing_clears_what_was_seen_since(world: Platform) -> None:
    conn, item = world.conn, Item("lead", "one", "490")
    before = read_clock(conn)
    drifts = [Drift(item.user_id, item.customer_phone, "name", "a", "b")]
    drift.record(conn, Comparison(read_clock(conn), 1, [item], [], drifts))
    drift.end(conn, [item], before=before, at=before, outcome="right")
    drift.end_all(conn, None, before, outcome="rebuilt")
    drift.end_all(conn, ["two"], read_clock(conn), outcome="rebuilt")
    assert differences(conn) == [("lead", "one", "490")]
    drift.end_all(conn, ["one"], read_clock(conn), outcome="rebuilt")
    assert differences(conn) == []


class KilledError(Exception):
    """Stands for the end of the process at this moment."""


@pytest.mark.parametrize("killed_at", ["compared", "moved"])
def test_killed_after_any_slice_the_next_process_goes_on_there(
    world: Platform, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    conn = world.conn
    seen = compared(monkeypatch)

    def kill(point: str) -> None:
        if point == killed_at:
            raise KilledError

    # Each slice in a process of its own; killed before its transaction, it is done again.
    for number in range(100):
        with world.database.connect() as own:
            if killed_at == "moved" or number % 2 == 0:
                with pytest.raises(KilledError), at_points(kill):
                    next(slices(own))
            else:
                next(slices(own))
        if value(conn, "SELECT count(*) = 1 FROM projector.verify_rounds WHERE finished_at IS NOT NULL"):
            break
        pass_time(conn, DAY)
    else:
        pytest.fail("The round does not end.")
    times = {"compared": 2, "moved": 1}[killed_at]
    assert len(seen["leads"]) == 8
    assert set(seen["leads"].values()) == {times}
    assert (seen["phases"]["keys"], seen["phases"]["statistics"]) == (times, times)
    assert (last_round(conn, "leads"), differences(conn)) == (8, [])


def test_a_lead_that_waits_is_compared_later_in_the_same_round(world: Platform) -> None:
    conn = world.conn
    agent = value(conn, "SELECT agent_id FROM agents WHERE user_id = 'one'")
    world.message(
        value(conn, "SELECT min(conversation_id) FROM conversations WHERE agent_id = %s", agent), "new"
    )
    conn.execute("UPDATE read_model.lead_profiles SET name = 'other' WHERE user_id = 'one'")
    [left_out] = conn.execute(
        "SELECT DISTINCT customer_phone FROM conversations WHERE conversation_id ="
        " (SELECT keys[1] FROM projector.changes)"
    ).fetchall()
    list(islice(slices(conn), 2))
    assert value(conn, "SELECT count(*) FROM projector.verify_left_out") == 1
    assert "1 to be looked at again" in render(read_status(conn))
    assert ("lead", "one", left_out[0]) not in differences(conn)
    with world.database.connect() as own:
        refresh_now(own)
    # The refresh of a message does not look at the name.
    finish_round(conn)
    assert ("lead", "one", left_out[0]) in differences(conn)
    assert (last_round(conn, "leads"), last_round(conn, "left_out")) == (8, 0)


def test_what_waits_to_the_end_of_a_round_is_counted(world: Platform) -> None:
    conn = world.conn
    conn.execute(
        "INSERT INTO projector.dead_letters (kind, key, user_id, customer_phone, error, attempts, first_failed_at,"
        " retry_at) SELECT 'reload_conversations', min(conversation_id), 'one', '490', 'e', 1, now(),"
        " now() + interval '1 year' FROM conversations"
    )
    passed = finish_round(conn)
    assert 0.89 * DAY < passed < 0.95 * DAY
    assert (last_round(conn, "leads"), last_round(conn, "left_out")) == (7, 1)
    assert "7 leads, 1 left out, no difference" in render(read_status(conn))
    conn.execute("DELETE FROM projector.dead_letters")
    finish_round(conn)
    assert (last_round(conn, "leads"), last_round(conn, "left_out")) == (8, 0)


def test_a_projector_that_was_off_catches_up_without_a_burst_whatever_the_clock_says(world: Platform) -> None:
    conn = world.conn
    next(slices(conn))
    # Nothing waits for a moment of a clock that was set back.
    pass_time(conn, -400 * DAY)
    done = last_round(conn, "rows_done")
    next(slices(conn))
    assert last_round(conn, "rows_done") > done
    pass_time(conn, 403 * DAY)
    # A tenth of the days for what was left.
    assert 0.05 * DAY < finish_round(conn) < 0.5 * DAY


def test_nothing_is_compared_while_a_truncated_table_waits(world: Platform) -> None:
    conn = world.conn
    conn.execute("TRUNCATE messages")
    assert next(slices(conn)) == rolling.GIVE_WAY_SECONDS
    assert (last_round(conn, "rows_done"), differences(conn)) == (0, [])
    refresh_now(conn)
    finish_round(conn)
    assert (last_round(conn, "leads"), differences(conn)) == (8, [])


def test_what_a_gap_has_hidden_is_no_drift(world: Platform) -> None:
    conn = world.conn
    rolling_on_gap: list[bool] = []

    def may_compare(own: Connection) -> bool:
        rolling_on_gap.append(recovery.find_rebuild_reasons(own).gap is None)
        # The trigger is dropped while the slice is compared.
        return len(rolling_on_gap) == 1 or rolling_on_gap[-1]

    conn.execute("ALTER TABLE messages DISABLE TRIGGER USER")
    conn.execute("UPDATE messages SET text = 'not seen'")
    next(slices(conn))
    pass_time(conn, 1)
    with world.database.connect() as own:
        pipeline.prepare_session(own)
        assert rolling.step(own, DAYS, may_compare=may_compare) == rolling.GIVE_WAY_SECONDS
    assert rolling_on_gap == [False, False]
    assert (differences(conn), last_round(conn, "rows_done")) == ([], 0)


def test_a_lead_that_cannot_be_computed_is_named_and_stops_no_other(world: Platform) -> None:
    conn = world.conn
    conn.execute(
        "INSERT INTO extractions (extraction_id, conversation_id, intent_score, urgency_score, budget_score, fit_score,"
        " engagement_score) SELECT gen_random_uuid(), conversation_id, 2147483647, 1, 1, 1, 1 FROM conversations"
        " WHERE customer_phone = '491' AND agent_id = (SELECT agent_id FROM agents WHERE user_id = 'one')"
    )
    conn.execute("DELETE FROM projector.changes")
    finish_round(conn)
    assert differences(conn) == [("lead", "one", "491")]
    assert last_round(conn, "leads") == 8
    assert "lead 491 of one (lead)" in find_attention(read_status(conn))[0]


def test_a_slice_that_fails_is_told_until_one_succeeds(world: Platform) -> None:
    conn = world.conn
    next(slices(conn))
    pass_time(conn, DAY / 10)
    conn.execute("ALTER TABLE projector.dead_letters RENAME TO elsewhere")
    with pytest.raises(psycopg.Error):
        next(slices(conn))
    conn.execute("ALTER TABLE projector.elsewhere RENAME TO dead_letters")
    [sentence] = find_attention(read_status(conn))
    assert "cannot go on with its verify: relation" in sentence
    assert "dead_letters" in sentence
    next(slices(conn))
    assert find_attention(read_status(conn)) == []


def test_a_round_of_another_version_is_given_up(world: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    conn = world.conn
    next(slices(conn))
    conn.execute("UPDATE projector.verify_rounds SET version = 'another'")
    conn.execute("UPDATE projector.sweep_positions SET version = 'another'")
    next(slices(conn))
    assert value(conn, "SELECT count(*) FROM projector.verify_rounds") == 1
    assert last_round(conn, "version") != "another"
    seen = compared(monkeypatch)
    finish_round(conn)
    assert (last_round(conn, "leads"), seen["phases"]["keys"]) == (8, 0)
