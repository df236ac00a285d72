"""What `uninstall` removes, and that it leaves what others made alone."""

from pathlib import Path

import pytest

from projector.capture import triggers
from projector.database.rows import Connection
from projector.operate.uninstall import uninstall
from projector.report.errors import ProjectorError
from tests.support.commands import run_command
from tests.support.running import value
from tests.support.server import Database

TRIGGERS = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads_capture%'"
IS_GONE = (
    "SELECT NOT EXISTS (SELECT FROM pg_namespace"
    " WHERE nspname IN ('projector', 'read_model', 'leads_access', 'leads_sql'))"
)


def test_yes_answers_the_question_only(database: Database, built: Connection, tmp_path: Path) -> None:
    built.execute("CREATE VIEW hot AS SELECT * FROM read_model.leads")
    built.execute("CREATE MATERIALIZED VIEW hot_copy AS SELECT * FROM hot")
    before = value(built, TRIGGERS)

    def call(*options: str, text: str = "") -> tuple[int, str]:
        done = run_command(tmp_path, "uninstall", *options, text=text, DATABASE_URL=database.url)
        return done.returncode, done.stdout + done.stderr

    code, said = call("--yes")
    assert code == 1
    lines = said.splitlines()
    assert "Nothing was changed" in lines[0]
    assert lines[1:3] == ["  materialized view public.hot_copy", "  view public.hot"]
    assert "--drop-dependents" in lines[3]
    assert value(built, TRIGGERS) == before > 0
    # It is asked about what goes, and nothing goes without an answer.
    code, said = call("--drop-dependents", text="n\n")
    assert (code, "view public.hot" in said) == (1, True)
    assert value(built, "SELECT count(*) FROM hot_copy") == 1
    code, said = call("--drop-dependents", "--yes")
    assert (code, "view public.hot" in said) == (0, True)
    assert value(built, IS_GONE) is True


def test_what_comes_in_between_stays(built: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL itself refuses: nothing is dropped by CASCADE."""
    real = triggers.uninstall

    def meanwhile(conn: Connection) -> None:
        real(conn)
        conn.execute("CREATE VIEW late AS SELECT projector.shard_of('x')")

    monkeypatch.setattr(triggers, "uninstall", meanwhile)
    with pytest.raises(ProjectorError, match=r"triggers are dropped, and .* view late depends on function"):
        uninstall(built)
    assert value(built, "SELECT count(*) FROM late") == 1
    assert value(built, "SELECT count(*) FROM read_model.leads") == 1


def test_a_publication_is_named_and_stays(connection: Connection) -> None:
    connection.execute("CREATE PUBLICATION of_leads FOR TABLE read_model.leads")
    connection.execute("CREATE PUBLICATION of_all FOR TABLES IN SCHEMA read_model")
    notice, *_ = uninstall(connection)
    assert notice == "These publications no longer publish tables of the read model: of_all, of_leads."
    assert value(connection, "SELECT count(*) FROM pg_publication") == 2
