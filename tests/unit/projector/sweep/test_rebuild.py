"""A rebuild as a whole: which way it goes, and who may not begin one."""

import pytest

from projector.database import locks
from projector.report.errors import BlockedError, NotInstalledError, TenantNotFoundError
from projector.report.progress import QUIET, Lines
from projector.sweep.rebuild import rebuild
from tests.support.running import value
from tests.support.server import Database
from tests.unit.projector.sweep.contents import Connection, assert_as_the_oracle, contents, rebuild_now


def points_of(conn: Connection, tenants: list[str] | None = None) -> set[str]:
    points: set[str] = set()
    rebuild(conn, tenants=tenants, progress=QUIET, point=points.add)
    return points


def test_what_was_never_built_is_built_at_once_and_later_in_place(written: Connection) -> None:
    assert points_of(written) == {"built", "indexed"}
    assert points_of(written) == {"compared"}
    assert_as_the_oracle(written)


def test_one_tenant_is_built_in_place_also_before_the_first_build(written: Connection) -> None:
    assert "built" not in points_of(written, ["u"])
    assert value(written, "SELECT array_agg(DISTINCT user_id) FROM read_model.leads") == ["u"]
    assert value(written, "SELECT built_at IS NULL FROM read_model.projection")
    assert points_of(written) == {"built", "indexed"}
    assert_as_the_oracle(written)


def test_what_is_in_place_goes_in_place_for_another_projection_version_too(filled: Connection) -> None:
    before = contents(filled)
    filled.execute("UPDATE read_model.projection SET version = 'another'")
    filled.execute("UPDATE read_model.leads SET document = 'of another projection'")
    assert points_of(filled) == {"compared", "locked", "recomputed", "written"}
    assert contents(filled) == before


@pytest.mark.parametrize("tenants", [None, ["u"]])
def test_a_second_rebuild_is_refused_while_one_is_under_way(
    filled_database: Database, filled: Connection, tenants: list[str] | None
) -> None:
    with filled_database.connect() as other, locks.try_session_lock(other, locks.REBUILD) as is_taken:
        assert is_taken
        with pytest.raises(BlockedError, match="Another rebuild is under way"):
            rebuild_now(filled, tenants)
    rebuild_now(filled, tenants)


def test_nothing_is_begun_where_it_may_not(filled: Connection) -> None:
    runs = value(filled, "SELECT count(*) FROM projector.runs")
    with pytest.raises(TenantNotFoundError):
        rebuild_now(filled, ["nobody"])
    filled.execute("UPDATE projector.settings SET value = 'another' WHERE name = 'projection_version'")
    with pytest.raises(NotInstalledError, match="projection version"):
        rebuild_now(filled)
    assert value(filled, "SELECT count(*) FROM projector.runs") == runs


def test_it_reports_what_it_did(filled: Connection) -> None:
    written = filled.execute("DELETE FROM read_model.lead_messages WHERE user_id = 'u'").rowcount
    report = rebuild_now(filled, ["u"])
    assert (report.kind, report.changes) == ("rebuild", 0)
    assert report.leads >= value(filled, "SELECT count(*) FROM read_model.leads WHERE user_id = 'u'")
    assert report.messages == written > 0
    assert report.seconds > 0
    run = filled.execute(
        "SELECT leads, messages, outcome, leads_total IS NOT NULL FROM projector.runs ORDER BY run_id DESC LIMIT 1"
    ).fetchone()
    assert run is not None
    assert run[1:] == (written, "done", True)


def test_its_progress_names_customers_and_its_result_leads(filled: Connection) -> None:
    """A template that was only queued makes its customer no lead, and yet the rebuild looks at that customer."""
    said: list[str] = []
    report = rebuild(filled, tenants=None, progress=Lines(said.append, lambda: 0.0))
    assert report.leads == value(filled, "SELECT count(*) FROM read_model.leads")
    customers = value(
        filled,
        "SELECT count(*) FROM (SELECT DISTINCT user_id, customer_phone FROM projector.source_keys"
        " WHERE kind <> 'contact') AS k",
    )
    assert customers > report.leads
    assert said == [
        f"rebuild: {customers} customers",
        f"rebuild: {customers} of {customers} customers in 0.0 s",
    ]
