"""Mass changes are late for the tenants that they concern, and for no other; and single changes pass them."""

import re
from datetime import datetime
from typing import Any, LiteralString

import pytest

from projector.core import late
from projector.core.batch import Batch, lower_moments, recompute, refresh_batch
from projector.core.dead_letters import retry_all_dead_letters
from projector.core.late import LateKeys, defer_changes
from projector.core.pipeline import BatchResult, prepare_session
from projector.core.refresh import Drain
from projector.database import locks
from projector.database.locks import SHARDS
from projector.database.rows import Connection
from projector.database.sql import statement
from projector.observe.status.read import read_status
from projector.observe.status.render import as_dict, render, summarize
from tests.exactness.interleaving import Stepped, piece
from tests.exactness.platform import Platform, assert_exact, refresh_now, value, waiting
from tests.exactness.test_clock import EPOCH
from tests.exactness.test_freshness import clock

TENANTS = ("one", "two", "three")
MANY = 120


@pytest.fixture
def crowded(platform: Platform) -> Platform:
    """Each tenant has a hundred conversations and some, whose ids are the tenant's name and a number."""
    conn = platform.conn
    for number, tenant in enumerate(TENANTS, start=1):
        platform.tenant(tenant)
        conn.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
            " SELECT %(tenant)s || '-' || n, %(agent)s, (1000 * %(number)s + n)::text, '2025-01-01'"
            " FROM generate_series(1, %(many)s) AS n",
            {"tenant": tenant, "agent": platform.agent(tenant), "number": number, "many": MANY},
        )
    conn.execute(
        "INSERT INTO messages (message_id, conversation_id, text, timestamp)"
        " SELECT 'm-' || conversation_id, conversation_id, 'first', '2025-01-02' FROM conversations"
    )
    refresh_now(conn)
    prepare_session(conn)
    return platform


def moment(conn: Connection, tenant: str) -> datetime:
    """Return the moment that holds for a tenant, as the API reports it."""
    at: datetime = value(
        conn,
        "SELECT least((SELECT min(m) FROM unnest(f.shards) AS m),"
        " (SELECT t.late_as_of FROM read_model.tenants AS t WHERE t.user_id = %s)) FROM read_model.freshness AS f",
        tenant,
    )
    return at


def edit(conn: Connection, *tenants: str, text: str = "edited") -> datetime:
    """Change all messages of some tenants in one statement; return a moment after its commit."""
    conn.execute(
        "UPDATE messages SET text = %s WHERE split_part(conversation_id, '-', 1) = ANY(%s)",
        (text, list(tenants)),
    )
    return clock(conn)


def defer_all(conn: Connection) -> None:
    """Defer everything in the queue, and note the moment up to which it is then drained."""
    while value(conn, "SELECT EXISTS (SELECT FROM projector.changes WHERE bulk)"):
        defer_changes(conn, SHARDS, mass=True)
    assert refresh_batch(conn, SHARDS, wait=True).drained


def done(conn: Connection, tenant: str, text: str = "edited") -> int:
    return int(
        value(
            conn,
            "SELECT count(*) FROM read_model.lead_messages WHERE user_id = %s AND text = %s",
            tenant,
            text,
        )
    )


def finish(conn: Connection) -> None:
    """Take all late keys, and end all lateness."""
    late = LateKeys()
    while late.take_piece(conn) is not None:
        pass
    late.end(conn)


