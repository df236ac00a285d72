"""A raw row goes in, a refresh or a rebuild runs, an HTTP answer comes out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.rows import TupleRow

from api.app import create_app
from api.config import Config
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.oracle import Model, read_model
from tests.support.server import Database


@dataclass(frozen=True)
class Platform:
    """A platform's database with the projector and the API at work on it, and a clock for the API."""

    database: Database
    connection: psycopg.Connection[TupleRow]
    client: FlaskClient

    def refresh(self) -> None:
        refresh(self.connection, retry_failed=False, progress=QUIET)

    def rebuild(self) -> None:
        rebuild(self.connection, tenants=None, progress=QUIET)

    def model(self) -> Model:
        """The independent reading of the source rows, with the database's own idea of lower case."""
        return read_model(self.connection)


MakePlatform = Callable[[Database, datetime], Platform]


@contextmanager
def platforms() -> Iterator[MakePlatform]:
    with ExitStack() as stack:

        def make(database: Database, now: datetime) -> Platform:
            connection = stack.enter_context(database.connect())
            app = create_app(Config(database.url, rate_limit="", log_level="ERROR"), clock=lambda: now)
            stack.callback(app.extensions["leads"].database.engine.dispose)
            return Platform(database, connection, app.test_client())

        yield make


@pytest.fixture
def make_platform() -> Iterator[MakePlatform]:
    with platforms() as make:
        yield make


@pytest.fixture(scope="module")
def make_platform_once() -> Iterator[MakePlatform]:
    """The same, for a platform that all tests of a module read."""
    with platforms() as make:
        yield make
