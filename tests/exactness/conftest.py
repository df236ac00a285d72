"""A small platform with an exact read model, for the schedules that try to make it wrong."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count

import pytest

from projector.database.rows import Connection
from tests.conftest import MakeDatabase
from tests.exactness.model.state import World
from tests.exactness.platform import Platform, assert_exact, refresh_now
from tests.exactness.schedules.changing import LayRandom, lay_rows
from tests.exactness.schedules.playing import Laid, LayModel, lay
from tests.exactness.schemas import SCHEMAS
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
            "INSERT INTO extractions (extraction_id, conversation_id, name, requirements)"
            " VALUES (gen_random_uuid(), 'c', 'Ann', 'two rooms')"
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
def lay_model(server: Server, built_template: Database) -> LayModel:
    """Gives a world of the model in a database of its own, laid once in the session."""
    numbers = count(1)

    @cache
    def given(world: World) -> Laid:
        return lay(world, server.create(f"model_{next(numbers)}", template=built_template.name))

    return given


@pytest.fixture(scope="session")
def lay_random(server: Server) -> LayRandom:
    """Gives random rows of the schema of a name in a database of its own, laid once in the session."""
    return cache(lambda name: lay_rows(SCHEMAS[name], server.create(f"rows_{name}")))


_REPORTED = "schedules"


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes lines to print at the end of the run, also if another process runs the test."""
    return lambda line: record_property(_REPORTED, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        test_report for kind in ("passed", "failed") for test_report in terminalreporter.stats.get(kind, [])
    ]
    lines = [
        line for test_report in reports for name, line in test_report.user_properties if name == _REPORTED
    ]
    if lines:
        terminalreporter.section("schedules")
        for line in lines:
            terminalreporter.write_line(line)
