"""What `uninstall` removes, and that it leaves what others made alone."""

from pathlib import Path

import psycopg
import pytest

from projector.capture import triggers
from projector.database.rows import Connection
from projector.operate.uninstall import drop_own, find_dependents, uninstall
from projector.report.errors import ProjectorError
from tests.support.cases import cases
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
    assert lines[1:3] == ["  view public.hot", "  materialized view public.hot_copy"]
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


SCHEMAS = ["projector", "read_model", "leads_sql"]
KEY = "user_id text, customer_phone text"

CASES = (
    ("CREATE VIEW v AS SELECT * FROM read_model.leads", "view public.v"),
    ("CREATE VIEW read_model.v AS SELECT * FROM read_model.leads", "view read_model.v"),
    ("CREATE TABLE projector.t (id serial PRIMARY KEY)", "table projector.t"),
    (
        f"CREATE TABLE t ({KEY}, CONSTRAINT k FOREIGN KEY (user_id, customer_phone) REFERENCES read_model.leads)",
        "constraint k on table public.t",
    ),
    # With a body that PostgreSQL has parsed.
    (
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM read_model.leads; END",
        "function public.f()",
    ),
    (
        (
            "CREATE TRIGGER t BEFORE UPDATE ON read_model.leads FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        ),
        "trigger t on table read_model.leads",
    ),
    (
        "CREATE TRIGGER t AFTER TRUNCATE ON messages EXECUTE FUNCTION projector.capture_messages()",
        "trigger t on table public.messages",
    ),
    (
        "CREATE RULE r AS ON DELETE TO read_model.leads WHERE false DO INSTEAD NOTHING",
        "rule r on table read_model.leads",
    ),
    (
        (
            "CREATE TABLE t (id text);"
            " CREATE POLICY p ON t USING (id IN (SELECT l.user_id FROM read_model.leads AS l))"
        ),
        "policy p on table public.t",
    ),
    ("CREATE TABLE t () INHERITS (read_model.leads)", "table public.t"),
    ("ALTER TABLE read_model.leads ADD COLUMN note text", "column note of table read_model.leads"),
    (
        "CREATE TABLE t (a text, s smallint GENERATED ALWAYS AS (projector.shard_of(a)) STORED)",
        "column s of table public.t",
    ),
    ("CREATE EXTENSION citext SCHEMA read_model", "extension citext"),
    ("CREATE TYPE projector.lens AS ENUM ('wide')", "type projector.lens"),
)

# PostgreSQL drops these with the table, as its parts: only the list protects them.
PARTS = ("trigger t on table read_model", "rule r", "column note")


@cases(("command", "expected"), CASES)
def test_each_kind_is_found_once_and_postgresql_refuses_to_drop_it(
    database: Database, command: str, expected: str
) -> None:
    with database.connect() as conn, conn.transaction(force_rollback=True):
        assert find_dependents(conn, SCHEMAS) == []
        conn.execute(command.encode())
        assert find_dependents(conn, SCHEMAS) == [expected]
        if not expected.startswith(PARTS):
            with pytest.raises(psycopg.errors.DependentObjectsStillExist), conn.transaction():
                drop_own(conn, SCHEMAS)


def test_a_list_that_postgresql_cuts_says_so(connection: Connection) -> None:
    for number in range(103):
        connection.execute(f"CREATE VIEW v{number} AS SELECT FROM read_model.leads".encode())
    *named, last = find_dependents(connection, SCHEMAS)
    assert len(named) == 100
    assert last.startswith("and 3 other objects")
    assert value(connection, "SELECT count(*) FROM v102") == 0


def test_to_look_for_dependents_waits_for_no_table_of_the_platform(
    connection: Connection, other: Connection
) -> None:
    other.execute("BEGIN; LOCK TABLE messages IN ACCESS SHARE MODE")
    connection.execute("SET lock_timeout = '100ms'")
    assert find_dependents(connection, SCHEMAS) == []


def test_what_has_no_content_of_its_own_goes_with_its_table(connection: Connection) -> None:
    for command in (
        "CREATE INDEX mine ON read_model.leads (customer_phone, user_id)",
        "CREATE POLICY p ON read_model.leads USING (true)",
        "CREATE STATISTICS s ON user_id, customer_phone FROM read_model.leads",
        "ALTER TABLE read_model.leads ADD CONSTRAINT c CHECK (total_messages >= 0)",
        "GRANT SELECT ON read_model.leads TO pg_monitor",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA read_model GRANT SELECT ON TABLES TO pg_monitor",
    ):
        connection.execute(command.encode())
        assert find_dependents(connection, SCHEMAS) == [], command
    uninstall(connection)
    assert value(connection, "SELECT to_regnamespace('read_model') IS NULL") is True
