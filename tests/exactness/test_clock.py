"""A clock of the server that jumps: nothing is lost, and nothing is promised."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from projector.core import pipeline
from projector.core.batch import lower_moments
from projector.core.dead_letters import find_dead_letters, retry_dead_letters
from projector.database.rows import Connection
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.scheduler.refresh import look
from tests.exactness import interleaving
from tests.exactness.feed_copy import serving
from tests.exactness.interleaving import Stepped, refreshing
from tests.exactness.platform import Platform, assert_exact, refresh_now, shard_of, texts, value

JUMPS = [-3600.0, 90.0, *(pytest.param(seconds, marks=pytest.mark.long) for seconds in (-90.0, 3600.0))]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEWEST = "SELECT max(s) FROM read_model.freshness, unnest(shards || as_of) AS s"


def look_now(conn: Connection) -> None:
    look(conn, timedelta(0))


MOVES = (look_now, refresh_now)


def jump(conn: Connection, seconds: float) -> None:
    """Let the server's clock jump: everything that we have noted is further back, or ahead, than it was."""
    columns = conn.execute(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns"
        " JOIN information_schema.tables USING (table_schema, table_name)"
        " WHERE data_type = 'timestamp with time zone' AND table_type = 'BASE TABLE'"
        " AND (table_schema = 'projector' OR (table_schema, table_name) IN"
        " (('read_model', 'freshness'), ('read_model', 'projection')))"
    ).fetchall()
    assert len(columns) > 10
    with conn.transaction():
        for schema, table, column in columns:
            conn.execute(
                # Citus takes it in a query with FROM alone.
                sql.SQL(
                    "UPDATE {}.{} SET {column} ="
                    " (SELECT s - make_interval(secs => {}) FROM unnest(ARRAY[{column}]) AS s)"
                ).format(
                    sql.Identifier(schema),
                    sql.Identifier(table),
                    sql.Literal(seconds),
                    column=sql.Identifier(column),
                ),
                prepare=False,
            )
        conn.execute(
            "UPDATE read_model.freshness"
            " SET shards = ARRAY(SELECT s - make_interval(secs => %s) FROM unnest(shards) AS s)",
            (seconds,),
        )


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_server_whose_clock_jumps_loses_nothing_and_promises_nothing_for_long(
    filled: Platform, seconds: float
) -> None:
    conn = filled.conn
    # The moments of a template may be older than the jump.
    refresh_now(conn)
    filled.message("c", "before")
    jump(conn, seconds)
    filled.message("c", "after")
    sentences = find_attention(read_status(conn))
    told = [sentence for sentence in sentences if "the server's clock was set back" in sentence]
    assert len(told) == (seconds < 0)
    refresh_now(conn)
    assert texts(conn, "one", "4915") == ["after", "before", "first"]
    assert value(conn, "SELECT max(as_of) <= clock_timestamp() FROM read_model.freshness")
    assert not [sentence for sentence in find_attention(read_status(conn)) if "clock" in sentence]
    assert_exact(conn)


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_dead_letter_is_not_kept_by_a_clock_that_was_set_back(filled: Platform, seconds: float) -> None:
    """It waits no longer than its pause: here the first one, of ten seconds."""
    conn = filled.conn
    conn.execute(
        "INSERT INTO projector.dead_letters (kind, key, error, attempts, first_failed_at, retry_at) VALUES"
        " ('reload_conversations', 'c', 'it failed', 1, clock_timestamp(), clock_timestamp() + interval '10 s')"
    )
    pipeline.prepare_session(conn)
    assert find_dead_letters(conn, due_only=True) == []
    jump(conn, seconds)
    due = find_dead_letters(conn, due_only=True)
    assert (len(due), retry_dead_letters(conn, due)) == (1, 0)
    assert_exact(conn)


def set_back_twice(conn: Connection, move: Callable[[Connection], object] = refresh_now) -> None:
    """Set the clock back twice between two checks, so that the moment of freshness, which stands still, comes twice.

    What is committed now seems to have been committed before that moment. The clock passes it again ten seconds later.
    """
    refresh_now(conn)
    conn.execute("INSERT INTO projector.capture_gaps (reason) VALUES ('a trigger was missing')")
    jump(conn, 20.0)
    move(conn)
    jump(conn, -15.0)
    jump(conn, -10.0)


@pytest.mark.parametrize("move", MOVES)
def test_a_moment_that_comes_twice_is_promised_once(
    filled: Platform, move: Callable[[Connection], object]
) -> None:
    conn = filled.conn
    set_back_twice(conn, move)
    filled.message("c", "second")
    jump(conn, 10.0)
    with serving(filled.database) as app:
        client = app.test_client()

        def promised() -> str | None:
            return client.get("/users/one/leads").headers.get("X-Data-As-Of")

        assert promised() is None, "before a projector looks"
        move(conn)
        assert (promised(), value(conn, NEWEST)) == (None, EPOCH)
        conn.execute("DELETE FROM projector.capture_gaps")
        refresh_now(conn)
        # An answer from memory may be a few milliseconds older.
        interleaving.wait_for(lambda: promised() is not None)
    assert_exact(conn)


@pytest.mark.parametrize("move", MOVES)
def test_a_clock_that_goes_more_slowly_than_that_of_the_process_was_set_back(
    filled: Platform, monkeypatch: pytest.MonkeyPatch, move: Callable[[Connection], object]
) -> None:
    """It was set back by less than the time between two checks, so it is ahead of the previous reading."""
    conn = filled.conn
    conn.execute("INSERT INTO projector.capture_gaps (reason) VALUES ('a trigger was missing')")
    move(conn)
    assert value(conn, NEWEST) > EPOCH
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 20)
    move(conn)
    assert value(conn, NEWEST) == EPOCH


def test_what_was_read_before_the_clock_was_set_back_is_not_stored_after_it(
    filled: Platform, other: Connection
) -> None:
    """Another session has found that it was."""
    filled.message("c", "second")
    with refreshing(filled.database, "taken", shard=shard_of(filled.conn, "c")) as batch:
        lower_moments(other, None)
        batch.finish()
    assert value(filled.conn, NEWEST) == EPOCH
    other.execute("BEGIN")
    lower_moments(other, None)
    with Stepped(filled.database, look_now) as looking:
        looking.waits(filled.conn)
        other.execute("COMMIT")
        looking.finish()
    assert value(filled.conn, NEWEST) == EPOCH
