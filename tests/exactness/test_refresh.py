"""A refresh loses nothing, applies nothing twice, rewrites no correct row, and reads nothing needlessly."""

from unittest.mock import Mock

import psycopg
import pytest

from projector.core import dead_letters, pipeline, staging
from projector.core.batch import refresh_batch
from projector.core.dead_letters import retry_all_dead_letters
from projector.core.late import LateKeys, defer_changes
from projector.core.refresh import Drain
from projector.database.locks import DEAD_LETTERS, SHARDS
from projector.database.rows import Connection
from projector.operate.erase import erase
from projector.operate.erase.ledger import Target
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.sweep.verify import verify
from tests.exactness.interleaving import Stepped, refreshing, wait_for, waits_for_lock
from tests.exactness.platform import (
    Platform,
    assert_exact,
    assert_verified,
    document,
    put_back,
    rebuild_now,
    refresh_now,
    shard_of,
    texts,
    value,
    waiting,
)
from tests.exactness.random_load import READ_TABLES
from tests.support.cases import cases
from tests.support.points import at_points
from tests.support.server import Database

HISTORY = 5_000


def _batch(conn: Connection, size: int = 1000) -> bool:
    """Run one batch of all shards, and return whether it left nothing."""
    pipeline.prepare_session(conn)
    return refresh_batch(conn, SHARDS, size=size).drained


def _versions(conn: Connection, *tables: str) -> list[tuple[object, ...]]:
    """Return which version of each row there is: another one after any write, even of the same values."""
    return [
        row
        for table in tables or READ_TABLES
        for row in conn.execute(
            f"SELECT '{table}', ctid::text, xmin::text FROM read_model.{table} ORDER BY 2".encode()
        )
    ]


def _reads_and_writes(database: Database) -> tuple[int, int]:
    """Return how many rows of the source and of the read model a batch reads and writes, in a session of its own."""
    counts: list[tuple[int, int]] = []

    with database.connect() as conn:

        def count(point: str) -> None:
            if point == "written":
                row = conn.execute(
                    "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), sum(n_tup_ins + n_tup_upd + n_tup_del)"
                    " FROM pg_stat_xact_user_tables WHERE schemaname IN ('public', 'read_model')"
                ).fetchone()
                assert row is not None
                counts.append((int(row[0]), int(row[1])))

        with at_points(count):
            assert _batch(conn)
    [counted] = counts
    return counted


def _hot(filled: Platform, sender: str = "user") -> None:
    """Give the lead a long history, and a hundred neighbours."""
    conn = filled.conn
    conn.execute(
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
        " SELECT 'n-' || n, (SELECT agent_id FROM agents), (1000 + n)::text, '2025-01-01'"
        " FROM generate_series(1, 100) AS n"
    )
    for first, last in ((1, 1000), (1001, HISTORY)):
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status)"
            " SELECT 'h-' || n, 'c', %s, 'old', timestamp '2025-01-02' + n * interval '1 second', 'sent'"
            " FROM generate_series(%s::integer, %s::integer) AS n",
            (sender, first, last),
        )
        refresh_now(conn)
        # As autovacuum does it within a minute.
        conn.execute("ANALYZE")


# R4: nothing is written that is right.


def test_a_rebuild_or_a_heal_of_a_right_tenant_rewrites_nothing(filled: Platform) -> None:
    conn = filled.conn
    before = _versions(conn)
    rebuild_now(conn)
    assert verify(conn, tenants=["one"], sample=None, heal=True, progress=QUIET).drifts == []
    assert _versions(conn) == before


@cases("table", READ_TABLES[:4])
def test_a_lead_that_differs_in_one_table_is_rewritten_there_alone(filled: Platform, table: str) -> None:
    conn = filled.conn
    spoilt = {
        "leads": "total_messages = 9",
        "lead_profiles": "name = 'other'",
        "lead_conversations": "agent_name = 'other'",
        "lead_messages": "text = 'other'",
    }
    conn.execute(f"UPDATE read_model.{table} SET {spoilt[table]}".encode())
    others = [name for name in READ_TABLES if name != table]
    before = _versions(conn, *others)
    rebuild_now(conn)
    assert _versions(conn, *others) == before
    assert_exact(conn)


