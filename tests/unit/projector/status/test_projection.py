"""What the read model as a whole is."""

from projector.database.sql import PROJECTION_VERSION
from projector.observe.status.projection import is_installed, read_projection
from tests.support.server import Database
from tests.unit.projector.recovering import Connection


def test_a_database_without_a_read_model_has_none(source_database: Database) -> None:
    with source_database.connect() as conn:
        assert not is_installed(conn)


def test_a_read_model_that_was_never_built_has_no_freshness(connection: Connection) -> None:
    assert is_installed(connection)
    found = read_projection(connection)
    assert found is not None
    assert (found.version, found.built_at, found.as_of, found.as_of_age) == (
        PROJECTION_VERSION,
        None,
        None,
        None,
    )
    assert (found.capture_gap, found.broken, found.switched_off, found.gap_since) == (None, None, None, None)


def test_the_age_of_freshness_is_by_the_clock_of_the_platform(built: Connection) -> None:
    built.execute("UPDATE read_model.freshness SET as_of = clock_timestamp() - interval '1 hour'")
    found = read_projection(built)
    assert found is not None
    assert found.as_of is not None
    assert found.as_of_age is not None
    assert found.as_of_age >= 3600
    assert found.read_at > found.as_of
