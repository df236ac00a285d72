"""The fixtures of the projector's tests."""

from collections.abc import Iterator

import pytest

from projector.core import source_reads
from projector.database.rows import Connection
from tests.conftest import MakeDatabase
from tests.support.running import write_source
from tests.support.server import Database, Server
from tests.unit.projector.recovering import healed


@pytest.fixture
def other(database: Database) -> Iterator[Connection]:
    """The platform's connection; `connection` is the projector's."""
    with database.connect() as conn:
        yield conn


@pytest.fixture(scope="session")
def lead_template(server: Server, template: Database) -> Database:
    """A database with one lead and a read model that holds it; only to be copied."""
    made = server.create("one_lead", template=template.name)
    with made.connect() as conn:
        write_source(conn)
        healed(conn)
    return made


@pytest.fixture
def database(make_database: MakeDatabase, template: Database, request: pytest.FixtureRequest) -> Database:
    """A database with empty source tables and the read model installed; for a test of `built`, with what that has."""
    is_built = "built" in request.fixturenames
    return make_database(request.getfixturevalue("lead_template") if is_built else template)


@pytest.fixture
def built(connection: Connection) -> Connection:
    """A read model that holds one lead, and follows."""
    return connection


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has reads of the platform's tables give up at the first one that is held.

    Their functions have taken the minute of SOURCE_PATIENCE_SECONDS when they were defined.
    """
    for read in (source_reads.retry_reading, source_reads.read_steadily):
        defaults = read.__kwdefaults__
        assert defaults is not None
        assert defaults["patience"] == source_reads.SOURCE_PATIENCE_SECONDS
        monkeypatch.setitem(defaults, "patience", 0.0)
