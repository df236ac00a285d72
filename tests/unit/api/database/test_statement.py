"""Statements are compiled once, and each request sends one, as seen where the driver talks to the server."""

import re
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.pq.abc import PGconn
from sqlalchemy import SelectBase, literal_column, select

from api.database.statement import BoundStatement, compile_statement
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp

# What a client sends to have something executed: a statement, or one that was prepared before.
EXECUTED = re.compile(r"^F\t[0-9]+\t(?:Query|Execute)\b", re.MULTILINE)


Traced = tuple[FlaskClient, Callable[[], int]]


@pytest.fixture
def traced(library: Library, make_app: MakeApp) -> Iterator[Traced]:
    """A client over one connection, and what counts the statements sent there since the last time."""
    app = make_app(library.database, threads=1)
    client = app.test_client()
    # The first request of a process looks whether the read model was built.
    client.get(library.base)
    pooled = app.extensions["leads"].database.engine.raw_connection()
    connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
    pgconn: PGconn = connection.pgconn
    pooled.close()
    with tempfile.TemporaryFile("w+") as trace:
        pgconn.trace(trace.fileno())
        pgconn.set_trace_flags(psycopg.pq.Trace.SUPPRESS_TIMESTAMPS)

        def count() -> int:
            pgconn.untrace()
            trace.seek(0)
            sent = len(EXECUTED.findall(trace.read()))
            trace.seek(0)
            trace.truncate()
            pgconn.trace(trace.fileno())
            pgconn.set_trace_flags(psycopg.pq.Trace.SUPPRESS_TIMESTAMPS)
            return sent

        yield client, count
        pgconn.untrace()


@cases(
    ("path", "status"),
    [
        ("", 200),
        ("?offset=1", 200),
        ("?offset=100000", 200),
        ("?offset=100000&sort_by=name", 200),
        ("?platform=webchat&lead_status=Hot&min_total_score=15", 200),
        ("?days=7&sort_by=total_score", 200),
        ("?search=nobody+at+all", 200),
        ("?customer_phone=1", 200),
        ("/stats", 200),
        ("/{phone}", 200),
        ("/1", 404),
        ("/{phone}/messages", 200),
        ("/{phone}/messages?sender=user&from_date=2020-01-01&offset=100000", 200),
        ("/1/messages", 404),
    ],
)
def test_one_statement(traced: Traced, library: Library, path: str, status: int) -> None:
    client, count = traced
    url = library.base + path.format(phone=library.phone)
    # As often as it takes until the driver prepares the statement, and some more.
    for _ in range(8):
        count()
        assert client.get(url).status_code == status
        assert count() == 1


def test_no_statement_for_a_bad_request(traced: Traced, library: Library) -> None:
    client, count = traced
    count()
    assert client.get(f"{library.base}?limit=0").status_code == 400
    assert client.get(f"{library.base}/1/messages?limt=0").status_code == 400
    assert count() == 0


class Pair(NamedTuple):
    one: int
    two: bytes


def test_a_row_that_does_not_fit_its_statement_is_seen_when_it_is_compiled() -> None:
    statement: SelectBase = select(literal_column("1").label("two"), literal_column("2").label("one"))
    with pytest.raises(TypeError, match="Pair has the fields"):
        compile_statement(BoundStatement(statement, Pair, {}))
