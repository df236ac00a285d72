"""The fixtures of the projector's tests."""

from collections.abc import Iterator

import pytest

from projector.core import source_reads
from projector.database.rows import Connection
from tests.support.running import write_source
from tests.support.server import Database
from tests.unit.projector.recovering import healed


@pytest.fixture
def other(database: Database) -> Iterator[Connection]:
    """The platform's connection; `connection` is the projector's."""
    with database.connect() as conn:
        yield conn


@pytest.fixture
def built(connection: Connection, other: Connection) -> Connection:
    """A read model that holds one lead, and follows."""
    write_source(other)
    healed(connection)
    return connection


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has reads of the platform's tables give up at the first one that is held.

    Their functions have taken the minute of SOURCE_PATIENCE_SECONDS when they were defined.
    """
    for read in (source_reads.read_source, source_reads.retry_reading, source_reads.read_steadily):
        defaults = read.__kwdefaults__
        assert defaults is not None
        assert defaults["patience"] == source_reads.SOURCE_PATIENCE_SECONDS
        monkeypatch.setitem(defaults, "patience", 0.0)
