"""What the API asks the database, run as a bare prepared statement in a session with the settings of the API.

The session has the rights of the owner: what row security costs is the subject of the case `guard`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from api.config import Config
from api.database.connect import conninfo
from api.database.statement import BoundStatement, compile_statement
from api.plan.list.pages import ListRow, list_leads
from api.request.query import QUERIES
from tests.benchmarks.core import Arm, milliseconds
from tests.benchmarks.fixtures import Database
from tests.support.running import value

# A baseline may take longer than an answer of the API ever may.
_TIMEOUT_MS = 300_000


def listed(user_id: str, query: str, now: datetime | None = None) -> BoundStatement[ListRow]:
    return list_leads(user_id, QUERIES["listLeads"].read(query)).at(now or datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Reader:
    connection: psycopg.Connection[Any]

    def fetch(self, bound: BoundStatement[Any]) -> list[Any]:
        asked = compile_statement(bound)
        values = [asked.values[name] for name in asked.names]
        return psycopg.RawCursor(self.connection).execute(asked.text, values, prepare=True).fetchall()

    def total(self, bound: BoundStatement[ListRow]) -> int:
        return ListRow(*self.fetch(bound)[0]).total

    def rows(self, query: str, *values: object) -> list[Any]:
        return self.connection.execute(query.encode(), values, prepare=True).fetchall()

    def arm(self, bound: BoundStatement[Any], times: int = 1, within: float = 0.0) -> Arm:
        """Return an arm: milliseconds of a statement of the API."""
        return lambda: milliseconds(lambda: self.fetch(bound), times, within)

    def bare(self, query: str, *values: object, times: int = 1) -> Arm:
        """Return an arm: milliseconds of a statement of ours."""
        return lambda: milliseconds(lambda: self.rows(query, *values), times)

    def lead(self, user_id: str, messages: str) -> str:
        """Return the phone of the lead with the most messages of those with so many."""
        query = (
            f"SELECT customer_phone FROM read_model.leads WHERE user_id = %s AND total_messages {messages}"
            " ORDER BY total_messages DESC, customer_phone LIMIT 1"
        )
        return str(value(self.connection, query, user_id))


@contextmanager
def reader(database: Database) -> Iterator[Reader]:
    settings = conninfo(Config(database.url, statement_timeout_ms=_TIMEOUT_MS))
    with psycopg.connect(settings, autocommit=True) as connection:
        # The view of profiles shows those of the tenant that the session has named.
        connection.execute("SELECT set_config('leads.user_id', %s, false)", (database.tenants["big"],))
        yield Reader(connection)
