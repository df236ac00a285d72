"""A platform whose read model is in a database of its own: on a plain PostgreSQL, or as on Citus."""

import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow
from psycopg.sql import Composed

from projector import db
from projector.citus import session
from projector.install import migrate
from projector.progress import QUIET
from projector.rebuild import rebuild
from projector.source_names import SourceConnection, SourceCursor
from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform
from tests.support.citus import COORDINATOR, refusals, stand_in
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


@pytest.fixture(scope="session")
def citus_templates(server: Server, source_template: Database) -> tuple[Database, Database]:
    """The same for a read model that is distributed as on Citus."""
    platform = server.create("citus_platform", template=source_template.name)
    read_model = server.create("citus_read_model")
    with read_model.connect() as conn:
        stand_in(conn)
    pair = Database(platform.url, platform.name, read_model.url)
    with pair.connect() as conn:
        migrate(conn, create_source=False, on_citus=True)
    with pair.connect() as conn:
        rebuild(conn, tenants=None, progress=QUIET)
    return platform, read_model


def install_on_coordinator(platform: Database) -> Database:
    """The same for a read model on Citus itself."""
    both = Database(platform.url, platform.name, COORDINATOR)
    with Database(COORDINATOR, "").connect() as conn:
        for schema in ("leads_sql", "leads_access", "read_model", "projector"):
            conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
    with both.connect() as conn:
        migrate(conn, create_source=False, on_citus=True)
    with both.connect() as conn:
        rebuild(conn, tenants=None, progress=QUIET)
    return both


@pytest.fixture(params=["postgresql", "citus", pytest.param("coordinator", marks=pytest.mark.citus)])
def engine(request: pytest.FixtureRequest) -> str:
    """What holds the read model."""
    found: str = request.param
    return found


Anything = Any
"""What psycopg takes besides the statement."""


def asked_by_a_test() -> bool:
    """Whether a test sends the statement that is being sent, and not the projector."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    while frame is not None and "psycopg" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None and f"{os.sep}tests{os.sep}" in frame.f_code.co_filename


@pytest.fixture(autouse=True)
def _takes_what_citus_takes(engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No statement of this process on a distributed read model has a form that Citus refuses."""
    if engine == "postgresql":
        yield
        return
    refused: dict[str, tuple[str, ...]] = {}
    execute, prepare = SourceCursor.execute, session.prepare_for_citus
    on_citus: list[object] = []

    def noted(conn: SourceConnection) -> None:
        on_citus.extend((conn.apart, conn.merging))
        prepare(conn)

    def checked(
        cursor: SourceCursor[Any], query: bytes | str | Composed, *args: Anything, **options: Anything
    ) -> SourceCursor[Any]:
        if cursor.connection in on_citus and not asked_by_a_test():
            text = query.as_string(cursor) if isinstance(query, Composed) else query
            text = text.decode() if isinstance(text, bytes) else text
            if found := refusals(text):
                refused[text] = found
        return execute(cursor, query, *args, **options)

    monkeypatch.setattr(db, "prepare_for_citus", noted)
    monkeypatch.setattr(SourceCursor, "execute", checked)
    yield
    assert refused == {}


@pytest.fixture
def make_apart(
    make_database: MakeDatabase, request: pytest.FixtureRequest, engine: str, source_template: Database
) -> Callable[[], Database]:
    """Makes pairs of databases; they are dropped after the test."""
    if engine == "coordinator":
        return lambda: install_on_coordinator(make_database(source_template))
    templates = request.getfixturevalue("apart_templates" if engine == "postgresql" else "citus_templates")

    def make() -> Database:
        platform, read_model = map(make_database, templates)
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
