"""The first build: it writes all or nothing, and refreshes wait."""

from itertools import count

import pytest

from projector.core.preconditions import is_built, require_built
from projector.database.rows import Connection
from projector.report.errors import BlockedError, NotInstalledError, RebuildFailedError
from projector.report.progress import QUIET
from projector.sweep import first_build
from projector.sweep.verify import verify
from tests.exactness.platform import assert_exact, rebuild_now, value
from tests.exactness.test_upgrade import structure
from tests.support.points import at_points
from tests.unit.projector.sweep.contents import contents


def assert_never_built(conn: Connection) -> None:
    assert value(conn, "SELECT built_at IS NULL FROM read_model.projection")
    assert all(rows == [] for rows in contents(conn).values())
    assert value(conn, "SELECT count(*) FROM read_model.freshness") == 0
    assert value(conn, "SELECT count(*) FROM read_model.tenants") == 0


def test_a_read_model_that_was_never_built_is_not_verified(connection: Connection) -> None:
    assert not is_built(connection)
    for check in (
        lambda: require_built(connection),
        lambda: verify(connection, tenants=None, sample=None, heal=False, progress=QUIET),
    ):
        with pytest.raises(NotInstalledError, match="never built: run rebuild, or start the scheduler"):
            check()
    assert value(connection, "SELECT count(*) FROM projector.runs") == 0


def test_a_row_that_cannot_be_projected_stops_it_and_is_told_with_its_step(written: Connection) -> None:
    written.execute("ALTER TABLE read_model.lead_profiles ADD CONSTRAINT refused CHECK (total_score IS NULL)")
    before = structure(written)["tables"]
    with pytest.raises(
        RebuildFailedError,
        match=r"refused.* \(sql/sweep/first_build/50_build_profiles\.sql, which reads .*\)\. .*run rebuild again",
    ):
        rebuild_now(written)
    assert_never_built(written)
    assert structure(written)["tables"] == before
    outcome, note = written.execute("SELECT outcome, note FROM projector.runs").fetchone() or ("", "")
    assert outcome == "failed"
    assert note.endswith("(sql/sweep/first_build/50_build_profiles.sql)")


def test_a_platform_that_keeps_rewriting_its_tables_is_named(
    written: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    points: list[str] = []
    with monkeypatch.context() as patches:
        # Each look finds other files. tests/exactness/test_rebuild.py has a table that is rewritten.
        files = count()
        patches.setattr(first_build, "source_files", lambda _: [str(next(files))])
        with pytest.raises(BlockedError, match="keeps truncating or rewriting"), at_points(points.append):
            rebuild_now(written)
    assert points.count("built") == first_build.BUILD_ATTEMPTS
    assert_never_built(written)
    rebuild_now(written)
    assert_exact(written)
