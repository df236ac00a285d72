"""The fixtures of capture's tests."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from tests.support.server import Database


@pytest.fixture
def conn(database: Database) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection to a database whose triggers are intact."""
    with database.connect() as made:
        yield made
