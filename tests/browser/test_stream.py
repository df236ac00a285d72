"""The page of a real server is told what has changed, by one stream for all its tabs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import View
from tests.browser.world import TENANT, World
from tests.conftest import MakeDatabase
from tests.oracle import read_model
from tests.support.server import Database
from tests.unit.api.conftest import Library
from tests.unit.api.serving import served

pytestmark = pytest.mark.chromium


@pytest.fixture
def world(make_database: MakeDatabase, built_template: Database) -> Iterator[World]:
    database = make_database(built_template)
    with database.connect() as conn:
        made = World(conn)
        made.tenant()
        for number in (1, 2):
            made.lead(number, f"Lead {number:02}")
        made.refresh()
        yield made


def test_two_tabs_share_a_stream_and_show_what_changes(world: World, view: View, tmp_path: Path) -> None:
    with served(Library(world.database, read_model(world.conn), TENANT), tmp_path) as server:
        first = view(f"http://127.0.0.1:{server.port}/")
        server.wait_for_line("changes are told")
        second = first.context.new_page()
        second.goto(first.url)
        for page in (first, second):
            expect(page.locator("#leads tbody tr")).to_have_count(2)
        for number in (1, 2):
            world.write(number, "Here I am")
            world.refresh()
            for page in (first, second):
                expect(page.locator("#leads tbody a").first).to_have_text(f"Lead {number:02}")
        assert server.log.read_text().count("/lead-changes") == 1
