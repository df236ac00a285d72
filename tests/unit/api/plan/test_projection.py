"""The statements about the read model as a whole."""

from api.plan.projection import FreshnessRow, ProjectionRow, freshness, projection_state
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp


def test_a_built_read_model(library: Library, make_app: MakeApp) -> None:
    database = make_app(library.database).extensions["leads"].database
    state = database.fetch(projection_state())
    assert (state.installed, state.capture_gap) == (1, None)
    assert state.built_at is not None
    known = database.fetch(freshness())
    assert known.as_of is not None
    assert known.age is not None


def test_there_is_a_row_without_any_row(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        conn.execute("DELETE FROM read_model.projection")
        conn.execute("DELETE FROM read_model.freshness")
    reader = make_app(database).extensions["leads"].database
    assert reader.fetch(projection_state()) == ProjectionRow(0, None, None, None)
    assert reader.fetch(freshness()) == FreshnessRow(None, None)


@cases("table", ["leads", "lead_profiles", "lead_totals", "tenants"])
def test_they_read_no_table_of_a_tenant(table: str) -> None:
    for bound in (projection_state(), freshness()):
        assert f"read_model.{table}" not in str(bound.statement)
