"""A platform whose read model is in a database of its own."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform
from tests.support.server import Database, Server


@pytest.fixture(scope="session")
def apart_templates(server: Server, source_template: Database) -> tuple[Database, Database]:
    """The platform's database and that of the read model, which was built of no rows; only to be copied."""
    platform = server.create("apart_platform", template=source_template.name)
    read_model = server.create("apart_read_model")
    with Database(platform.url, platform.name, read_model.url).connect() as conn:
        migrate(conn, create_source=False)
        rebuild(conn, tenants=None, progress=QUIET)
    return platform, read_model


@pytest.fixture(params=["postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """What holds the read model."""
    found: str = request.param
    return found


@pytest.fixture
def make_apart(
    make_database: MakeDatabase, apart_templates: tuple[Database, Database]
) -> Callable[[], Database]:
    """Makes pairs of databases; they are dropped after the test."""

    def make() -> Database:
        platform, read_model = map(make_database, apart_templates)
        return Database(platform.url, platform.name, read_model.url)

    return make


@pytest.fixture
def database(make_apart: Callable[[], Database]) -> Database:
    """The platform's database, with the read model in another one."""
    return make_apart()


@pytest.fixture
def conn(database: Database) -> Iterator[psycopg.Connection[TupleRow]]:
    """The projector's connection to both."""
    with database.connect() as made:
        yield made


@pytest.fixture
def platform(database: Database) -> Iterator[Platform]:
    """The platform, by a connection of its own, with one tenant."""
    with Database(database.url, database.name).connect() as made:
        found = Platform(made)
        found.tenant("one")
        yield found
