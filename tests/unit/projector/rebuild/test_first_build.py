"""The first build: it writes all or nothing, and refreshes wait."""

import re
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from projector.core import pipeline, snapshots
from projector.core.batch import refresh_batch
from projector.core.refresh import refresh
from projector.database import locks
from projector.database.sql import PROJECTION_VERSION, steps
from projector.report.errors import BlockedError, RebuildFailedError
from projector.report.progress import QUIET, Lines
from projector.sweep import statistics
from projector.sweep.rebuild import first_build, rebuild
from tests.support.patience import PATIENCE
from tests.support.running import value, wait_for, wait_until, write_source
from tests.support.server import Database
from tests.unit.projector.rebuild.contents import (
    TABLES,
    Connection,
    assert_as_the_oracle,
    contents,
    rebuild_now,
)

INDEXES = (
    "SELECT array_agg(pg_get_indexdef(i.indexrelid) || coalesce(' ' || c.conname || pg_get_constraintdef(c.oid), '')"
    " ORDER BY i.indexrelid::regclass::text) FROM pg_index AS i"
    " LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')"
    " WHERE i.indrelid::regclass::text ~ '^(read_model|projector)[.]'"
)
POINTS = ("built", "indexed")


@pytest.fixture
def other(written_database: Database) -> Iterator[Connection]:
    """The connection of the platform, or of an operator."""
    with written_database.connect() as conn:
        yield conn


def assert_never_built(conn: Connection) -> None:
    assert value(conn, "SELECT built_at IS NULL FROM read_model.projection")
    assert all(rows == [] for rows in contents(conn).values())
    assert value(conn, "SELECT count(*) FROM read_model.freshness") == 0
    assert value(conn, "SELECT count(*) FROM read_model.tenants") == 0