def _spans(conn: Connection) -> dict[str, tuple[str, int, int, int]]:
    """Return of the last row of each span of time: its version, and how many leads are in it, are Hot and are Warm."""
    rows = conn.execute(
        "SELECT granularity, xmin::text, leads, hot, warm FROM read_model.lead_totals"
        " ORDER BY granularity, bucket_start"
    ).fetchall()
    return {span: (version, leads, hot, warm) for span, version, leads, hot, warm in rows}


def test_a_message_leaves_the_numbers_of_all_leads_alone_and_moves_its_day_and_hour(filled: Platform) -> None:
    conn = filled.conn
    before = _spans(conn)
    filled.message("c", "newer", at="2025-02-01")
    refresh_now(conn)
    assert _spans(conn)["all"] == before["all"]
    assert conn.execute(
        "SELECT granularity, leads FROM read_model.lead_totals WHERE bucket_start = '2025-02-01Z' ORDER BY 1"
    ).fetchall() == [("day", 1), ("hour", 1)]
    # No lead is left in the old ones. The first contact is unchanged.
    assert value(conn, "SELECT count(*) FROM read_model.lead_totals") == 5
    assert {span: _spans(conn)[span] for span in ("new_day", "new_hour")} == {
        span: before[span] for span in ("new_day", "new_hour")
    }
    before = _spans(conn)
    filled.message("c", "of the same hour", at="2025-02-01 00:30:00")
    refresh_now(conn)
    assert _spans(conn) == before
    assert_exact(conn)


def test_who_wrote_last_moves_its_numbers_and_leaves_those_of_new_leads_alone(filled: Platform) -> None:
    conn = filled.conn
    before, counts = _spans(conn), _versions(conn, "lead_counts", "lead_daily_counts")
    conn.execute("UPDATE messages SET sender = 'agent'")
    refresh_now(conn)
    after = _spans(conn)
    assert {span for span, row in after.items() if row[0] != before[span][0]} == {"all", "day", "hour"}
    assert _versions(conn, "lead_counts", "lead_daily_counts") == counts
    senders = "SELECT DISTINCT last_from_user, last_from_agent FROM read_model.lead_totals WHERE granularity = any(%s)"
    assert conn.execute(senders, (["all", "day", "hour"],)).fetchall() == [(0, 1)]
    assert conn.execute(senders, (["new_day", "new_hour"],)).fetchall() == [(0, 0)]
    assert_exact(conn)
    # Neither of them: as stored in the document, and in no filter.
    conn.execute("UPDATE messages SET sender = 'User'")
    refresh_now(conn)
    assert conn.execute(senders, (["all", "day", "hour"],)).fetchall() == [(0, 0)]
    assert value(conn, "SELECT document::json ->> 'last_message_sender' FROM read_model.leads") == "User"
    assert value(conn, "SELECT last_message_sender FROM read_model.leads") is None
    assert_exact(conn)


def test_messages_are_counted_by_the_hour_in_which_they_were_sent(filled: Platform) -> None:
    conn = filled.conn

    def hours() -> list[tuple[str, str, int, str]]:
        refresh_now(conn)
        assert_exact(conn)
        return conn.execute(
            "SELECT user_id, to_char(hour AT TIME ZONE 'UTC', 'DD HH24'), messages, xmin::text"
            " FROM read_model.message_counts ORDER BY hour"
        ).fetchall()

    first = hours()
    assert [row[:3] for row in first] == [("one", "01 00", 1)]
    last = filled.message("c", "of this hour", at="2025-01-01 00:59:59.999999")
    filled.message("c", "of the next", at="2025-01-01 01:00:00")
    assert [row[:3] for row in hours()] == [("one", "01 00", 2), ("one", "01 01", 1)]
    before = hours()
    conn.execute("UPDATE messages SET status = 'failed', text = 'edited'")
    assert hours() == before
    conn.execute("UPDATE messages SET timestamp = '2025-01-02 01:30' WHERE message_id = %s", (last,))
    assert [row[:3] for row in hours()] == [("one", "01 00", 1), ("one", "01 01", 1), ("one", "02 01", 1)]
    other = filled.agent(filled.tenant("two"))
    conn.execute("UPDATE conversations SET agent_id = %s", (other,))
    assert {row[0] for row in hours()} == {"two"}
    conn.execute("DELETE FROM messages")
    assert hours() == []


def test_an_earlier_first_contact_moves_the_new_leads_of_its_time(filled: Platform) -> None:
    conn = filled.conn
    filled.message("c", "earlier", at="2024-12-31 23:59:59")
    refresh_now(conn)
    rows = conn.execute(
        "SELECT granularity, bucket_start FROM read_model.lead_totals WHERE granularity LIKE 'new%'"
    )
    assert {kind: start.isoformat()[:13] for kind, start in rows} == {
        "new_day": "2024-12-31T00",
        "new_hour": "2024-12-31T23",
    }
    assert_exact(conn)


