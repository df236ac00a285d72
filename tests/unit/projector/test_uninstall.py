"""What `uninstall` removes, and that it leaves what others made alone."""

from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector import capture
from projector.operate.install import migrate
from projector.operate.uninstall import uninstall
from projector.report.errors import DependentsError
from tests.support.commands import projector
from tests.support.running import value, write_message
from tests.support.server import Database
from tests.unit.projector.recovering import healed, messages

Connection = psycopg.Connection[TupleRow]

TRIGGERS = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads_capture%'"
IS_GONE = (
    "SELECT coalesce(to_regnamespace('projector'), to_regnamespace('read_model'), to_regnamespace('leads_access'),"
    " to_regnamespace('leads_sql')) IS NULL"
)


def test_uninstall_leaves_the_platform_as_it_was(built: Connection) -> None:
    uninstall(built)
    assert value(built, IS_GONE)
    assert value(built, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads_capture%'") == 0
    write_message(built, "m1")
    assert value(built, "SELECT count(*) FROM messages") == 1
    migrate(built, create_source=False)
    healed(built)
    assert messages(built) == 1


def test_views_of_others_are_listed_and_nothing_is_changed(built: Connection) -> None:
    built.execute("CREATE VIEW hot AS SELECT * FROM read_model.leads")
    built.execute("CREATE MATERIALIZED VIEW hot_copy AS SELECT * FROM hot")
    before = value(built, TRIGGERS)
    with pytest.raises(DependentsError) as raised:
        uninstall(built)
    said = str(raised.value).splitlines()
    assert said[0].startswith("Nothing was changed")
    assert said[1:3] == ["  materialized view public.hot_copy", "  view public.hot"]
    assert "--drop-dependents" in said[3]
    assert value(built, TRIGGERS) == before > 0
    assert value(built, "SELECT count(*) FROM hot_copy") == 1
    built.execute("DROP MATERIALIZED VIEW hot_copy")
    built.execute("DROP VIEW hot")
    uninstall(built)
    assert value(built, IS_GONE) is True


def test_yes_answers_the_question_only(database: Database, built: Connection, tmp_path: Path) -> None:
    built.execute("CREATE VIEW hot AS SELECT * FROM read_model.leads")

    def call(*options: str, text: str = "") -> tuple[int, str]:
        done = projector(tmp_path, "--database-url", database.url, "uninstall", *options, text=text)
        return done.returncode, done.stdout + done.stderr

    code, said = call("--yes")
    assert (code, "view public.hot" in said) == (1, True)
    # It is asked about what goes, and nothing goes without an answer.
    code, said = call("--drop-dependents", text="n\n")
    assert (code, "view public.hot" in said) == (1, True)
    assert value(built, "SELECT count(*) FROM hot") == 1
    code, said = call("--drop-dependents", "--yes")
    assert (code, "view public.hot" in said) == (0, True)
    assert value(built, IS_GONE) is True


def test_what_comes_in_between_stays(built: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL itself refuses: nothing is dropped by CASCADE."""
    real = capture.uninstall

    def meanwhile(conn: Connection) -> None:
        real(conn)
        conn.execute("CREATE VIEW late AS SELECT projector.shard_of('x')")

    monkeypatch.setattr(capture, "uninstall", meanwhile)
    with pytest.raises(DependentsError, match=r"triggers are dropped, and .* view late depends on function"):
        uninstall(built)
    assert value(built, "SELECT count(*) FROM late") == 1
    assert value(built, "SELECT count(*) FROM read_model.leads") == 1


def test_a_publication_is_named_and_stays(connection: Connection) -> None:
    connection.execute("CREATE PUBLICATION of_leads FOR TABLE read_model.leads")
    connection.execute("CREATE PUBLICATION of_all FOR TABLES IN SCHEMA read_model")
    notice, *_ = uninstall(connection)
    assert notice == "These publications no longer publish tables of the read model: of_all, of_leads."
    assert value(connection, "SELECT count(*) FROM pg_publication") == 2


def test_an_uninstall_of_nothing_ends_well(source_database: Database) -> None:
    with source_database.connect() as conn:
        for _ in range(2):
            uninstall(conn)
        assert value(conn, IS_GONE) is True
