"""Where logical replication brings the source rows, as-of ends at what is proved: each bound by itself, on one server.

What stands for the subscriptions is a view with rows of the test's own. tests/unit/projector/test_origin.py has real
ones.
"""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from projector.core.batch import lower_moments
from projector.database import rows
from projector.database.rows import Connection
from projector.database.sql import query
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.operate.origin import proof as origin
from projector.operate.origin.proof import Origin, read_feeds
from projector.scheduler.refresh import look
from tests.exactness.platform import Platform, rebuild_now, refresh_now, texts, value
from tests.exactness.test_clock import jump, set_back_twice
from tests.support.cases import cases

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WELL = "('leads', 'slot', true, 0::bigint, true, '0/5'::pg_lsn, 0::bigint)"
COPYING = WELL.replace("0::bigint, true", "1::bigint, true")
WITHOUT_WORKER = WELL.replace("true, '0/5'::pg_lsn", "false, NULL")
WITHOUT_POSITION = WELL.replace("'0/5'::pg_lsn", "NULL::pg_lsn")
NONE = WELL.replace("'leads'", "NULL")
AS_OF = "SELECT as_of FROM read_model.freshness"


def feed_by(conn: Connection, *rows: str) -> None:
    """Let the source rows come from these subscriptions."""
    conn.execute(
        'CREATE OR REPLACE VIEW projector.feeds AS SELECT f.name::text COLLATE "C",'
        ' f.slot_name::text COLLATE "C", f.is_enabled,'
        f" f.unready_tables, f.has_worker, f.position, f.errors FROM (VALUES {', '.join(rows)})"
        " AS f (name, slot_name, is_enabled, unready_tables, has_worker, position, errors)"
        " WHERE f.name IS NOT NULL".encode()
    )


def prove(conn: Connection, moment: datetime) -> None:
    """Say that everything before that moment has arrived."""
    conn.execute("INSERT INTO projector.origin (proved_at) VALUES (NULL) ON CONFLICT DO NOTHING")
    conn.execute(query("origin", "note_proof"), {"at": moment, "errors": 0, "set_backs": 0})


def proof(conn: Connection, moments: list[datetime], positions: list[str]) -> datetime | None:
    """Return the last of these moments whose position has been passed."""
    parameters = {"moments": moments, "positions": positions}
    proved: datetime | None = rows.value(conn, query("origin", "find_proof"), parameters)
    return proved


def move_by_a_look(platform: Platform) -> None:
    look(platform.conn, timedelta(0))


def move_by_a_batch(platform: Platform) -> None:
    platform.message("c", "more")
    refresh_now(platform.conn)
    assert "more" in texts(platform.conn, "one", "4915")


def move_by_an_idle_refresh(platform: Platform) -> None:
    refresh_now(platform.conn)


MOVES = (move_by_a_look, move_by_a_batch, move_by_an_idle_refresh)


@pytest.mark.parametrize("move", MOVES)
def test_as_of_ends_where_the_origin_is_proved(filled: Platform, move: Callable[[Platform], None]) -> None:
    conn = filled.conn
    before = value(conn, AS_OF)
    feed_by(conn, WELL)
    move(filled)
    # Nothing is proved yet: it stands still.
    assert value(conn, AS_OF) == before
    proved = value(conn, "SELECT clock_timestamp()")
    prove(conn, proved)
    move(filled)
    assert value(conn, AS_OF) == proved
    move(filled)
    assert value(conn, AS_OF) == proved


def test_a_subscription_that_was_dropped_moves_nothing(filled: Platform) -> None:
    conn = filled.conn
    feed_by(conn, WELL)
    proved = value(conn, "SELECT clock_timestamp()")
    prove(conn, proved)
    move_by_a_look(filled)
    feed_by(conn, NONE)
    for move in MOVES:
        move(filled)
        assert value(conn, AS_OF) == proved
    with closing(Origin(filled.database.url)) as followed:
        followed.follow(conn)
    move_by_a_look(filled)
    assert value(conn, AS_OF) == proved
    assert "No subscription brings rows" in value(conn, "SELECT feed_problem FROM read_model.projection")
    # The view that stands for the subscriptions is named too.
    replaced, sentence = find_attention(read_status(conn))
    assert "view projector.feeds" in replaced
    assert "No subscription brings rows" in sentence
    # An operator who takes the setting away says that the tables are the platform's own.
    Origin("").follow(conn)
    assert value(conn, "SELECT feed_problem FROM read_model.projection") is None
    move_by_a_look(filled)
    assert value(conn, AS_OF) > proved


def test_what_was_proved_before_the_clock_was_set_back_moves_nothing(filled: Platform) -> None:
    conn = filled.conn
    feed_by(conn, WELL)
    prove(conn, value(conn, "SELECT clock_timestamp()"))
    set_back_twice(conn)
    jump(conn, 10.0)
    conn.execute("DELETE FROM projector.capture_gaps")
    for move in MOVES:
        move(filled)
        assert value(conn, AS_OF) == EPOCH


