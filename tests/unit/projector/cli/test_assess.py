"""What `assess` says of a database before anything is installed, and that `migrate` and `status` say the same."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from projector.capture.texts import Texts, default_mapping
from projector.database.rows import Connection
from projector.observe.status.read import read_status
from projector.observe.status.render import as_dict, render
from projector.operate import assess as assessing
from projector.operate.assess import assess, find_warnings
from projector.operate.assess.facts import PROBLEM, Fact
from projector.operate.install import migrate
from projector.report.errors import ProjectorError
from tests.exactness.platform import Platform, rebuild_now, value
from tests.support.cases import cases
from tests.support.commands import run_command
from tests.support.roles import give_platform, logins
from tests.support.server import Database

OWNER, OTHER = "leads_test_platform", "leads_test_other"

# fmt: off
UNUSUAL = {
    "UPDATE phone_numbers SET platform = 'Channel::Api' WHERE id IN (SELECT phone_number_id FROM agents)":
    "platform: Channel::Api 1 (any but a word of at most 20 of a-z, 0-9 and _ is on no platform, or in lower case",
    "UPDATE messages SET sender = 'bot'": "sender: bot 1 (any but user, agent is printed as stored, and neither for",
    "UPDATE messages SET status = 'seen'": "status: seen 1 (any but sent, delivered, read, pending, failed is printed",
    "UPDATE template_sends SET status = 'QUEUED'": "status: QUEUED 1 (any but PENDING, SENT, DELIVERED, READ, FAILED",
    "UPDATE messages SET timestamp = now() + interval '1 year';"
    "INSERT INTO messages SELECT 'other', conversation_id, 'user', 'now', now() FROM conversations":
    "1 with a time more than a day ahead, so that their",
    "INSERT INTO conversations (conversation_id, agent_id, customer_phone) SELECT 'other', agent_id, '+49 15'"
    " FROM agents": "of 1 lead; with 2 spellings of their phones",
    "CREATE PUBLICATION everything FOR ALL TABLES": "The publication everything is of all tables",
    "DROP INDEX template_sends_template_id_idx": "CREATE INDEX CONCURRENTLY ON public.template_sends (template_id);",
    "ALTER TABLE messages DROP CONSTRAINT messages_pkey": "The platform's table messages has no index on message_id",
    "ALTER TABLE contacts DROP email": "The platform's table contacts has no column email",
}
# fmt: on


@pytest.fixture
def conn(source_database: Database) -> Iterator[Connection]:
    with source_database.connect() as made:
        platform = Platform(made)
        agent = platform.agent(platform.tenant("one"))
        platform.message(platform.conversation(agent, "4915"))
        platform.send(platform.template("one"), "4915")
        yield made


Asked = Callable[..., str]


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """What the command prints of a database, with options."""

    def ask(url: str, *options: str, code: int = 0) -> str:
        done = run_command(tmp_path, "assess", *options, DATABASE_URL=url)
        assert done.returncode == code, done
        return done.stdout

    return ask


@cases(("change", "said"), [*UNUSUAL.items()])
def test_what_is_unusual_is_said_and_keeps_nothing_from_working(
    conn: Connection, change: str, said: str
) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute(change.encode(), prepare=False)
        facts = assess(conn)
        assert any(said in fact.text for fact in facts)
        assert [fact for fact in facts if fact.state == PROBLEM] == []
        # Of all that it fits, nothing else is unusual.
        assert (
            len([fact for fact in facts if fact.area in {"indexes", "hidden"} or " (any but " in fact.text])
            <= 1
        )


def test_a_collation_that_knows_ascii_letters_alone_is_a_warning(source_database: Database) -> None:
    name = f"{source_database.name}_ascii"
    made = Database(source_database.url.replace(source_database.name, name), name)
    with source_database.connect() as conn:
        conn.execute(
            f"CREATE DATABASE \"{name}\" TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'".encode()
        )
        with made.connect() as ascii_only:
            [warning] = [fact.text for fact in find_warnings(ascii_only, [], {})]
        conn.execute(f'DROP DATABASE "{name}"'.encode())
    assert "has the collation C, in which only ASCII letters have a lower case" in warning


def test_a_platform_that_fits_is_told_what_it_takes(conn: Connection) -> None:
    conn.execute("ANALYZE")
    facts = assess(conn)
    assert {fact.area for fact in facts} == {"server", "tables", "rows", "values", "lead", "size", "writers"}
    assert [fact.statements for fact in facts if fact.statements] == []
    said = assessing.render(facts)
    assert "1 in messages" in said
    assert said.endswith("It fits: run migrate, then rebuild.")
    assert value(conn, "SELECT to_regnamespace('projector') IS NULL") is True


def test_the_statements_that_it_prints_give_what_is_missing(
    conn: Connection, source_database: Database, asked: Asked
) -> None:
    with logins(conn, OWNER, OTHER):
        give_platform(conn, source_database, OWNER)
        conn.execute("DROP INDEX template_sends_template_id_idx")
        url = source_database.by(OTHER).url
        for statement in asked(url, "--sql", code=1).splitlines():
            conn.execute(statement.encode())
        report = json.loads(asked(url, "--json"))
        assert (report["fits"], [fact for fact in report["facts"] if fact["sql"]]) == (True, [])
        [messages] = [fact for fact in report["facts"] if fact.get("relation") == "messages"]
        assert (messages["rows"], messages["table_rows"], messages["values"]["sender"]) == (1, 1, {"user": 1})
        said = asked(url, "--mapping", "default")
        assert said.endswith("It fits: run migrate --mapping default, with --check first, then rebuild.\n")
        with source_database.by(OTHER).connect() as other:
            migrate(other, create_source=False)
            rebuild_now(other)


def test_a_name_is_never_a_statement() -> None:
    name = '"a; ALTER ROLE b SUPERUSER;"'
    text = (
        f'The table {name}.t has no index: CREATE INDEX ON {name}.t (c); GRANT SELECT ON {name}.t TO """d;";'
    )
    assert Fact(PROBLEM, "indexes", text).statements == [
        f"CREATE INDEX ON {name}.t (c);",
        f'GRANT SELECT ON {name}.t TO """d;";',
    ]


