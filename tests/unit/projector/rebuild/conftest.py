"""A read model of many kinds of lead, built once and copied."""

from collections.abc import Iterator
from random import Random

import pytest

from tests.conftest import MakeDatabase
from tests.support import edge_cases
from tests.support.server import Database, Server
from tests.unit.projector.rebuild.contents import NOW, Connection, assert_as_the_oracle, rebuild_now


@pytest.fixture(scope="session")
def written_template(server: Server, template: Database) -> Database:
    """A database with source rows of every kind and a read model that was never built; only to be copied."""
    made = server.create("written_template", template=template.name)
    with made.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(Random(1), 80, now=NOW, tenants=["u", "v", "w"]))
    return made


@pytest.fixture(scope="session")
def filled_template(server: Server, written_template: Database) -> Database:
    """The same with a read model that is built; only to be copied."""
    made = server.create("filled_template_of_rebuild", template=written_template.name)
    with made.connect() as conn:
        rebuild_now(conn)
        assert_as_the_oracle(conn)
    return made


@pytest.fixture
def written_database(make_database: MakeDatabase, written_template: Database) -> Database:
    """A database of the test's own, its read model never built."""
    return make_database(written_template)


@pytest.fixture
def written(written_database: Database) -> Iterator[Connection]:
    """A connection to it."""
    with written_database.connect() as conn:
        yield conn


@pytest.fixture
def filled_database(make_database: MakeDatabase, filled_template: Database) -> Database:
    """A database of the test's own, its read model built."""
    return make_database(filled_template)


@pytest.fixture
def filled(filled_database: Database) -> Iterator[Connection]:
    """A connection to it."""
    with filled_database.connect() as conn:
        yield conn
