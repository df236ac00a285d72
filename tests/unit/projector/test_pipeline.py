"""The staging tables of a session."""

from projector.core import pipeline, staging
from projector.database.rows import Connection
from tests.support.running import value


def test_the_staging_tables_are_made_once_and_cleared(connection: Connection) -> None:
    pipeline.prepare_session(connection)
    pipeline.prepare_session(connection)
    made = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
    )
    assert {row[0] for row in made.fetchall()} == set(staging.TABLES)
    connection.execute("INSERT INTO stale_tenants VALUES ('u')")
    connection.execute(
        "INSERT INTO stale_messages SELECT 'u', repeat('x', 100) FROM generate_series(1, 50000)"
    )
    sizes = "SELECT pg_relation_size('stale_tenants') > 0, pg_relation_size('stale_messages') > 0"
    staging.clear(connection)
    # Only the table that is bloated is worth the WAL of a TRUNCATE.
    assert connection.execute(sizes).fetchone() == (True, False)
    for name in staging.TABLES:
        assert value(connection, f"SELECT count(*) FROM {name}") == 0