def run_in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Start the work; what it returns, or the error that ends it, is in the list afterwards."""
    ended: list[object] = []

    def note() -> None:
        try:
            ended.append(work())
        except Exception as error:  # noqa: BLE001  # The test looks at it.
            ended.append(error)

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    return thread, ended


def test_everything_is_built_from_nothing(written: Connection) -> None:
    indexes = value(written, INDEXES)
    since = value(written, "SELECT clock_timestamp()")
    report = rebuild_now(written)
    assert_as_the_oracle(written)
    assert statistics.find_differences(written, None) == []
    assert report.leads == value(written, "SELECT count(*) FROM read_model.leads") > 0
    assert report.messages == value(written, "SELECT count(*) FROM read_model.lead_messages")
    assert value(written, INDEXES) == indexes
    assert value(written, "SELECT version FROM read_model.projection") == PROJECTION_VERSION
    assert value(written, "SELECT built_at > %s FROM read_model.projection", since)
    as_of, shards = written.execute("SELECT as_of, shards FROM read_model.freshness").fetchone() or ("", [])
    assert since < as_of < value(written, "SELECT built_at FROM read_model.projection")
    assert shards == [as_of] * len(locks.SHARDS)
    # Statistics of the planner, and pages that an index-only scan need not visit.
    for table in TABLES:
        found = written.execute(
            "SELECT reltuples, relallvisible, relpages FROM pg_class WHERE oid = %s::regclass", (table,)
        ).fetchone()
        assert found is not None
        assert found[0] == value(written, f"SELECT count(*) FROM {table}")
        assert found[1] == found[2]


def test_changes_and_dead_letters_that_the_build_contains_are_dropped(written: Connection) -> None:
    written.execute(
        "INSERT INTO projector.dead_letters VALUES ('contacts', 'k', 'u', '1', 'e', 1, now(), now())"
    )
    written.execute(
        "INSERT INTO read_model.tenants (user_id, version, dead_letters) VALUES ('u', 7, 1), ('gone', 3, 1)"
    )
    assert value(written, "SELECT count(*) FROM projector.changes") > 0
    rebuild_now(written)
    assert value(written, "SELECT count(*) FROM projector.changes") == 0
    assert value(written, "SELECT count(*) FROM projector.dead_letters") == 0
    tenants = "SELECT version, dead_letters FROM read_model.tenants WHERE user_id = %s"
    assert written.execute(tenants, ("u",)).fetchall() == [(8, 0)]
    assert written.execute(tenants, ("gone",)).fetchall() == [(4, 0)]


@pytest.mark.parametrize("point", POINTS)
def test_a_change_during_the_build_stays_in_the_queue(
    written: Connection, other: Connection, point: str
) -> None:
    phones: list[str] = []

    def change(found: str) -> None:
        if found == point:
            write_source(other, "late")
            phones.append(found)

    rebuild(written, tenants=None, progress=QUIET, point=change)
    assert phones == [point]
    assert value(written, "SELECT count(*) FROM read_model.leads WHERE user_id = 'late'") == 0
    assert value(written, "SELECT count(*) FROM projector.changes") > 0
    refresh(written, retry_failed=False, progress=QUIET)
    assert value(written, "SELECT count(*) FROM read_model.leads WHERE user_id = 'late'") == 1
    assert_as_the_oracle(written)


@pytest.mark.parametrize("point", POINTS)
def test_an_exception_leaves_nothing_and_the_indexes_stay(written: Connection, point: str) -> None:
    indexes, changes = value(written, INDEXES), value(written, "SELECT count(*) FROM projector.changes")

    def fail(found: str) -> None:
        if found == point:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(written, tenants=None, progress=QUIET, point=fail)
    assert_never_built(written)
    assert value(written, INDEXES) == indexes
    assert value(written, "SELECT count(*) FROM projector.changes") == changes
    assert value(written, "SELECT outcome FROM projector.runs") == "interrupted"
    assert value(written, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    rebuild_now(written)
    assert_as_the_oracle(written)


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_session_leaves_nothing_and_the_indexes_stay(
    written_database: Database, other: Connection, point: str
) -> None:
    indexes = value(other, INDEXES)
    with written_database.connect() as doomed:

        def kill(found: str) -> None:
            if found == point:
                other.execute("SELECT pg_terminate_backend(%s)", (doomed.info.backend_pid,))

        with pytest.raises(psycopg.OperationalError):
            rebuild(doomed, tenants=None, progress=QUIET, point=kill)
    wait_until(other, "count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    assert_never_built(other)
    assert value(other, INDEXES) == indexes
    assert value(other, "SELECT outcome FROM projector.runs") == "running"
    rebuild_now(other)
    assert_as_the_oracle(other)


def test_a_row_that_cannot_be_projected_stops_it_and_is_told_with_its_step(written: Connection) -> None:
    indexes = value(written, INDEXES)
    written.execute("ALTER TABLE read_model.lead_profiles ADD CONSTRAINT refused CHECK (total_score IS NULL)")
    with pytest.raises(
        RebuildFailedError,
        match=r"refused.* \(sql/rebuild/first_build/50_build_profiles\.sql\)\. .*run rebuild again",
    ):
        rebuild_now(written)
    assert_never_built(written)
    assert value(written, INDEXES) == indexes
    outcome, note = written.execute("SELECT outcome, note FROM projector.runs").fetchone() or ("", "")
    assert outcome == "failed"
    assert note.endswith("(sql/rebuild/first_build/50_build_profiles.sql)")


def test_rows_of_refreshes_before_the_first_build_are_replaced(written: Connection) -> None:
    refresh(written, retry_failed=False, progress=QUIET)
    assert value(written, "SELECT count(*) FROM read_model.leads") > 0
    written.execute("UPDATE read_model.leads SET document = '{}'")
    rebuild_now(written)
    assert_as_the_oracle(written)


def test_a_key_that_a_view_needs_is_kept(written: Connection) -> None:
    written.execute(
        "CREATE VIEW dependent AS SELECT user_id, customer_phone, document FROM read_model.leads"
        " GROUP BY user_id, customer_phone"
    )
    indexes = value(written, INDEXES)
    rebuild_now(written)
    assert value(written, INDEXES) == indexes
    assert value(written, "SELECT count(*) FROM dependent") == value(
        written, "SELECT count(*) FROM read_model.leads"
    )
    assert_as_the_oracle(written)


def test_a_key_that_a_foreign_key_needs_is_kept(written: Connection) -> None:
    written.execute(
        "CREATE TABLE notes (user_id text, customer_phone text,"
        " FOREIGN KEY (user_id, customer_phone) REFERENCES read_model.leads)"
    )
    indexes = value(written, INDEXES)
    rebuild_now(written)
    assert value(written, INDEXES) == indexes
    assert_as_the_oracle(written)


def test_an_index_that_an_operator_added_is_created_again(written: Connection) -> None:
    written.execute("CREATE INDEX of_mine ON read_model.leads (lower(document)) WHERE total_messages > 3")
    written.execute(
        "ALTER TABLE read_model.lead_messages ADD CONSTRAINT only_once UNIQUE (message_id, user_id)"
    )
    indexes = value(written, INDEXES)
    rebuild_now(written)
    assert value(written, INDEXES) == indexes


@pytest.mark.parametrize(
    "work",
    [
        lambda conn: refresh(conn, retry_failed=False, progress=QUIET),
        lambda conn: refresh_batch(conn, locks.SHARDS, wait=True),
    ],
)
def test_refreshes_wait_and_come_after_it(
    written_database: Database,
    written: Connection,
    other: Connection,
    work: Callable[[Connection], object],
) -> None:
    begun = threading.Event()
    go_on = threading.Event()

    def pause(point: str) -> None:
        if point == "built":
            begun.set()
            go_on.wait(PATIENCE)

    with written_database.connect() as conn:
        pipeline.prepare_session(conn)
        build, built = run_in_thread(lambda: rebuild(written, tenants=None, progress=QUIET, point=pause))
        assert begun.wait(PATIENCE)
        write_source(other, "late")
        waiting, refreshed = run_in_thread(lambda: work(conn))
        wait_until(other, "count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        assert refreshed == []
        go_on.set()
        build.join(PATIENCE)
        waiting.join(PATIENCE)
    assert not [ended for ended in (*built, *refreshed) if isinstance(ended, Exception)]
    assert value(other, "SELECT count(*) FROM read_model.leads WHERE user_id = 'late'") == 1
    assert_as_the_oracle(other)


def test_another_rebuild_is_refused_meanwhile(written: Connection, other: Connection) -> None:
    refused: list[str] = []

    def try_another(point: str) -> None:
        if point == "built":
            with pytest.raises(BlockedError, match="Another rebuild is under way"):
                rebuild_now(other)
            refused.append(point)

    rebuild(written, tenants=None, progress=QUIET, point=try_another)
    assert refused == ["built"]


@pytest.fixture
def rewrite(other: Connection, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the platform write a table into another file after the snapshot of each of the next so many builds.

    The snapshot finds none of its rows.
    """

    def rewrite_in(builds: int) -> None:
        left = [builds]

        def rewrite_and_read(name: str, fence: str) -> object:
            if left[0]:
                left[0] -= 1
                other.execute("ALTER TABLE contacts ALTER COLUMN name TYPE text USING name || ''")
            return steps(name, fence)

        monkeypatch.setattr(first_build, "steps", rewrite_and_read)

    return rewrite_in


