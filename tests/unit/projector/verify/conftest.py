"""A platform of several tenants with an exact read model, and a verify in small slices."""

from collections.abc import Iterator

import pytest

from projector.sweep.verify import pace
from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform, refresh_now
from tests.support.server import Database, Server

SLICE = 3


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
    monkeypatch.setattr(pace, "LEAST_SLICE", SLICE)
    monkeypatch.setattr(pace, "LARGEST_SLICE", SLICE)
    with make_database(world_template).connect() as conn:
        yield Platform(conn, first=1000)
