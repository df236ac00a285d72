"""A small platform with an exact read model, for the schedules that try to make it wrong."""

from collections.abc import Callable, Iterator

import pytest

from projector.database.rows import Connection
from projector.operate.install import migrate
from tests.conftest import MakeDatabase
from tests.exactness.model import state as model
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now
from tests.exactness.schedules.changing import lay_rows
from tests.exactness.schedules.playing import Laid, LayModel, lay
from tests.exactness.schemas import REFERENCE, Schema
from tests.support.server import Database, Server


@pytest.fixture(scope="session")
def filled_template(server: Server, built_template: Database) -> Database:
    """A database with one lead, a row in every table, and an exact read model; only to be copied."""
    made = server.create("filled_template", template=built_template.name)
    with made.connect() as conn:
        platform = Platform(conn)
        platform.tenant("one")
        agent = platform.agent("one")
        conn.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
            " VALUES ('c', %s, '4915', '2025-01-01')",
            [agent],
        )
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp)"
            " VALUES ('m', 'c', 'user', 'first', '2025-01-01')"
        )
        conn.execute(
            "INSERT INTO extractions (extraction_id, conversation_id, name) VALUES (gen_random_uuid(), 'c', 'Ann')"
        )
        platform.contact("one", "+4915", "Ann")
        platform.send(platform.template("one"), "4915")
        refresh_now(conn)
        assert_exact(conn)
    return made


@pytest.fixture
def database(make_database: MakeDatabase, built_template: Database) -> Database:
    """A database with empty source tables and a read model that was built."""
    return make_database(built_template)


@pytest.fixture
def platform(connection: Connection) -> Platform:
    """A platform without rows, and a read model that was built of it."""
    return Platform(connection)


@pytest.fixture
def filled(make_database: MakeDatabase, filled_template: Database) -> Iterator[Platform]:
    """A platform with one lead, in a database of the test's own."""
    with make_database(filled_template).connect() as conn:
        yield Platform(conn, first=1000)


@pytest.fixture
def other(filled: Platform) -> Iterator[Connection]:
    """A second connection to the database of that platform."""
    with filled.database.connect() as conn:
        yield conn


@pytest.fixture(scope="session")
def schema_template(server: Server, built_template: Database) -> Callable[[Schema], Database]:
    """Gives a database with the source tables of a schema and a read model that was built; only to be copied."""
    templates = {REFERENCE.name: built_template}

    def template(schema: Schema) -> Database:
        if schema.name not in templates:
            made = templates[schema.name] = server.create(f"worlds_{schema.name}")
            with made.connect() as conn:
                conn.execute(schema.tables.encode(), prepare=False)
                migrate(conn, create_source=False, mapping=schema.mapping)
                rebuild_now(conn, first=True)
        return templates[schema.name]

    return template


@pytest.fixture(scope="session")
def lay_model(server: Server, schema_template: Callable[[Schema], Database]) -> LayModel:
    """Gives a world of the model on a schema, or random rows where there is none; each is laid once in the session."""

    laid: dict[tuple[str, model.World | None], Laid] = {}

    def given(schema: Schema, world: model.World | None) -> Laid:
        place = (schema.name, world)
        if place not in laid:
            made = server.create(f"model_{len(laid)}", template=schema_template(schema).name)
            laid[place] = lay_rows(schema, made) if world is None else lay(world, schema, made)
        return laid[place]

    return given


_REPORTED = "schedules"


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes lines that are printed at the end of the run, also where another process runs the test."""
    return lambda line: record_property(_REPORTED, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    lines = [line for one in reports for name, line in one.user_properties if name == _REPORTED]
    if lines:
        terminalreporter.section("schedules")
        for line in lines:
            terminalreporter.write_line(line)
