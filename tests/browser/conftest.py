"""A Chromium for each file of tests, and pages in it that report what goes wrong in them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.browser.world import Site, World, served
from tests.conftest import MakeDatabase
from tests.support.chromium import chromium_path
from tests.support.patience import PATIENCE
from tests.support.server import Database, Server

# A zone far from that of the machine, with half an hour.
ZONE = "Asia/Kolkata"


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Of a file, because other tests of this process have event loops of their own."""
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    # As root, Chromium has no sandbox.
    browser = playwright.chromium.launch(
        executable_path=chromium_path(), args=["--no-sandbox", "--disable-dev-shm-usage"]
    )
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def shared(server: Server, built_template: Database, request: pytest.FixtureRequest) -> Iterator[World]:
    """A database for the tests of a file: each adds a tenant of its own."""
    database = server.create(
        f"browser_{request.module.__name__.rpartition('.')[2]}", template=built_template.name
    )
    with database.connect() as conn:
        yield World(database, conn)
    server.drop(database)


@pytest.fixture
def world(make_database: MakeDatabase, built_template: Database) -> Iterator[World]:
    """A database of the test's own, with a tenant that has no lead; a file with leads of its own has another."""
    database = make_database(built_template)
    with database.connect() as conn:
        made = World(database, conn)
        made.tenant()
        yield made


Serve = Callable[..., Site]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda database, **settings: stack.enter_context(served(database, **settings))


@pytest.fixture
def site(world: World, serve: Serve) -> Site:
    return serve(world.database)


Draw = Callable[[Page, str], None]


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    """Writes what a page looks like, where --screenshots asks for that."""
    chosen = request.config.getoption("--screenshots")

    def write(page: Page, name: str) -> None:
        if chosen:
            page.screenshot(path=Path(chosen) / f"{name}.png")

    return write


View = Callable[..., Page]


@pytest.fixture
def view(chromium: Browser) -> Iterator[View]:
    """Opens an address in a browser of its own; fails the test if a module fails, or breaks the policy."""
    wrong: list[str] = []
    with ExitStack() as stack:

        def show(
            address: str,
            *,
            width: int = 1280,
            height: int = 800,
            script: str = "",
            **options: Any,  # noqa: ANN401
        ) -> Page:
            context = chromium.new_context(
                viewport={"width": width, "height": height}, timezone_id=ZONE, locale="en-GB", **options
            )
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE * 1000)
            if script:
                context.add_init_script(script)
            page = context.new_page()
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("dialog", lambda dialog: wrong.append(dialog.message))
            page.on(
                "console",
                # That an answer is an error is said in the page.
                lambda said: (
                    wrong.append(said.text)
                    if said.type in ("error", "warning") and "Failed to load resource" not in said.text
                    else None
                ),
            )
            host = address.split("/")[2]
            page.on("request", lambda asked: wrong.append(asked.url) if host not in asked.url else None)
            page.goto(address)
            return page

        yield show
    assert wrong == []