def test_a_lead_that_turns_from_hot_to_warm_moves_the_numbers_of_every_span(filled: Platform) -> None:
    conn = filled.conn
    for tag, hot, warm in (("Hot", 1, 0), ("Warm", 0, 1)):
        conn.execute("UPDATE extractions SET lead_status_tag = %s", (tag,))
        refresh_now(conn)
        assert {numbers[1:] for numbers in _spans(conn).values()} == {(1, hot, warm)}
        assert_exact(conn)


# R5, R8: a stale lead costs what changed, whatever else there is.


def test_a_message_of_a_lead_with_a_long_history_reads_and_writes_a_few_rows(filled: Platform) -> None:
    conn = filled.conn
    _hot(filled)
    filled.message("c", "new", at="2025-03-01")
    reads, writes = _reads_and_writes(filled.database)
    assert reads < 100
    assert writes < 15
    assert (document(conn, "one", "4915") or {})["last_message_text"] == "new"
    conn.execute("UPDATE contacts SET name = 'Bob'")
    assert _reads_and_writes(filled.database)[0] < 100
    conn.execute("DELETE FROM messages WHERE message_id IN ('h-1', 'h-300', %s)", (f"h-{HISTORY}",))
    reads, writes = _reads_and_writes(filled.database)
    assert reads < 100
    assert writes < 15
    assert_exact(conn)


@pytest.mark.parametrize("sender", ["user", "agent", "bot"])
def test_since_when_a_lead_waits_is_found_in_a_few_rows(filled: Platform, sender: str) -> None:
    """Whoever wrote the long history that is between an answer and what the customer writes next."""
    conn = filled.conn
    filled.insert(
        "messages", message_id="answer", conversation_id="c", sender="agent", timestamp="2025-01-01 12:00"
    )
    _hot(filled, sender)
    for hour, writes in enumerate(("user", "bot", "user", "agent", "user")):
        at = f"2025-03-01 0{hour}:00"
        filled.insert("messages", message_id=f"new-{hour}", conversation_id="c", sender=writes, timestamp=at)
        assert _reads_and_writes(filled.database)[0] < 100
    assert_exact(conn)


# R6: a mass change gives way, and as-of waits for its end.


def test_a_mass_change_goes_in_pieces_and_gives_way_to_single_changes(filled: Platform) -> None:
    conn = filled.conn
    agent = filled.agent("one")
    conn.execute(
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
        " SELECT 'many-' || n, %s, (100000 + n)::text, '2025-01-01' FROM generate_series(1, 1700) AS n",
        (agent,),
    )
    refresh_now(conn)
    before = value(conn, "SELECT min(as_of) FROM read_model.freshness")
    conn.execute("UPDATE agents SET name = 'Renamed' WHERE agent_id = %s", (agent,))
    renamed_at = value(conn, "SELECT clock_timestamp()")
    assert not _batch(conn)
    pieces = conn.execute("SELECT bulk, cardinality(keys) FROM projector.changes").fetchall()
    assert len(pieces) == 4
    assert all(bulk and keys <= 500 for bulk, keys in pieces)
    drain, seen = Drain(1000), 0
    while _step(conn, drain, filled):
        seen += 1
        # A single change never waits for the pieces before it.
        assert len(texts(conn, "one", "4915")) == 1 + seen
        as_of = value(conn, "SELECT min(as_of) FROM read_model.freshness")
        done = (
            value(conn, "SELECT count(*) FROM read_model.leads WHERE document LIKE '%%\"Renamed\"%%'") == 1700
        )
        assert done or before <= as_of < renamed_at
    assert seen >= 4
    drain.late.end(conn)
    _batch(conn)
    assert value(conn, "SELECT min(as_of) FROM read_model.freshness") > renamed_at
    assert_exact(conn)


def _step(conn: Connection, drain: Drain, platform: Platform) -> bool:
    """Write a message, and take it and a part of the mass change; return whether there was such a part."""
    platform.message("c", "single")
    return drain.take_mass(conn, SHARDS, drain.take_singles(conn, SHARDS)) is not None


