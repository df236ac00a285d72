"""What the API asks the database, taken from it and run as a bare prepared statement in a session like its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
from psycopg.rows import tuple_row

from api import queries
from api.config import Config
from api.db import SESSION
from api.db import Database as ApiDatabase
from api.expressions import Question, compiled
from api.schemas import LIST_QUERY, MESSAGES_QUERY
from api.session import Session
from tests.benchmarks.core import milliseconds
from tests.benchmarks.fixtures import Database


def listed(user_id: str, query_string: str, now: datetime | None = None) -> Question:
    """A page of a list."""
    return compiled(queries.list_leads(user_id, LIST_QUERY.read(query_string), now or datetime.now(UTC)))


def listed_if_few(user_id: str, query_string: str, now: datetime) -> Question:
    """The same, where the first statement says that few leads match."""
    return compiled(queries.few_leads(user_id, LIST_QUERY.read(query_string), now))


def single(user_id: str, customer_phone: str) -> Question:
    """One lead."""
    return compiled(queries.single_lead(user_id, customer_phone))


def messages(user_id: str, customer_phone: str, query_string: str = "") -> Question:
    """A page of messages."""
    return compiled(queries.messages_of_lead(user_id, customer_phone, MESSAGES_QUERY.read(query_string)))


def statistics(user_id: str, now: datetime | None = None) -> Question:
    """The statistics."""
    return compiled(queries.lead_statistics(user_id, now or datetime.now(UTC)))


_BASELINE_MS = 300_000


@dataclass(frozen=True, slots=True)
class Reader:
    """A session with the settings of the API's."""

    connection: psycopg.Connection[Any]
    session: Session

    def fetch(self, asked: Question) -> Any:  # noqa: ANN401  # Its columns are the statement's.
        """The one row."""
        return self.session.fetch(asked)

    def rows(self, text: str, *values: object) -> list[Any]:
        """All rows of a hand-written statement; its texts are bytes, as the API has them."""
        cursor = self.connection.cursor(row_factory=tuple_row)
        return cursor.execute(text.encode(), values, prepare=True).fetchall()

    def milliseconds(self, asked: Question, times: int = 1, within: float = 0.0) -> float:
        """How long the statement takes, in the median of some times."""
        return milliseconds(lambda: self.fetch(asked), times, within)


@contextmanager
def reader(database: Database) -> Iterator[Reader]:
    """A session as the API has it; a hand-written statement runs under the same settings."""
    # A baseline may take longer than an answer of the API ever may.
    engine = ApiDatabase(Config(database.url, statement_timeout_ms=_BASELINE_MS)).engine
    pooled = engine.raw_connection()
    try:
        yield Reader(cast("psycopg.Connection[Any]", pooled.driver_connection), pooled.info[SESSION])
    finally:
        pooled.close()
        engine.dispose()
