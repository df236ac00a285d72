"""What the API asks the database, taken from it and run as a bare prepared statement in a session like its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
from psycopg.rows import tuple_row

from api import queries
from api.config import Config
from api.db import Database as ApiDatabase
from api.expressions import Read, compiled
from api.schemas import LIST_QUERY, MESSAGES_QUERY
from tests.benchmarks.core import milliseconds
from tests.benchmarks.setting import Database


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement with its values."""

    text: str
    values: Mapping[str, Any]


def listed(user_id: str, query_string: str, now: datetime | None = None) -> Asked:
    """A page of a list."""
    return _asked(queries.list_leads(user_id, LIST_QUERY.read(query_string), now or datetime.now(UTC)))


def single(user_id: str, customer_phone: str) -> Asked:
    """One lead."""
    return _asked(queries.single_lead(user_id, customer_phone))


def messages(user_id: str, customer_phone: str, query_string: str = "") -> Asked:
    """A page of messages."""
    return _asked(queries.messages_of_lead(user_id, customer_phone, MESSAGES_QUERY.read(query_string)))


def statistics(user_id: str, now: datetime | None = None) -> Asked:
    """The statistics."""
    return _asked(queries.lead_statistics(user_id, now or datetime.now(UTC)))


def _asked(read: Read) -> Asked:
    return Asked(*compiled(read))


@dataclass(frozen=True, slots=True)
class Reader:
    """A session with the settings of the API's."""

    connection: psycopg.Connection[Any]

    def fetch(self, asked: Asked) -> Any:  # noqa: ANN401  # Its columns are the statement's.
        """The one row."""
        return self.connection.execute(asked.text.encode(), asked.values, prepare=True).fetchone()

    def rows(self, text: str, *values: object) -> list[Any]:
        """All rows of a hand-written statement."""
        cursor = self.connection.cursor(row_factory=tuple_row)
        return cursor.execute(text.encode(), values, prepare=True).fetchall()

    def milliseconds(self, asked: Asked, times: int = 1, within: float = 0.0) -> float:
        """How long the statement takes, in the median of some times."""
        return milliseconds(lambda: self.fetch(asked), times, within)


@contextmanager
def reader(database: Database) -> Iterator[Reader]:
    """A session as the API has it; a hand-written statement runs under the same settings."""
    engine = ApiDatabase(Config(database.url)).engine
    pooled = engine.raw_connection()
    try:
        yield Reader(cast("psycopg.Connection[Any]", pooled.driver_connection))
    finally:
        pooled.close()
        engine.dispose()
