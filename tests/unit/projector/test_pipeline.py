"""The runner of steps: conditions, points, and the name of the step that failed."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from projector.core import pipeline, staging
from projector.core.batch import first_line
from projector.core.pipeline import BatchResult, Run, no_injection_point, run_steps
from projector.database import sql
from projector.database.step_failures import failing_step
from tests.support.running import value
from tests.unit.projector.recovering import Connection

STEPS = {
    "10_find": "-- returns: conditions\nSELECT ARRAY['wanted'] AS conditions, 3 AS leads, 4 AS messages;",
    "20_wanted": "-- when: wanted\n-- point: first\nINSERT INTO done VALUES ('wanted');",
    "30_unwanted": "-- when: unwanted\n-- point: second\nINSERT INTO done VALUES ('unwanted');",
    "40_always": "INSERT INTO done VALUES (%(text)s);",
    "50_each": "-- for: lead_counts lead_totals\n-- point: third\nINSERT INTO done VALUES ('{table}');",
}


def listen(_point: str) -> None:
    """A test that listens to the points gets the statements one by one."""


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


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("point", [no_injection_point, listen])
def test_steps_whose_condition_does_not_hold_are_skipped(
    connection: Connection, point: pipeline.InjectionPoint
) -> None:
    run = Run(connection, parameters={"text": "always"}, point=point)
    with connection.transaction():
        run.run("work")
    assert done(connection) == ["wanted", "always", "lead_counts", "lead_totals"]
    assert run.conditions == {"wanted"}
    assert run.result == BatchResult(3, 4)


@pytest.mark.usefixtures("folder")
def test_a_condition_may_hold_from_the_start(connection: Connection) -> None:
    run = Run(connection, conditions={"unwanted"}, parameters={"text": "always"})
    run.run("work/30_unwanted", "work/40_always")
    assert done(connection) == ["unwanted", "always"]
    assert run.result == BatchResult()


@pytest.mark.usefixtures("folder")
def test_points_are_reached_also_where_their_step_is_skipped(connection: Connection) -> None:
    reached: list[tuple[str, int]] = []
    run = Run(
        connection,
        parameters={"text": "always"},
        point=lambda name: reached.append((name, len(done(connection)))),
    )
    run.run("work")
    assert reached == [("first", 1), ("second", 1), ("third", 4)]


@pytest.mark.parametrize("point", [no_injection_point, listen])
def test_the_file_of_a_failing_step_is_in_the_error(
    connection: Connection, folder: Path, point: pipeline.InjectionPoint
) -> None:
    (folder / "45_fails.sql").write_text("INSERT INTO done SELECT (1 / (%(zero)s - 0))::text;")
    run = Run(connection, parameters={"text": "always", "zero": 0}, point=point)
    with pytest.raises(psycopg.errors.DivisionByZero) as raised, connection.transaction():
        run.run("work")
    assert failing_step(raised.value) == "sql/work/45_fails.sql"
    assert raised.value.__notes__ == ["in sql/work/45_fails.sql"]
    assert first_line(raised.value) == "division by zero (sql/work/45_fails.sql)"
    assert done(connection) == []


@pytest.mark.parametrize("point", [no_injection_point, listen])
def test_of_a_step_for_several_tables_the_file_is_named(
    connection: Connection, folder: Path, point: pipeline.InjectionPoint
) -> None:
    (folder / "45_fails.sql").write_text(
        "-- for: lead_counts lead_totals\nSELECT 1 / 0 FROM read_model.{table}, done;"
    )
    connection.execute("INSERT INTO done VALUES ('before')")
    connection.execute(
        "INSERT INTO read_model.lead_totals VALUES ('u', 'all', '-infinity', 1, 0, 0, 0, 0, 0, 0, 0, 0)"
    )
    run = Run(connection, parameters={"text": "always"}, point=point)
    with pytest.raises(psycopg.errors.DivisionByZero) as raised, connection.transaction():
        run.run("work")
    assert failing_step(raised.value) == "sql/work/45_fails.sql"


def test_a_step_that_fails_alone_is_named_too(connection: Connection, folder: Path) -> None:
    (folder / "45_fails.sql").write_text("SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero) as raised:
        run_steps(connection, sql.steps("work"), {"text": "always"})
    assert failing_step(raised.value) == "sql/work/45_fails.sql"


def test_an_error_from_elsewhere_names_no_step(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero) as raised:
        connection.execute("SELECT 1 / 0")
    assert failing_step(raised.value) is None
    assert first_line(raised.value) == "division by zero"


@pytest.mark.usefixtures("folder")
def test_without_conditions_every_step_runs_and_the_last_result_is_returned(connection: Connection) -> None:
    assert run_steps(connection, sql.steps("work/10_find")).fetchall() == [(["wanted"], 3, 4)]
    run_steps(connection, sql.steps("work"), {"text": "always"})
    assert done(connection) == ["wanted", "unwanted", "always", "lead_counts", "lead_totals"]


def test_a_step_may_ask_for_statistics_of_what_it_wrote(connection: Connection, folder: Path) -> None:
    (folder / "15_fill.sql").write_text(
        "-- analyze: done\nINSERT INTO done SELECT 'x' FROM generate_series(1, 50);"
    )
    run_steps(connection, sql.steps("work/15_fill"))
    assert value(connection, "SELECT reltuples FROM pg_class WHERE relname = 'done'") == 50


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


def test_whole_tables_may_be_joined_until_the_end_of_the_transaction(connection: Connection) -> None:
    pipeline.prepare_session(connection)
    with connection.transaction():
        pipeline.set_based(connection)
        assert value(connection, "SELECT current_setting('enable_seqscan')") == "on"
    assert value(connection, "SELECT current_setting('enable_seqscan')") == "off"
    assert value(connection, "SELECT current_setting('plan_cache_mode')") == "force_generic_plan"
