"""The databases of the demo's tests."""

from collections.abc import Iterator

import pytest

from projector.trial import demo
from tests.support.server import Database, Server
from tests.unit.projector.demo.loaded import LEADS, Connection, load


@pytest.fixture(scope="session")
def full(server: Server, source_template: Database) -> Iterator[Connection]:
    """A database with the demo in its usual size; only to be read."""
    database = server.create("demo", template=source_template.name)
    with database.connect() as conn:
        conn.execute("ALTER TABLE messages ADD COLUMN arrival bigserial")
        load(conn, leads=demo.DEFAULT_LEADS, messages_per_lead=demo.DEFAULT_MESSAGES_PER_LEAD)
        conn.execute(LEADS)
        yield conn
    server.drop(database)


@pytest.fixture
def source(source_database: Database) -> Iterator[Connection]:
    """Empty source tables."""
    with source_database.connect() as conn:
        conn.execute(LEADS)
        yield conn