def test_a_replicated_mass_change_goes_in_pieces_and_gives_way_to_single_changes(filled: Platform) -> None:
    conn = filled.conn
    agent = filled.agent("one")
    conversations = [filled.conversation(agent, f"6{number:04}") for number in range(40)]
    refresh_now(conn)
    conn.execute("SET session_replication_role = replica")
    with conn.transaction():
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, text, timestamp)"
            " SELECT 'mass-' || n, (%s::text[])[1 + n %% 40], 'mass', '2025-01-03' FROM generate_series(1, 4000) AS n",
            (conversations,),
        )
    conn.execute("SET session_replication_role = origin")
    assert value(conn, "SELECT count(*) FROM projector.changes WHERE NOT bulk") == 100
    drain, seen = Drain(1000), 0
    drain.late._size = 10  # noqa: SLF001
    while _step(conn, drain, filled):
        seen += 1
        assert len(texts(conn, "one", "4915")) == 1 + seen
    # The keys of a conversation are one, however many of its rows came by themselves.
    assert 1 < seen < 12
    drain.late.end(conn)
    assert_exact(conn)


# R7: one lead's failure is one lead's.


def test_staging_tables_are_truncated_together_once_one_of_them_is_bloated(filled: Platform) -> None:
    conn = filled.conn
    conversation = filled.conversation(filled.agent("one"), "200")
    _batch(conn)
    files = _staging_files(conn)
    assert set(files) == set(staging.TABLES)
    for rows in (600, 3000):
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, text)"
            " SELECT concat('crowd', %s::int, ' ', n), %s, repeat('x', 100) FROM generate_series(1, %s) AS n",
            (rows, conversation, rows),
        )
        drain = Drain(1000)
        while drain.take_mass(conn, SHARDS, drain.take_singles(conn, SHARDS)) is not None:
            assert _staging_files(conn) == files
        sizes = {name: value(conn, f"SELECT pg_relation_size('{name}')") for name in files}
        large = {name for name, size in sizes.items() if size > staging.LEAVE_BELOW_BYTES}
        assert large
        assert large < set(files)
        is_bloated = max(sizes.values()) > staging.TRUNCATE_ABOVE_BYTES
        assert is_bloated is (rows == 3000)
        filled.message(conversation, "one more")
        _batch(conn)
        changed = {name for name, file in _staging_files(conn).items() if file != files[name]}
        assert changed == (large if is_bloated else set())
    assert value(conn, "SELECT pg_relation_size('new_messages')") == 8192
    assert_exact(conn)


def _staging_files(conn: Connection) -> dict[str, int]:
    """Return which file holds the rows of each staging table: another one after a truncation."""
    return dict(
        conn.execute(
            "SELECT relname::text, pg_relation_filenode(oid) FROM pg_class"
            " WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
        ).fetchall()
    )


def poison(conn: Connection) -> None:
    conn.execute(
        "ALTER TABLE read_model.lead_messages ADD CONSTRAINT poison CHECK (text <> 'poison') NOT VALID"
    )


def test_a_lead_that_fails_is_set_aside_and_stops_no_other(filled: Platform) -> None:
    conn = filled.conn
    agent = filled.agent("one")
    conversations = [filled.conversation(agent, str(100 + n)) for n in range(6)]
    refresh_now(conn)
    poison(conn)
    for number, conversation in enumerate(conversations):
        filled.message(conversation, "poison" if number == 2 else "fine")
    refresh_now(conn)
    for number in range(6):
        assert texts(conn, "one", str(100 + number)) == ([] if number == 2 else ["fine"])
    assert conn.execute(
        "SELECT kind, key, user_id, customer_phone FROM projector.dead_letters"
    ).fetchall() == [("reload_conversations", conversations[2], "one", "102")]
    assert value(conn, "SELECT dead_letters FROM read_model.tenants WHERE user_id = 'one'") == 1
    # Changes of it that come meanwhile wait for its retry.
    filled.message(conversations[2], "later")
    refresh_now(conn)
    conn.execute("ALTER TABLE read_model.lead_messages DROP CONSTRAINT poison")
    assert retry_all_dead_letters(conn) == (1, 0)
    assert value(conn, "SELECT dead_letters FROM read_model.tenants WHERE user_id = 'one'") == 0
    assert texts(conn, "one", "102") == ["later", "poison"]
    assert_exact(conn)


