"""A database with leads full of edge cases that all tests of the API read, and applications over it."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Integer, Text, bindparam, select
from sqlalchemy import cast as cast_to

from api.config import Config
from api.database.session import Session
from api.database.statement import BoundStatement, CompiledStatement, Row
from api.server.app import create_app
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.conftest import MakeDatabase
from tests.oracle import Model, read_model
from tests.support import edge_cases
from tests.support.applications import close_application
from tests.support.log_watch import WATCH
from tests.support.running import write_source
from tests.support.server import Database, Server

NOW = datetime(2026, 3, 29, 13, 7, 11, 123_456, tzinfo=UTC)
PRINTED_NOW = "2026-03-29T13:07:11.123Z"


@dataclass(frozen=True)
class Library:
    """A built read model, what its source rows mean, and the tenant with the most leads."""

    database: Database
    model: Model
    tenant: str

    @property
    def phone(self) -> str:
        """A lead with messages."""
        leads = self.model.of_tenant(self.tenant).values()
        return max(leads, key=lambda lead: (lead.customer_phone.isascii(), len(lead.messages))).customer_phone

    @property
    def base(self) -> str:
        return f"/users/{self.tenant}/leads"


@pytest.fixture
def filled(database: Database) -> Database:
    """A database of the test's own with a lead."""
    with database.connect() as conn:
        write_source(conn)
        refresh(conn, retry_failed=False, progress=QUIET)
    return database


@pytest.fixture(scope="session")
def library(server: Server, template: Database) -> Iterator[Library]:
    with built_library(server, template, "api") as built:
        yield built


@contextmanager
def built_library(server: Server, template: Database, name: str) -> Iterator[Library]:
    """A database of this name with the leads of the edge cases."""
    database = server.create(name, template=template.name)
    with database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(random.Random(7), 60, now=NOW))
        # A message without a number comes after the one with the greatest.
        conn.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone)"
            " SELECT 'numbered', min(agent_id), '999000001' FROM agents"
        )
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, timestamp, sequence_no)"
            " VALUES ('m1', 'numbered', '2026-01-01', NULL), ('m2', 'numbered', '2026-01-01', 2147483647)"
        )
        rebuild(conn, tenants=None, progress=QUIET)
        refresh(conn, retry_failed=False, progress=QUIET)

        WATCH.forbid_rows(database.url, lasting=True)
        model = read_model(conn)
        yield Library(database, model, max(model.leads, key=lambda user_id: len(model.leads[user_id])))
    server.drop(database)


@pytest.fixture
def database(make_database: MakeDatabase, built_template: Database) -> Database:
    """A database with empty source tables and a read model that was built."""
    return make_database(built_template)


MakeApp = Callable[..., Flask]


@contextmanager
def making_apps() -> Iterator[MakeApp]:
    with ExitStack() as stack:

        def make(database: Database, *, now: datetime = NOW, **settings: Any) -> Flask:  # noqa: ANN401
            defaults: dict[str, Any] = {"rate_limit": "", "log_level": "ERROR"}
            app = create_app(Config(database.url, **{**defaults, **settings}), clock=lambda: now)
            stack.callback(close_application, app)
            return app

        yield make


@pytest.fixture
def make_app() -> Iterator[MakeApp]:
    """Makes applications; their pools are closed after the test."""
    with making_apps() as make:
        yield make


@contextmanager
def lent_session(app: Flask) -> Iterator[Session]:
    """A session out of the pool of an application."""
    database = app.extensions["leads"].database
    session: Session = database.lend()
    try:
        yield session
    finally:
        database.give_back(session)


class NumberRow(NamedTuple):
    """The row of a statement that fails."""

    number: int


def failing(tenant: str) -> BoundStatement[NumberRow]:
    """A statement that fails for a tenant whose name is no number."""
    number = cast_to(bindparam("user_id", type_=Text), Integer).label("number")
    return BoundStatement(select(number), NumberRow, {"user_id": tenant})


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[CompiledStatement[Any]]:
    """The statements that sessions are asked for."""
    fetched: list[CompiledStatement[Any]] = []
    fetch = Session.fetch

    def noted(self: Session, statement: CompiledStatement[Row]) -> Row:
        fetched.append(statement)
        return fetch(self, statement)

    monkeypatch.setattr(Session, "fetch", noted)
    return fetched


@pytest.fixture(scope="module")
def shared_app(library: Library) -> Iterator[Flask]:
    """The application over the library that the tests of a file share: to make one takes as long as many requests."""
    with making_apps() as make:
        yield make(library.database)


@pytest.fixture
def client(shared_app: Flask) -> FlaskClient:
    return shared_app.test_client()


def endpoints(library: Library) -> list[str]:
    """The paths of the list, the statistics, a lead and its messages."""
    lead = f"{library.base}/{library.phone}"
    return [library.base, f"{library.base}/stats", lead, f"{lead}/messages"]
