"""The rounds as they are stored."""

from datetime import timedelta

import psycopg
import pytest

from projector.sweep.drift_log import Item
from projector.sweep.rebuild.run_log import read_clock
from projector.sweep.verify import rounds
from projector.sweep.verify.rounds import Finished, Move
from tests.exactness.platform import Platform
from tests.support.running import value


def test_there_is_one_present_round(world: Platform) -> None:
    conn = world.conn
    now = read_clock(conn)
    assert rounds.read_present(conn) is None
    begun = rounds.begin(conn, 1.0, now)
    assert (begun.phase, begun.after, begun.due_at, begun.reached_at) == ("leads", ("", ""), now, None)
    with pytest.raises(psycopg.errors.UniqueViolation):
        rounds.begin(conn, 1.0, now)
    moved = Move("keys", ("contact", "k"), now + timedelta(hours=1), None, 7, 5, 2)
    rounds.move(conn, begun, 2.0, moved)
    present = rounds.read_present(conn)
    assert present is not None
    assert (present.phase, present.after, present.rows_done, present.leads, present.differences) == (
        "keys", ("contact", "k"), 7, 5, 2,
    )  # fmt: skip
    assert rounds.read_last_start(conn) is None
    rounds.leave_out(conn, [Item("lead", "one", "490")], now)
    assert rounds.finish(conn, present, now) == Finished(5, 1, 2)
    assert rounds.read_last_start(conn) == now
    assert not rounds.has_left_out(conn)


def test_a_verify_by_hand_does_not_tell_the_scheduler_when_to_begin(world: Platform) -> None:
    rounds.add_finished(world.conn, read_clock(world.conn), Finished(8, 0, 0))
    assert rounds.read_last_start(world.conn) is None
    assert value(world.conn, "SELECT leads FROM projector.verify_rounds") == 8


def test_what_was_left_out_longest_ago_comes_first(world: Platform) -> None:
    conn, now = world.conn, read_clock(world.conn)
    one, two, three = (Item("lead", "one", phone) for phone in ("1", "2", "3"))
    rounds.leave_out(conn, [one, two, three], now)
    rounds.leave_out(conn, [one], now + timedelta(minutes=1))
    assert rounds.find_left_out(conn, now + timedelta(hours=1), 5) == [two, three, one]
    assert rounds.find_left_out(conn, now + timedelta(seconds=1), 1) == [two]
    rounds.take_in(conn, [two, three])
    assert rounds.find_left_out(conn, now + timedelta(hours=1), 5) == [one]
    rounds.give_up(conn)
    assert not rounds.has_left_out(conn)


def test_tenants_are_found_by_whatever_table_has_them(world: Platform) -> None:
    conn = world.conn
    conn.execute(
        "INSERT INTO read_model.lead_totals VALUES ('zzz', 'hour', '2025-06-01', 1, 0, 0, 1, 0, 0, 0, 0, 0)"
    )
    assert rounds.find_tenants(conn, "", 10) == [("one", 4), ("three", 1), ("two", 3), ("zzz", 0)]
    assert rounds.find_tenants(conn, "one", 1) == [("three", 1)]


@pytest.mark.parametrize("kind", ["conversation", "contact", "template_send"])
def test_keys_of_the_source_come_in_slices_and_each_once(world: Platform, kind: str) -> None:
    conn = world.conn
    found: list[str] = []
    while some := rounds.find_source_keys(conn, kind, found[-1] if found else "", 2):
        found += [item.key for item in some]
    stored = conn.execute("SELECT key FROM projector.source_keys WHERE kind = %s", (kind,)).fetchall()
    assert sorted(found) == sorted(key for (key,) in stored)