def test_a_change_committed_while_nothing_is_left_of_a_dead_letter_is_not_lost(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn, database = platform.conn, platform.database
    agent = platform.agent(platform.tenant("one"))
    refresh_now(conn)
    gone = platform.id("conversation", 0)
    conn.execute(
        "INSERT INTO projector.dead_letters VALUES"
        " ('reload_conversations', %s, 'one', '4915', 'failed once', 1, now(), now())",
        (gone,),
    )
    monkeypatch.setattr(dead_letters, "recompute", Mock(side_effect=psycopg.errors.CheckViolation("refused")))
    with database.connect() as other:
        other.execute("BEGIN")
        other.execute("SELECT pg_advisory_xact_lock(%s, 0)", (DEAD_LETTERS,))
        with Stepped(database, _retry) as retry:
            retry.waits(conn)
            platform.insert("conversations", conversation_id=gone, agent_id=agent, customer_phone="4915")
            with refreshing(database, shard=0) as taker:
                wait_for(lambda: taker.ends() or waits_for_lock(conn, taker.pid))
                other.execute("COMMIT")
                taker.finish()
            retry.finish()
    refresh_now(conn)
    assert_exact(conn)


def _retry(conn: Connection) -> tuple[int, int]:
    pipeline.prepare_session(conn)
    return retry_all_dead_letters(conn)


def test_no_change_is_lost_for_a_dead_letter_that_an_erasure_deletes(filled: Platform) -> None:
    conn, database = filled.conn, filled.database
    conversation = filled.conversation(filled.agent("one"), "102", shard=0)
    poison(conn)
    filled.message(conversation, "poison")
    refresh_now(conn)
    move = "UPDATE conversations SET customer_phone = %s WHERE conversation_id = %s"
    conn.execute(move, (None, conversation))
    with Stepped(
        database, lambda own: erase(own, Target("one", "102"), progress=QUIET), "deleted"
    ) as erasing:
        conn.execute("DELETE FROM messages WHERE text = 'poison'")
        conn.execute(move, ("103", conversation))
        with refreshing(database, shard=0) as taker:
            wait_for(lambda: taker.ends() or waits_for_lock(conn, taker.pid))
            erasing.finish()
            taker.finish()
    refresh_now(conn)
    assert_exact(conn)


def test_a_dead_letter_whose_key_was_at_an_erased_lead_for_a_moment_stays(filled: Platform) -> None:
    conn, database = filled.conn, filled.database
    here, there = filled.agent("one"), filled.agent(filled.tenant("two"))
    conversation = filled.conversation(there, "103")
    poison(conn)
    filled.message(conversation, "poison")
    refresh_now(conn)
    move = "UPDATE conversations SET customer_phone = %s, agent_id = %s WHERE conversation_id = %s"
    with Stepped(database, lambda own: erase(own, Target("one", "102"), progress=QUIET), "leads") as erasing:
        conn.execute(move, ("102", here, conversation))
        refresh_now(conn)
        conn.execute(move, ("103", there, conversation))
        erasing.finish()
    assert value(conn, "SELECT dead_letters FROM read_model.tenants WHERE user_id = 'two'") == 1
    conn.execute("ALTER TABLE read_model.lead_messages DROP CONSTRAINT poison")
    refresh_now(conn)
    assert texts(conn, "two", "103") == ["poison"]
    assert_exact(conn)


def test_failing_keys_of_one_tenant_keep_no_other_waiting(filled: Platform) -> None:
    conn = filled.conn
    filled.tenant("two")
    agent, other_agent = filled.agent("one"), filled.agent("two")
    conversations = [filled.conversation(agent, str(100 + n)) for n in range(60)]
    late = filled.conversation(other_agent, "999")
    refresh_now(conn)
    poison(conn)
    for number, conversation in enumerate(conversations):
        filled.message(conversation, "fine" if number % 20 == 19 else "poison")
    filled.message(late, "fine")
    pipeline.prepare_session(conn)
    drain, steps = Drain(1000), 0
    while texts(conn, "two", "999") != ["fine"]:
        drain.take_mass(conn, SHARDS, drain.take_singles(conn, SHARDS))
        steps += 1
        assert steps < 5, "a key of one tenant is tried alone before the other goes on"
    refresh_now(conn)
    for number in range(60):
        assert texts(conn, "one", str(100 + number)) == (["fine"] if number % 20 == 19 else [])
    assert value(conn, "SELECT count(*) FROM projector.dead_letters") == 57
    conn.execute("ALTER TABLE read_model.lead_messages DROP CONSTRAINT poison")
    assert retry_all_dead_letters(conn) == (57, 0)
    assert_exact(conn)


# R9: a row that moved or is gone makes its old lead stale too.


@cases(
    "statement",
    [
        "UPDATE conversations SET customer_phone = '777'",
        "DELETE FROM conversations",
        "UPDATE agents SET user_id = 'two'",
    ],
)
def test_the_lead_that_a_conversation_left_is_recomputed(filled: Platform, statement: str) -> None:
    conn = filled.conn
    put_back(conn)
    filled.tenant("two")
    conn.execute("DELETE FROM template_sends")
    refresh_now(conn)
    conn.execute(statement.encode())
    refresh_now(conn)
    assert document(conn, "one", "4915") is None
    assert_exact(conn)


# R10: a queue that grew for days is traded for a rebuild.


def test_a_queue_beyond_its_limit_is_traded_for_a_rebuild(filled: Platform) -> None:
    conn = filled.conn
    _queue_mass_changes(filled)
    filled.message("c", "single")
    defer_changes(conn, [shard_of(conn, "c")], mass=True, size=10)
    recovery.heal(conn, progress=QUIET, queue_limit=20)
    # The rebuild has read the single change too, and settles it.
    assert not waiting(conn)
    assert len(texts(conn, "one", "4915")) == 32
    refresh_now(conn)
    assert_exact(conn)


def test_the_queue_is_vacuumed_often(filled: Platform) -> None:
    options = value(filled.conn, "SELECT reloptions FROM pg_class WHERE oid = 'projector.changes'::regclass")
    assert {"autovacuum_vacuum_scale_factor=0.0", "vacuum_truncate=false"} <= set(options)


def _queue_mass_changes(platform: Platform) -> None:
    pipeline.prepare_session(platform.conn)
    for _ in range(30):
        platform.message("c", "waiting")
    platform.conn.execute("UPDATE projector.changes SET bulk = true")


def test_a_tenant_whose_late_keys_were_traded_is_late_until_the_rebuild_has_ended(filled: Platform) -> None:
    conn = filled.conn
    _queue_mass_changes(filled)
    committed = value(conn, "SELECT clock_timestamp()")
    defer_changes(conn, SHARDS, mass=True)
    assert refresh_batch(conn, SHARDS, wait=True).drained

    def trade(own: Connection) -> None:
        recovery.heal(own, progress=QUIET, queue_limit=0)

    with Stepped(filled.database, trade, "compared") as trading:
        assert waiting(conn) == []
        LateKeys().end(conn)
        late = value(conn, "SELECT late_as_of FROM read_model.tenants WHERE user_id = 'one'")
        assert late is not None
        assert late < committed
        trading.finish()
    LateKeys().end(conn)
    assert value(conn, "SELECT late_as_of FROM read_model.tenants WHERE user_id = 'one'") is None
    assert_exact(conn)


def test_what_is_written_while_the_queue_is_traded_is_not_lost(filled: Platform) -> None:
    conn = filled.conn
    _queue_mass_changes(filled)
    filled.message("c", "single")
    with (
        refreshing(filled.database, "written", shard=shard_of(conn, "c")) as holder,
        Stepped(filled.database, lambda own: recovery.heal(own, progress=QUIET, queue_limit=20)) as trade,
    ):
        trade.waits(conn)
        filled.message("c", "meanwhile")
        holder.finish()
        trade.finish()
    refresh_now(conn)
    assert "meanwhile" in texts(conn, "one", "4915")
    assert_exact(conn)


@cases(
    ("written", "printed"),
    [
        ("infinity", "9999-12-31T23:59:59.999Z"),
        ("20000-01-01", "9999-12-31T23:59:59.999Z"),
        ("0044-03-15 BC", "0001-01-01T00:00:00.000Z"),
        ("-infinity", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_that_cannot_be_printed_stands_at_the_nearest_one_that_can(
    filled: Platform, written: str, printed: str
) -> None:
    conn = filled.conn
    put_back(conn)
    conversation_id = filled.conversation(filled.agent("one"), "777")
    conn.execute(
        "UPDATE conversations SET created_at = %s WHERE conversation_id = %s", (written, conversation_id)
    )
    filled.message(conversation_id, at=written)
    for run in (refresh_now, rebuild_now):
        run(conn)
        document = value(conn, "SELECT document::json FROM read_model.leads WHERE customer_phone = '777'")
        assert (document["last_message_at"], document["first_contact_at"]) == (printed, printed)
        assert_verified(conn)
