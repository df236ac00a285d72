"""A Chromium for all tests here, and a page in it for each file that reports what goes wrong in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

from tests.browser.world import Site, World, served
from tests.support.chromium import chromium_path
from tests.support.patience import PATIENCE
from tests.support.server import Database, Server

# A zone far from that of the machine, with half an hour.
ZONE = "Asia/Kolkata"
# Pauses that a viewer needs and a test need not wait for, in milliseconds.
SHORTER = {
    "TICK = 2000": "TICK = 300",
    "UNANSWERED = 4000": "UNANSWERED = 1000",
    "GIVEN_UP = 10_000": "GIVEN_UP = 3000",
    "FRESH = 10_000": "FRESH = 2500",
    "READY_MILLISECONDS = 5000": "READY_MILLISECONDS = 1000",
}


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Of this folder, because other tests of this process have event loops of their own."""
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
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
        yield World(conn)
    server.drop(database)


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    """A tenant with one lead; a file with leads of its own has another."""
    shared.tenant()
    shared.lead(1, "Ann Lee")
    shared.refresh()
    return shared


@pytest.fixture(scope="module")
def shared_site(world: World) -> Iterator[Site]:
    with served(world.database) as running:
        yield running


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The server of a file, which nobody has asked anything in this test."""
    shared_site.requests.clear()
    return shared_site


def shorten(route: Route) -> None:
    """Answer with the script of the page, in which the pauses are shorter."""
    response = route.fetch()
    text = response.text()
    for before, after in SHORTER.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    route.fulfill(response=response, body=text)


Draw = Callable[[Page, str], None]


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    """Writes what a page looks like, where --screenshots asks for that."""
    chosen = request.config.getoption("--screenshots")

    def write(page: Page, name: str) -> None:
        if chosen:
            page.screenshot(path=Path(chosen) / f"{name}.png")

    return write


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[tuple[Page, list[str]]]:
    """The page of a file, and what went wrong in it: a module failed, or broke the policy."""
    wrong: list[str] = []
    context = chromium.new_context(timezone_id=ZONE, locale="en-GB")
    context.set_default_timeout(PATIENCE * 1000)
    context.route("**/page/all.js", shorten)
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
    page.on("request", lambda asked: None if "//127.0.0.1:" in asked.url else wrong.append(asked.url))
    yield page, wrong
    context.close()


View = Callable[..., Page]


@pytest.fixture
def view(tab: tuple[Page, list[str]]) -> Iterator[View]:
    """Opens an address as in a tab that is new, and fails the test if anything went wrong there."""
    page, wrong = tab
    wrong.clear()

    def show(address: str, *, width: int = 1280, height: int = 800, **media: Any) -> Page:  # noqa: ANN401
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**{"color_scheme": "light", "reduced_motion": "no-preference", **media})
        page.goto(address)
        return page

    yield show
    page.unroute_all(behavior="ignoreErrors")
    page.evaluate("sessionStorage.clear(); localStorage.clear()")
    page.goto("about:blank")
    assert wrong == []
