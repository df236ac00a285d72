"""A small platform with an exact read model, for the schedules that try to make it wrong."""

import psycopg
import pytest
from psycopg.rows import TupleRow

from tests.exactness.platform import Platform, rebuild_now


@pytest.fixture
def platform(connection: psycopg.Connection[TupleRow]) -> Platform:
    """A platform without rows, and a read model that was built of it."""
    rebuild_now(connection)
    return Platform(connection)