def test_rows_that_row_security_hides_are_a_problem(conn: Connection, source_database: Database) -> None:
    with logins(conn, OWNER):
        give_platform(conn, source_database, OWNER)
        conn.execute("ALTER TABLE messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        files = default_mapping().files
        own = Texts({**files, "messages": files["messages"].rstrip().rstrip(";") + " WHERE true"})
        with source_database.by(OWNER).connect() as owner:
            for mapping in (None, own):
                [problem] = [fact for fact in assess(owner, mapping=mapping) if fact.state == PROBLEM]
                assert problem.statements == [f"ALTER ROLE {OWNER} BYPASSRLS;"]
            with pytest.raises(ProjectorError, match="row security of"):
                migrate(owner, create_source=False)


PROBLEMS = {
    "ALTER TABLE messages RENAME TO elsewhere": "tables of your own need --mapping, as docs/your-database.md says.",
    "ALTER TABLE messages ALTER text TYPE jsonb USING NULL": "messages.text is jsonb",
    "CREATE TABLE elsewhere () INHERITS (messages)": "table messages has children that inherit from it, and its",
}


@cases(("change", "said"), [*PROBLEMS.items()])
def test_migrate_refuses_for_the_problem_that_it_says(
    conn: Connection, source_database: Database, asked: Asked, change: str, said: str
) -> None:
    conn.execute(change.encode())
    report = json.loads(asked(source_database.url, "--json", code=1))
    [problem] = [fact["text"] for fact in report["facts"] if fact["state"] == PROBLEM]
    assert said in problem
    with pytest.raises(ProjectorError) as raised:
        migrate(conn, create_source=False)
    assert str(raised.value).endswith(problem[1:])
    assert value(conn, "SELECT to_regnamespace('projector') IS NULL") is True
    is_there = value(conn, "SELECT to_regclass('messages') IS NOT NULL")
    conn.execute(
        b"DROP TABLE IF EXISTS elsewhere" if is_there else b"ALTER TABLE elsewhere RENAME TO messages"
    )


def test_migrate_and_status_warn_of_the_same(
    conn: Connection, source_database: Database, asked: Asked
) -> None:
    conn.execute("DROP INDEX template_sends_template_id_idx")
    report = json.loads(asked(source_database.url, "--json"))
    [warning] = [fact["text"] for fact in report["facts"] if fact["state"] == "warning"]
    assert warning in migrate(conn, create_source=False)
    status = read_status(conn)
    assert as_dict(status)["warnings"] == [warning]
    assert warning in render(status)
