"""Schedules of two and three sessions that meet: each is driven to its worst point, and nothing is lost."""

from unittest.mock import Mock

import psycopg
import pytest

from projector.core import dead_letters, pipeline
from projector.core.dead_letters import retry_dead_letters
from projector.database import locks
from projector.database.rows import Connection
from tests.exactness.interleaving import Stepped, refreshing, wait_for, waits_for_lock
from tests.exactness.platform import Platform, assert_exact, refresh_now, texts
from tests.support.server import Database


def test_a_change_committed_while_a_dead_letter_is_tried_again_is_not_lost(
    platform: Platform, database: Database
) -> None:
    conn = platform.conn
    platform.tenant("one")
    conversation = platform.conversation(platform.agent("one"), "4915", shard=0)
    refresh_now(conn)
    conn.execute(
        "INSERT INTO projector.dead_letters (kind, key, error, attempts, first_failed_at, retry_at)"
        " VALUES ('reload_conversations', %s, 'failed once', 1, now(), now())",
        (conversation,),
    )
    conn.execute("UPDATE read_model.leads SET document = '' WHERE user_id = 'one'")
    with database.connect() as other, other.transaction():
        # The retry stands where it writes what it has read.
        other.execute("LOCK TABLE read_model.leads IN SHARE MODE")
        with Stepped(database, _retry) as retry:
            retry.waits(conn)
            platform.message(conversation, "meanwhile")
            with refreshing(database, shard=0) as taker:
                # It may pass the change by, or wait for the retry; it must not take and drop it.
                while not (taker.ends() or waits_for_lock(conn, taker.pid)):
                    pass
                other.execute("ROLLBACK")
                other.execute("BEGIN")
                taker.finish()
            retry.finish()
    refresh_now(conn)
    assert texts(conn, "one", "4915") == ["meanwhile"]
    assert_exact(conn)


def test_a_change_committed_while_nothing_is_left_of_a_dead_letter_is_not_lost(
    platform: Platform, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn, agent = platform.conn, platform.agent(platform.tenant("one"))
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
        other.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.LETTERS,))
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
    return retry_dead_letters(conn)
