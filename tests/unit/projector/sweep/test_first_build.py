"""The first build: it writes all or nothing, and refreshes wait."""

from collections.abc import Callable, Iterator

import pytest

from projector.database.rows import Connection
from projector.database.sql import steps
from projector.report.errors import BlockedError, RebuildFailedError
from projector.sweep import first_build
from tests.support.points import at_points
from tests.support.running import value
from tests.support.server import Database
from tests.unit.projector.sweep.contents import assert_as_the_oracle, contents, rebuild_now

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


def test_a_platform_that_keeps_rewriting_its_tables_is_named(
    written: Connection, rewrite: Callable[[int], None]
) -> None:
    rewrite(first_build.BUILD_ATTEMPTS)
    points: list[str] = []
    with (
        pytest.raises(BlockedError, match="keeps truncating or rewriting its tables"),
        at_points(points.append),
    ):
        rebuild_now(written)
    assert points.count("built") == first_build.BUILD_ATTEMPTS
    assert_never_built(written)
    rebuild_now(written)
    assert_as_the_oracle(written)
