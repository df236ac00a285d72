"""A read model with 26,000 leads in one tenant and a few in another, and the plans of what the API asks of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from api.config import Config
from api.database.pool import Database as ApiDatabase
from api.database.statement import BoundStatement, compile_statement
from api.server.app import create_app
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.trial import demo
from tests.exactness.platform import rebuild_now
from tests.support import attributes
from tests.support.server import Database, Server

LEADS = 26_000
TALK = 5_000
NOW = datetime(2026, 3, 29, 13, 30, tzinfo=UTC)

_TYPES = {
    str: "text", bool: "boolean", Decimal: "numeric", int: "bigint", datetime: "timestamptz", date: "date",
    list: "text[]", type(None): "unknown",
}  # fmt: skip


@dataclass(frozen=True)
class Crowd:
    """The database, its two tenants, and a lead of the large one with a long talk."""

    database: Database
    large: str
    small: str
    talker: str


@dataclass(frozen=True)
class Plan:
    """What one execution read."""

    sequential: set[str]
    indexes: set[str]
    rows: int
    # Conditions that are checked for each row, on the tenant that the session has named.
    row_security: set[str]


@pytest.fixture(scope="session")
def crowd(server: Server, template: Database) -> Iterator[Crowd]:
    database = server.create("plans", template=template.name)
    with database.connect() as conn:
        migrate(conn, create_source=False, mapping=attributes.MAPPING)
        large, small = (_load(conn, leads) for leads in (LEADS, 200))
        talk = conn.execute(
            "SELECT c.conversation_id, c.customer_phone FROM conversations AS c JOIN agents AS a USING (agent_id)"
            " WHERE a.user_id = %s AND c.customer_phone ~ '^[0-9]+$' ORDER BY c.conversation_id LIMIT 1",
            (large,),
        ).fetchone()
        assert talk is not None
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status, sequence_no)"
            " SELECT 'talk-' || n, %s, CASE WHEN n %% 3 = 0 THEN 'user' ELSE 'agent' END, 'talk', %s::timestamp"
            " + n * interval '7 seconds', 'sent', 100000 + n FROM generate_series(1, %s) AS n",
            (talk[0], datetime(2026, 1, 1), TALK),  # noqa: DTZ001  # The column has no time zone.
        )
        rebuild_now(conn)
        # As autovacuum leaves it: what all can see is marked, and counted.
        conn.execute("VACUUM (ANALYZE)")
    yield Crowd(database, large, small, talk[1])
    server.drop(database)


def _load(conn: Connection, leads: int) -> str:
    made = demo.load(conn, tenants=1, leads=leads, messages_per_lead=1.5, seed=1, now=NOW, progress=QUIET)
    return made.user_ids[0]


Explain = Callable[[BoundStatement[Any]], Plan]


@pytest.fixture(scope="session")
def explain(crowd: Crowd) -> Iterator[Explain]:
    """Executes a statement in a session of the API, with the plan that the API gets, and tells what was read."""
    app = create_app(Config(crowd.database.url, rate_limit="", log_level="ERROR"))
    lent = app.extensions["leads"].database.lend()
    session: psycopg.Connection[Any] = lent.connection

    def run(bound: BoundStatement[Any]) -> Plan:
        statement = compile_statement(bound)
        values = [statement.values[name] for name in statement.names]
        types = ", ".join(_TYPES[type(value)] for value in values)
        session.execute(b"PREPARE asked (%b) AS %b" % (types.encode(), statement.text), prepare=False)
        tenant = sql.Literal(statement.values.get("user_id", ""))
        session.execute(sql.SQL("SET leads.user_id = {}").format(tenant), prepare=False)
        try:
            literals = sql.SQL(", ").join(sql.Literal(value) for value in values)
            query = sql.SQL("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE asked ({})").format(literals)
            row = session.execute(query, prepare=False).fetchone()
        finally:
            session.execute("DEALLOCATE asked", prepare=False)
        assert row is not None
        return read_plan(row[0][0]["Plan"])

    yield run
    session.close()


@pytest.fixture(scope="session")
def api(crowd: Crowd) -> Iterator[ApiDatabase]:
    opened = ApiDatabase(Config(crowd.database.url))
    yield opened
    opened.close()


def read_plan(root: dict[str, Any]) -> Plan:
    sequential, indexes, rows, row_security = set(), set(), 0, set()
    nodes = [root]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if node["Node Type"] == "Seq Scan" and node["Actual Loops"]:
            sequential.add(node["Relation Name"])
        if "Index Name" in node and node["Actual Loops"]:
            indexes.add(node["Index Name"])
        if "Relation Name" in node or "Index Name" in node:
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            row_security |= {
                text
                for name in ("Filter", "Index Cond", "Recheck Cond", "Join Filter")
                if "current_setting" in (text := node.get(name, ""))
            }
            rows += round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return Plan(sequential, indexes, rows, row_security)
