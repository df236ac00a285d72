"""The page says whether what it shows is so: live, reconnecting, offline or stale, and never two of them."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from projector.operate.install import migrate
from projector.trial.postgres.embedded import EmbeddedServer
from tests.browser.conftest import Draw, View
from tests.browser.world import World
from tests.exactness.platform import rebuild_now
from tests.support.running import running_scheduler
from tests.support.server import Database, connect
from tests.unit.api.serving import served

pytestmark = pytest.mark.chromium

# How soon the page says that something is wrong, and not how soon the machine comes to it.
SIGN_SECONDS = 2.0
# How often a page asks that no stream tells anything.
TICK_SECONDS = 2.0
# Times that a viewer waits for in minutes, and a test need not.
SHORTER = {
    "OLD = 60_000": "OLD = 3000",
    "FRESH = 10_000": "FRESH = 2500",
    "GIVEN_UP = 10_000": "GIVEN_UP = 3000",
}
# Each state that the header had, with the moment, and whether a failure was shown with it.
WATCH = """() => {
  window.seen = [];
  const line = document.getElementById("freshness"), notice = document.getElementById("notice");
  const see = () => {
    const state = line.className.replace("freshness ", "");
    if (seen.at(-1)?.[1] !== state || seen.at(-1)?.[2] !== !notice.hidden) {
      seen.push([Date.now() / 1000, state, !notice.hidden]);
    }
  };
  const observer = new MutationObserver(see);
  observer.observe(line, { attributes: true });
  observer.observe(notice, { attributes: true });
}"""


def shorten(page: Page) -> None:
    def answer(route: Route) -> None:
        response = route.fetch()
        text = response.text()
        for before, after in SHORTER.items():
            assert text.count(before) == 1
            text = text.replace(before, after)
        route.fulfill(response=response, body=text)

    page.route("**/page/all.js", answer)


def first_sign(page: Page, asked: list[float], of: Callable[[], object]) -> float:
    """Do something while the page relies on its stream; return after how many seconds it was not live any more."""
    while time.time() - asked[-1] < 1.5 * TICK_SECONDS:
        page.wait_for_timeout(100)
    since = time.time()
    of()
    expect(page.locator("#freshness.live")).to_have_count(0)
    return (
        float(page.evaluate("since => seen.find(([at, state]) => at >= since && state !== 'live')[0]", since))
        - since
    )


def test_each_state_with_what_brings_it_about(
    start_server: Callable[..., EmbeddedServer], view: View, draw: Draw, tmp_path: Path
) -> None:
    server = start_server(fast=True)
    with connect(server.url()) as conn:
        migrate(conn, create_source=True)
        world = World(conn)
        world.tenant()
        world.lead(1, "Ann Lee")
        rebuild_now(conn)
    database, line = Database(server.url(), ""), "#freshness"
    page = view("about:blank", width=1024)
    shorten(page)
    asked: list[float] = []
    page.on("request", lambda request: asked.append(time.time()) if "/leads" in request.url else None)
    with running_scheduler(database.url, tmp_path) as projector, served(database, tmp_path) as api:
        page.goto(f"http://127.0.0.1:{api.port}/")
        expect(page.locator(f"{line}.live")).to_contain_text("Live")
        page.evaluate(WATCH)
        api.wait_for_line("changes are told")

        # The database, of which the stream tells the page at once.
        assert first_sign(page, asked, lambda: server.stop(mode="immediate")) < SIGN_SECONDS
        expect(page.locator(f"{line}.offline")).to_contain_text("as of")
        expect(page.locator("#notice")).to_contain_text("The database cannot be reached")
        draw(page, "connection-offline")
        server.start()
        expect(page.locator(f"{line}.live")).to_be_visible()
        expect(page.locator("#notice")).to_be_hidden()

        # The process of the API, and the next one on its port.
        assert first_sign(page, asked, api.process.kill) < SIGN_SECONDS
        expect(page.locator("#notice")).to_contain_text("The API does not answer.")
        expect(page.locator(f"{line}.offline")).to_contain_text("Offline · as of")
        with served(database, tmp_path, PORT=str(api.port)):
            expect(page.locator(f"{line}.live")).to_be_visible()
            # Never is the page live beside a failure.
            seen = page.evaluate("seen")
            assert not [entry for entry in seen if entry[1] == "live" and entry[2]], seen
            assert {state for _, state, _ in seen} == {"live", "reconnecting", "offline"}

            # The projector: the API goes on, with data that get older.
            projector.kill()
            expect(page.locator(f"{line}.stale")).to_contain_text("Data are from")
            expect(page.locator("#notice")).to_be_hidden()
            draw(page, "connection-stale")
            with running_scheduler(database.url, tmp_path):
                expect(page.locator(f"{line}.live")).to_be_visible()
