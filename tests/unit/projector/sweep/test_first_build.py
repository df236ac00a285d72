"""The first build: it writes all or nothing, and refreshes wait."""

import re
from collections.abc import Callable, Iterator

import pytest

from projector.core import snapshots
from projector.core.refresh import refresh
from projector.database import locks
from projector.database.sql import PROJECTION_VERSION, steps
from projector.report.errors import BlockedError, RebuildFailedError
from projector.report.progress import QUIET, Lines
from projector.sweep import first_build, statistics
from projector.sweep.rebuild import rebuild
from tests.support.running import value
from tests.support.server import Database
from tests.unit.projector.sweep.contents import (
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


def test_an_exception_leaves_nothing_and_the_indexes_stay(written: Connection) -> None:
    indexes, changes = value(written, INDEXES), value(written, "SELECT count(*) FROM projector.changes")

    def fail(found: str) -> None:
        if found == "indexed":
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


def test_a_row_that_cannot_be_projected_stops_it_and_is_told_with_its_step(written: Connection) -> None:
    indexes = value(written, INDEXES)
    written.execute("ALTER TABLE read_model.lead_profiles ADD CONSTRAINT refused CHECK (total_score IS NULL)")
    with pytest.raises(
        RebuildFailedError,
        match=r"refused.* \(sql/sweep/first_build/50_build_profiles\.sql\)\. .*run rebuild again",
    ):
        rebuild_now(written)
    assert_never_built(written)
    assert value(written, INDEXES) == indexes
    outcome, note = written.execute("SELECT outcome, note FROM projector.runs").fetchone() or ("", "")
    assert outcome == "failed"
    assert note.endswith("(sql/sweep/first_build/50_build_profiles.sql)")


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


def test_an_index_that_an_operator_added_is_created_again(written: Connection) -> None:
    written.execute("CREATE INDEX of_mine ON read_model.leads (lower(document)) WHERE total_messages > 3")
    written.execute(
        "ALTER TABLE read_model.lead_messages ADD CONSTRAINT only_once UNIQUE (message_id, user_id)"
    )
    indexes = value(written, INDEXES)
    rebuild_now(written)
    assert value(written, INDEXES) == indexes


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
