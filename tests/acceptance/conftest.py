"""A raw row goes in, a refresh or a rebuild runs, an HTTP answer comes out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from projector.database.rows import Connection
from tests.exactness.feed_copy import serving
from tests.exactness.platform import rebuild_now, refresh_now
from tests.oracle import Model, answers, read_model
from tests.oracle.answers import Answer
from tests.oracle.attributes import REFERENCE, Declaration
from tests.support import queries
from tests.support.server import Database

NOW = datetime(2026, 3, 29, 13, 7, 11, 123_456, tzinfo=UTC)


@dataclass
class Platform:
    """A platform's database with the projector and the API at work on it, and the time of the API's clock."""

    database: Database
    connection: Connection
    now: datetime
    client: FlaskClient = field(init=False)
    declaration: Declaration = REFERENCE

    def refresh(self) -> None:
        refresh_now(self.connection)

    def rebuild(self) -> None:
        rebuild_now(self.connection)

    def model(self) -> Model:
        """The independent reading of the source rows, with the database's own idea of lower case."""
        return read_model(self.connection, self.declaration)


MakePlatform = Callable[[Database, datetime], Platform]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the examples of the API reference, and with --long all, with answers from memory and without."""
    if "answers_mb" in metafunc.fixturenames:
        is_twice = metafunc.config.getoption("long") or metafunc.module.__name__.endswith("test_reference")
        metafunc.parametrize("answers_mb", [64, 0] if is_twice else [64], scope="module")


@contextmanager
def platforms(answers_mb: int) -> Iterator[MakePlatform]:
    with ExitStack() as stack:

        def make(database: Database, now: datetime) -> Platform:
            made = Platform(database, stack.enter_context(database.connect()), now)
            app = stack.enter_context(serving(database, clock=lambda: made.now, answers_mb=answers_mb))
            made.client = app.test_client()
            return made

        yield make


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    """What the servers of a module are left with at its end."""
    with ExitStack() as made:
        yield made


@pytest.fixture
def make_platform(answers_mb: int) -> Iterator[MakePlatform]:
    with platforms(answers_mb) as make:
        yield make


@pytest.fixture(scope="module")
def make_platform_once(answers_mb: int) -> Iterator[MakePlatform]:
    """The same, for a platform that all tests of a module read."""
    with platforms(answers_mb) as make:
        yield make


def expected_answers(
    model: Model, now: datetime, lists: Iterable[Mapping[str, str]] = ()
) -> Iterator[tuple[str, queries.Pairs, Answer]]:
    """The answers about each tenant, with these lists of its leads, and about each lead and all its messages."""
    for user_id in [*model.leads, "nobody"]:
        for asked in lists:
            params = list(asked.items())
            yield queries.path(user_id), params, answers.list_leads(model, user_id, params, now)
        yield queries.path(user_id, "stats"), [], answers.stats(model, user_id, [], now)
        yield queries.path(user_id, "attributes"), [], answers.attributes(model, user_id)
    for lead in model.all_leads():
        if queries.has_page(lead.customer_phone):
            path = queries.path(lead.user_id, lead.customer_phone)
            yield path, [], answers.single(model, lead.user_id, lead.customer_phone)
            included = answers.single(model, lead.user_id, lead.customer_phone, include=True)
            yield path, [("include", "attributes")], included
            params = [("limit", "200")]
            expected = answers.messages(model, lead.user_id, lead.customer_phone, params, now)
            yield f"{path}/messages", params, expected