def test_a_moment_of_the_origin_that_comes_twice_is_proved_once(
    filled: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock is set back twice between two looks; another projector looks once it has gone on."""
    conn = filled.conn
    began_at = value(conn, "SELECT clock_timestamp() - interval '1 h'")

    def follow(followed: Origin, seconds: int, position: str, arrived: str) -> datetime | None:
        told = (began_at + timedelta(seconds=seconds), position, 1)
        monkeypatch.setattr(origin, "read_moment", lambda *_: told)
        feed_by(conn, WELL.replace("0/5", arrived))
        followed.follow(conn)
        move_by_a_look(filled)
        proved: datetime | None = value(conn, "SELECT proved_at FROM projector.origin")
        return proved

    # The moments of today are later.
    lower_moments(conn, None)
    with closing(Origin(filled.database.url)) as first, closing(Origin(filled.database.url)) as second:
        assert follow(first, 0, "0/1", "0/1") == began_at
        for server in (first, second):
            assert follow(server, 20, "0/3", "0/1") == began_at
        with closing(Origin(filled.database.url)) as restarted:
            assert follow(restarted, 5, "0/5", "0/1") is None
        assert value(conn, AS_OF) == EPOCH
        # What both still had to prove has arrived. What came since has not.
        for seconds, server in ((6, first), (30, second)):
            assert follow(server, seconds, "0/7", "0/4") is None
        assert follow(second, 31, "0/8", "0/8") == began_at + timedelta(seconds=31)
        assert value(conn, AS_OF) == began_at + timedelta(seconds=31)


def test_what_is_proved_while_another_session_finds_the_clock_set_back_is_void(
    filled: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = filled.conn
    prove(conn, EPOCH)
    feed_by(conn, WELL)

    def read_moment(*_: object) -> tuple[datetime, str, int]:
        lower_moments(conn, None)
        return value(conn, "SELECT clock_timestamp()"), "0/1", 1

    monkeypatch.setattr(origin, "read_moment", read_moment)
    with closing(Origin(filled.database.url)) as followed:
        followed.follow(conn)
    assert value(conn, "SELECT proved_at FROM projector.origin") is None


def test_a_first_build_of_replicated_rows_promises_nothing(filled: Platform) -> None:
    conn = filled.conn
    feed_by(conn, WELL)
    conn.execute("DELETE FROM read_model.freshness")
    rebuild_now(conn, first=True)
    assert value(conn, AS_OF) == EPOCH


POSITIONS = ("0/3", "0/5", "0/7")


@cases(
    ("feeds", "proved"),
    [
        ([WELL], 1),
        ([WELL.replace("0/5", "0/6")], 1),
        ([WELL.replace("0/5", "0/2")], None),
        # The one that is furthest behind decides.
        ([WELL, WELL.replace("0/5", "0/4")], 0),
        # A table that is still copied is behind its subscription.
        ([COPYING], None),
        # A position without a worker is an old one.
        ([WELL, WITHOUT_WORKER], None),
        # A worker that has just started has reported nothing yet.
        ([WELL, WITHOUT_POSITION], None),
    ],
)
def test_a_moment_is_proved_once_every_subscription_has_passed_its_position(
    filled: Platform, feeds: list[str], proved: int | None
) -> None:
    feed_by(filled.conn, *feeds)
    moments = [EPOCH + timedelta(days=day) for day in range(len(POSITIONS))]
    newest = proof(filled.conn, moments, list(POSITIONS))
    assert newest == (None if proved is None else moments[proved])


def test_the_distance_of_a_subscription_is_in_bytes_and_never_negative(filled: Platform) -> None:
    feed_by(filled.conn, WELL)
    for position, behind in ((None, None), ("0/7", 2), ("0/3", 0)):
        look_at = {"clock": position and EPOCH, "position": position, "errors": 0}
        filled.conn.execute(query("origin", "note_look"), look_at)
        [feed] = read_feeds(filled.conn)
        assert feed.bytes_behind == behind


def test_nothing_is_proved_while_no_subscription_brings_a_table(filled: Platform) -> None:
    feed_by(filled.conn, WELL)
    filled.conn.execute(
        "CREATE OR REPLACE VIEW projector.unfed_tables AS SELECT 'public.contacts'::text COLLATE \"C\" AS name"
    )
    assert proof(filled.conn, [EPOCH], ["0/1"]) is None


def test_what_is_committed_after_the_clock_was_read_is_not_promised(filled: Platform) -> None:
    conn = filled.conn
    asked: list[Any] = []
    committed: list[Any] = []

    class Slow:
        """A connection to the origin, where somebody commits between the two statements."""

        def execute(self, *arguments: Any) -> Any:  # noqa: ANN401  # As psycopg's.
            if asked:
                filled.message("c", "between")
                committed.append(value(conn, "SELECT clock_timestamp()"))
                committed.append(value(conn, "SELECT pg_current_wal_insert_lsn()::text"))
            asked.append(arguments)
            return conn.execute(*arguments)

    at, position, _ = origin.read_moment(Slow(), [])  # type: ignore[arg-type]
    committed_at, end = committed
    is_behind = value(conn, "SELECT %s::pg_lsn >= %s::pg_lsn", position, end)
    assert at < committed_at or is_behind


def test_the_position_of_the_origin_is_behind_what_is_not_on_its_disk_yet(filled: Platform) -> None:
    """A commit that does not wait for the disk is visible before it is there."""
    conn = filled.conn
    conn.execute("SET synchronous_commit = off")
    for number in range(30):
        with conn.transaction():
            filled.message("c", f"{number}" * 1000)
            # A page's header is no record.
            before = value(conn, "SELECT (pg_current_wal_insert_lsn() - 40)::text")
            _, position, _ = origin.read_moment(conn, [])
            assert value(conn, "SELECT %s::pg_lsn >= %s::pg_lsn", position, before)


def test_a_server_without_the_slots_proves_nothing(filled: Platform) -> None:
    feed_by(filled.conn, WELL.replace("0/5", "FFFFFFFF/0"))
    with closing(Origin(filled.database.url)) as follower:
        follower.follow(filled.conn)
    assert not follower.has_proved
    assert value(filled.conn, "SELECT proved_at FROM projector.origin") is None
    reason = value(filled.conn, "SELECT feed_problem FROM read_model.projection")
    assert "without the replication slots of leads" in reason