@pytest.mark.parametrize("step", ["noted", "committed"])
def test_a_tenant_becomes_late_by_no_moment_from_before_the_clock_was_set_back(
    crowded: Platform, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Another session finds that it was set back after the moment was read, and before this step."""
    edit(crowded.conn, "one")

    def lower_first(name: str) -> LiteralString:
        if step == "noted" and name.endswith("note_late_tenants"):
            lower_moments(crowded.conn, None)
        return statement(name)

    def work(conn: Connection) -> object:
        prepare_session(conn)
        return defer_changes(conn, SHARDS, mass=True)

    monkeypatch.setattr(late, "statement", lower_first)
    with Stepped(crowded.database, work, "deferred") as sorting:
        if step == "committed":
            with Stepped(crowded.database, lambda conn: lower_moments(conn, None)) as lowering:
                lowering.waits(crowded.conn)
                sorting.finish()
        sorting.finish()
    assert value(crowded.conn, "SELECT late_as_of FROM read_model.tenants WHERE user_id = 'one'") == EPOCH


def test_status_says_whom_a_mass_change_concerns_and_how_long_it_takes(crowded: Platform) -> None:
    conn = crowded.conn
    conn.execute("DELETE FROM projector.runs")
    edit(conn, "one", "two")
    defer_all(conn)
    assert "Mass changes 240 keys of 2 tenants wait, none was taken" in render(read_status(conn))
    # One line of the short status says whose data are old, how old, and how long the late keys take.
    [line] = [line for line in summarize(read_status(conn)).splitlines() if "keys" in line]
    assert re.fullmatch(
        r"Data +[\d.]+ s old, [\d.]+ s where a mass change waits: 240 keys of 2 tenants wait, none .*", line
    )
    late = LateKeys()
    late.take_piece(conn)
    numbers = as_dict(read_status(conn))
    assert (numbers["late_keys"], numbers["late_tenants"], numbers["late_seconds"]) == (0, 0, None)
    edit(conn, "one", text="again")
    defer_all(conn)
    said, numbers = render(read_status(conn)), as_dict(read_status(conn))
    assert re.search(r"Mass changes 120 keys of 1 tenant wait, [\d,]+ a second: about [\d.]+ \w+ more", said)
    assert (numbers["late_keys"], numbers["late_seconds"] > 0) == (120, True)


def test_projectors_take_different_tenants(crowded: Platform) -> None:
    conn, database = crowded.conn, crowded.database
    edit(conn, "one", "two")
    defer_all(conn)
    with piece(database, "locked", size=MANY // 2) as first:
        with piece(database, "locked", size=MANY // 2) as second:
            second.finish()
            assert [done(conn, tenant) > 0 for tenant in TENANTS] == [False, True, False]
        with piece(database, size=MANY) as third:
            assert third.finish() is not None, "the rest of two"
        first.finish()
    finish(conn)
    assert_exact(conn)


def test_a_piece_takes_no_key_whose_dead_letter_is_being_retried(
    crowded: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn, database = crowded.conn, crowded.database
    conn.execute(
        "INSERT INTO projector.dead_letters (kind, key, user_id, error, attempts, first_failed_at, retry_at)"
        " VALUES ('reload_conversations', 'one-1', 'one', 'a reason', 1, now(), now())"
    )

    def retry(other: Connection) -> None:
        prepare_session(other)
        retry_all_dead_letters(other)

    with Stepped(database, retry, "recomputed") as retrying:
        edit(conn, "one")
        # The retry owns the shards, and the tenant: the keys are looked up beside it.
        monkeypatch.setattr(locks, "SHARD", locks.SHARD + 0x100)
        monkeypatch.setattr(locks, "TENANT", locks.TENANT + 0x100)
        defer_changes(conn, SHARDS, mass=True)
        monkeypatch.undo()
        finish(conn)
        retrying.finish()
    refresh_now(conn)
    assert_exact(conn)


def test_what_a_batch_leaves_in_a_shard_that_another_opens_holds_freshness_back(crowded: Platform) -> None:
    """It ends between what the other one looks at and the locks that it gets."""
    conn, database = crowded.conn, crowded.database
    conn.execute(
        "CREATE OR REPLACE VIEW projector.provable AS SELECT 'infinity'::timestamptz AS until"
        " FROM (SELECT pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1) OFFSET 0) AS waited"
    )
    conn.execute("UPDATE read_model.freshness SET shards = array_fill(now() - interval '1 hour', ARRAY[4])")
    crowded.message("one-1", "new")
    committed = clock(conn)

    def open_and_take(other: Connection) -> None:
        prepare_session(other)
        refresh_batch(other, SHARDS)

    with database.connect() as first:
        first.execute("BEGIN")
        locks.own_queue(first)
        first.execute("UPDATE projector.changes SET bulk = true")
        conn.execute("SELECT pg_advisory_lock(1)")
        with Stepped(database, open_and_take) as second:
            second.waits(conn)
            first.execute("COMMIT")
            conn.execute("SELECT pg_advisory_unlock(1)")
            second.finish()
    assert moment(conn, "one") < committed


def test_what_a_batch_did_not_take_holds_freshness_back(crowded: Platform) -> None:
    conn = crowded.conn
    for _ in range(4):
        crowded.message("one-1", "new")
    committed = clock(conn)
    crowded.message("one-1", "new")
    shard = value(conn, "SELECT projector.shard_of('one-1')")
    for _ in range(5):
        refresh_batch(conn, [shard], size=1)
        assert value(
            conn, "SELECT shards[%s] FROM read_model.freshness", shard + 1
        ) < committed or not waiting(conn)
    refresh_batch(conn, SHARDS, wait=True)
    assert moment(conn, "one") > committed
    assert_exact(conn)


def test_only_the_tenants_that_have_leads_are_taken_in_small_pieces(
    crowded: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = crowded.conn
    edit(conn, *TENANTS)
    defer_all(conn)
    late, keys = LateKeys(served=["three"]), list[int]()
    monkeypatch.setattr(late, "_size", 50)
    monkeypatch.setattr(late, "_adapt", lambda _: None)
    late.take_all(conn, lambda done: keys.append(done.keys))
    # Tenants take turns.
    assert keys == [MANY, 50, MANY, 50, MANY - 100]
    late.end(conn)
    assert_exact(conn)


def test_single_changes_that_are_too_many_are_deferred(
    crowded: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an import that inserts row by row leaves them."""
    conn = crowded.conn
    monkeypatch.setattr(late, "SLICE_BYTES", 400)
    for number in range(60):
        crowded.message(f"one-{1 + number % 20}", "mass")
    drain = Drain(size=4)
    drain.late._size = 7  # noqa: SLF001
    steps, deferred_at, mass = 0, 0, None
    singles = Batch((), 0)
    while mass is not None or not singles.drained:
        singles = drain.take_singles(conn, SHARDS)
        mass = drain.take_mass(conn, SHARDS, singles)
        steps += 1
        if steps == deferred_at + 1 and deferred_at:
            # A change committed now waits for one step, and not for all others.
            assert done(conn, "two", "now") == 1
            assert value(conn, "SELECT count(*) FROM projector.changes") > 0
        if not deferred_at and value(conn, "SELECT count(*) FROM projector.late_keys"):
            deferred_at = steps
            crowded.message("two-1", "now")
    assert deferred_at == 3
    assert done(conn, "one", "mass") == 60
    drain.late.end(conn)
    assert_exact(conn)


def test_a_long_conversation_is_not_read_whole(crowded: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    conn = crowded.conn
    conn.execute(
        "INSERT INTO messages (message_id, conversation_id, text)"
        " SELECT 'long-' || n, 'one-1', 'old' FROM generate_series(1, 2000) AS n"
    )
    refresh_now(conn)
    conn.execute(
        "UPDATE messages SET text = 'edited' WHERE message_id LIKE 'long-1%' OR message_id = 'm-one-2'"
    )
    read: list[int] = []

    def counted(conn: Connection, **options: Any) -> BatchResult:  # noqa: ANN401
        written = recompute(conn, **options)
        read.append(value(conn, "SELECT count(*) FROM new_messages"))
        return written

    monkeypatch.setattr("projector.core.late.recompute", counted)
    defer_all(conn)
    finish(conn)
    changed = value(conn, "SELECT count(*) FROM messages WHERE message_id LIKE 'long-1%'")
    assert sum(read) == changed + 1
    assert_exact(conn)
