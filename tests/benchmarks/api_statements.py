"""What the API asks the database, taken from it and run as a bare prepared statement in a session like its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy.pool import PoolProxiedConnection

from api.config import Config
from api.database.pool import SESSION
from api.database.pool import Database as ApiDatabase
from api.database.session import Session
from api.database.statement import CompiledStatement, Row, compile_statement
from api.plan.lead import LeadRow, single_lead
from api.plan.list.statement import ListRow, list_leads
from api.plan.messages import MessagesRow, messages_of_lead
from api.plan.statistics import StatisticsRow, lead_statistics
from api.request.parameters import LIST_QUERY, MESSAGES_QUERY
from tests.benchmarks.core import milliseconds
from tests.benchmarks.fixtures import Database


def listed(
    user_id: str, query_string: str, now: datetime | None = None, *, collect_matches: bool = False
) -> CompiledStatement[ListRow]:
    """A page of a list."""
    parameters, moment = LIST_QUERY.read(query_string), now or datetime.now(UTC)
    return compile_statement(list_leads(user_id, parameters, moment, collect_matches=collect_matches))


def single(user_id: str, customer_phone: str) -> CompiledStatement[LeadRow]:
    """One lead."""
    return compile_statement(single_lead(user_id, customer_phone))


def messages(user_id: str, customer_phone: str, query_string: str = "") -> CompiledStatement[MessagesRow]:
    """A page of messages."""
    parameters = MESSAGES_QUERY.read(query_string)
    return compile_statement(messages_of_lead(user_id, customer_phone, parameters))


def statistics(user_id: str, now: datetime | None = None) -> CompiledStatement[StatisticsRow]:
    """The statistics."""
    return compile_statement(lead_statistics(user_id, now or datetime.now(UTC)))


_BASELINE_MS = 300_000


@dataclass(frozen=True, slots=True)
class Reader:
    """A session of the API, and a connection with the same settings for what is compared with it.

    The connection has the rights of the owner: row security is part of what a request pays, and of no baseline.
    """

    connection: psycopg.Connection[Any]
    session: Session

    def fetch(self, asked: CompiledStatement[Row]) -> Row:
        """The one row."""
        return self.session.fetch(asked)

    def list_call(self, user_id: str, query_string: str, now: datetime) -> Callable[[], ListRow]:
        """What asks for a page as the API does: once, or twice if few leads match."""
        page = listed(user_id, query_string, now)
        collected = listed(user_id, query_string, now, collect_matches=True)

        def ask() -> ListRow:
            row = self.fetch(page)
            return self.fetch(collected) if row.collect_matches else row

        return ask

    def rows(self, text: str, *values: object) -> list[Any]:
        """All rows of a hand-written statement; its texts are bytes, as the API has them."""
        cursor = self.connection.cursor(row_factory=tuple_row)
        return cursor.execute(text.encode(), values, prepare=True).fetchall()

    def ordinary_lead(self, user_id: str) -> str:
        """The phone of a lead with five messages, which every tenant has."""
        found = self.rows(
            "SELECT customer_phone FROM read_model.leads WHERE user_id = %s AND total_messages = 5"
            " ORDER BY customer_phone LIMIT 1",
            user_id,
        )
        customer_phone: bytes = found[0][0]
        return customer_phone.decode()

    def milliseconds(self, asked: CompiledStatement[Any], times: int = 1, within: float = 0.0) -> float:
        """How long the statement takes, in the median of some times."""
        return milliseconds(lambda: self.fetch(asked), times, within)


@contextmanager
def reader(database: Database) -> Iterator[Reader]:
    """A session as the API has it, and a connection for hand-written statements."""
    # A baseline may take longer than an answer of the API ever may.
    config = Config(database.url, statement_timeout_ms=_BASELINE_MS)
    with _pooled(config) as own, _pooled(replace(config, role="")) as bare:
        yield Reader(cast("psycopg.Connection[Any]", bare.driver_connection), own.info[SESSION])


@contextmanager
def _pooled(config: Config) -> Iterator[PoolProxiedConnection]:
    engine = ApiDatabase(config).engine
    pooled = engine.raw_connection()
    try:
        yield pooled
    finally:
        pooled.close()
        engine.dispose()
