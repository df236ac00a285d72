"""The database with leads that typed clients read."""

from collections.abc import Iterator

import pytest

from tests.support.server import Database, Server
from tests.unit.api.conftest import Library, built_library


@pytest.fixture(scope="module")
def library(server: Server, template: Database) -> Iterator[Library]:
    with built_library(server, template, "client") as built:
        yield built
