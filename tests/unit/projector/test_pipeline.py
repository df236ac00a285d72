"""The runner of steps: conditions, points, and the name of the step that failed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projector.core import pipeline, staging
from projector.database import sql
from projector.database.rows import Connection
from tests.support.running import value

STEPS = {
    "10_find": "-- returns: conditions\nSELECT ARRAY['wanted'] AS conditions, 3 AS leads, 4 AS messages;",
    "20_wanted": "-- when: wanted\n-- point: first\nINSERT INTO done VALUES ('wanted');",
    "30_unwanted": "-- when: unwanted\n-- point: second\nINSERT INTO done VALUES ('unwanted');",
    "40_always": "INSERT INTO done VALUES (%(text)s);",
    "50_each": "-- for: lead_counts lead_totals\n-- point: third\nINSERT INTO done VALUES ('{table}');",
}


@pytest.fixture
def folder(connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of steps that note in a table what was done."""
    monkeypatch.setattr(sql, "ROOT", tmp_path)
    connection.execute("CREATE TABLE done (text text)")
    made = tmp_path / "sql" / "work"
    made.mkdir(parents=True)
    for name, text in STEPS.items():
        (made / f"{name}.sql").write_text(text)
    sql.steps.cache_clear()
    yield made
    sql.steps.cache_clear()


def done(conn: Connection) -> list[str]:
    return [row[0] for row in conn.execute("SELECT text FROM done ORDER BY ctid").fetchall()]


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