def test_what_was_built_while_a_source_table_was_rewritten_is_built_again(
    written: Connection, rewrite: Callable[[int], None]
) -> None:
    rewrite(1)
    points: list[str] = []
    rebuild(written, tenants=None, progress=QUIET, point=points.append)
    assert points == ["built", "indexed"] * 2
    assert_as_the_oracle(written)
    assert value(written, "SELECT array_agg(outcome) FROM projector.runs") == ["done"]


def test_the_progress_ends_with_the_last_step(written: Connection) -> None:
    lines: list[str] = []
    rebuild(written, tenants=None, progress=Lines(lines.append))
    done, total = re.findall(r"(\d+) of (\d+) steps", lines[-1])[0]
    assert done == total
    assert lines[0] == f"rebuild: {total} steps"


def test_a_platform_that_keeps_rewriting_its_tables_is_named(
    written: Connection, rewrite: Callable[[int], None]
) -> None:
    rewrite(first_build.BUILD_ATTEMPTS)
    points: list[str] = []
    with pytest.raises(BlockedError, match="keeps truncating or rewriting its tables"):
        rebuild(written, tenants=None, progress=QUIET, point=points.append)
    assert points.count("built") == first_build.BUILD_ATTEMPTS
    assert_never_built(written)
    rebuild_now(written)
    assert_as_the_oracle(written)


def test_a_source_table_that_is_held_is_waited_for(
    written: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "SOURCE_LOCK_TIMEOUT", "50ms")
    with other.transaction():
        other.execute("LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE")
        thread, ended = run_in_thread(lambda: rebuild_now(written))
        # It gives way each time, and tries again.
        wait_for(lambda: "contacts" in str(blocked(other)), "the build waits for the table")
        wait_for(lambda: "contacts" not in str(blocked(other)), "the build gives way")
        other.execute("UPDATE contacts SET name = 'During'")
    thread.join(PATIENCE)
    assert not isinstance(ended[0], Exception)
    assert_as_the_oracle(other)


def blocked(conn: Connection) -> list[str]:
    """The relations that a session waits for."""
    found = conn.execute(
        "SELECT relation::regclass::text FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
    )
    return [row[0] for row in found.fetchall()]


@pytest.mark.usefixtures("impatient")
def test_a_source_table_that_is_held_for_too_long_is_named(
    written: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "SOURCE_LOCK_TIMEOUT", "50ms")
    with other.transaction():
        other.execute("LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(BlockedError, match="another session holds one"):
            rebuild_now(written)
    assert_never_built(written)
    rebuild_now(written)
    assert_as_the_oracle(written)
