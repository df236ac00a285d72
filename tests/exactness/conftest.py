"""A small platform with an exact read model, for the schedules that try to make it wrong."""

from collections.abc import Callable, Iterator

import pytest

from projector.database.rows import Connection
from projector.operate.install import migrate
from tests.conftest import MakeDatabase
from tests.exactness.model import state as model
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now
from tests.exactness.schedules import playing
from tests.exactness.schedules.playing import Laid, LayModel
from tests.exactness.schedules.stage import LaidWorld, lay
from tests.exactness.schedules.steps import Tables
from tests.exactness.schedules.worlds import World
from tests.exactness.schemas import REFERENCE
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
def schema_template(server: Server, built_template: Database) -> Callable[[Tables], Database]:
    """Gives a database with the source tables of a schema and a read model that was built; only to be copied."""
    templates = {REFERENCE.name: built_template}

    def template(tables: Tables) -> Database:
        schema = tables.schema
        if schema.name not in templates:
            made = templates[schema.name] = server.create(f"worlds_{schema.name}")
            with made.connect() as conn:
                conn.execute(schema.tables.encode(), prepare=False)
                migrate(conn, create_source=False, mapping=schema.mapping)
                rebuild_now(conn, first=True)
        return templates[schema.name]

    return template


@pytest.fixture(scope="session")
def lay_world(
    server: Server, schema_template: Callable[[Tables], Database]
) -> Callable[[Tables, World], LaidWorld]:
    """Gives a world on a schema, in a database that is there for the session; each is laid once."""

    laid: dict[str, LaidWorld] = {}

    def given(tables: Tables, world: World) -> LaidWorld:
        name = f"{tables.schema.name}_{world.name.replace(' ', '_')}"
        if name not in laid:
            laid[name] = lay(world, tables, server.create(name, template=schema_template(tables).name))
        return laid[name]

    return given


@pytest.fixture(scope="session")
def lay_model(server: Server, schema_template: Callable[[Tables], Database]) -> LayModel:
    """The same of a world of the model."""

    laid: dict[tuple[str, model.World], Laid] = {}

    def given(tables: Tables, world: model.World) -> Laid:
        place = (tables.schema.name, world)
        if place not in laid:
            made = server.create(f"model_{len(laid)}", template=schema_template(tables).name)
            laid[place] = playing.lay(world, tables, made)
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
