"""The fixtures of the tests of `status`."""

import pytest

from projector.database.rows import Connection
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.support.running import (
    write_source,
)
from tests.support.server import Database


@pytest.fixture
def built(database: Database, connection: Connection) -> Connection:
    """A read model that holds one lead; the connection is the platform's."""
    write_source(connection)
    with database.connect() as conn:
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    return connection
