"""A read model of many kinds of lead, and a small world of several tenants, each built once and copied."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest

from projector.database.rows import Connection
from projector.sweep import rolling
from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now
from tests.support import edge_cases
from tests.support.server import Database, Server

NOW = datetime(2025, 12, 12, 20, 55, 31, 163000, tzinfo=UTC)


@pytest.fixture(scope="session")
def written_template(server: Server, template: Database) -> Database:
    """A database with source rows of every kind and a read model that was never built; only to be copied."""
    made = server.create("written_template", template=template.name)
    with made.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(Random(1), 80, now=NOW, tenants=["u", "v", "w"]))
    return made


@pytest.fixture(scope="session")
def filled_template(server: Server, written_template: Database) -> Database:
    """The same with a read model that is built; only to be copied."""
    made = server.create("filled_template_of_rebuild", template=written_template.name)
    with made.connect() as conn:
        rebuild_now(conn)
        assert_exact(conn)
    return made


@pytest.fixture
def written(make_database: MakeDatabase, written_template: Database) -> Iterator[Connection]:
    """A connection to a database of the test's own, its read model never built."""
    with make_database(written_template).connect() as conn:
        yield conn


@pytest.fixture
def filled(make_database: MakeDatabase, filled_template: Database) -> Iterator[Connection]:
    """A connection to a database of the test's own, its read model built."""
    with make_database(filled_template).connect() as conn:
        yield conn


@pytest.fixture(scope="session")
def world_template(server: Server, built_template: Database) -> Database:
    """Three tenants with eight leads in all, one of them by a template only, and a contact without a lead."""
    made = server.create("world_template", template=built_template.name)
    with made.connect() as conn:
        platform = Platform(conn)
        for tenant in ("one", "two", "three"):
            platform.tenant(tenant)
        for tenant, number in (("one", 4), ("two", 2), ("three", 1)):
            agent = platform.agent(tenant)
            for phone in range(number):
                platform.message(platform.conversation(agent, f"49{phone}"), "first")
        platform.contact("one", "490", "Ann")
        platform.contact("two", "999", "Nobody's lead")
        platform.send(platform.template("two"), "497")
        refresh_now(conn)
    return made


@pytest.fixture
def world(
    make_database: MakeDatabase, world_template: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """These tenants in a database of the test's own; a slice compares three leads or keys."""
    monkeypatch.setattr(rolling, "SLICE_LEADS", 3)
    with make_database(world_template).connect() as conn:
        yield Platform(conn, first=1000)
