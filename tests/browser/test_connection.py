"""The page says whether what it shows is so: live, reconnecting, offline or stale, and never two of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from projector.operate.install import migrate
from projector.trial.postgres.embedded import EmbeddedServer
from tests.browser.conftest import Draw, View
from tests.browser.world import World
from tests.exactness.platform import rebuild_now
from tests.support.running import running_scheduler
from tests.support.server import Database, connect
from tests.unit.api.serving import served

pytestmark = pytest.mark.chromium

# Each state that the header had, whether a failure was shown with it, and whether the page relied on its stream then:
# it has asked, and asks again by itself in TOLD milliseconds.
WATCH = """() => {
  window.seen = [];
  const page = document.documentElement.dataset;
  const line = document.getElementById("freshness"), notice = document.getElementById("notice");
  const see = () => {
    const state = line.className.replace("freshness ", "");
    if (seen.at(-1)?.[0] !== state || seen.at(-1)?.[1] !== !notice.hidden) {
      seen.push([state, !notice.hidden, "relies" in page]);
    }
  };
  const observer = new MutationObserver(see);
  observer.observe(line, { attributes: true });
  observer.observe(notice, { attributes: true });
  const { fetch, setTimeout } = window;
  window.fetch = (path, ...rest) => {
    if (!path.endsWith("/lead-changes")) {
      delete page.relies;
    }
    return fetch(path, ...rest);
  };
  window.setTimeout = (run, after, ...rest) => {
    if (after === 20_000) {
      page.relies = "";
    }
    return setTimeout(run, after, ...rest);
  };
}"""


def first_sign(page: Page, of: Callable[[], object]) -> list[object]:
    """Do something while the page relies on its stream; return what it says next, and whether it had not asked."""
    page.evaluate(
        "() => { delete document.documentElement.dataset.relies; dispatchEvent(new Event('online')); }"
    )
    expect(page.locator("html[data-relies]")).to_be_visible()
    expect(page.locator("#freshness.live")).to_be_visible()
    before = page.evaluate("seen.length")
    of()
    expect(page.locator("#freshness.live")).to_have_count(0)
    state, _, relied = page.evaluate(
        "before => seen.slice(before).find(([state]) => state !== 'live')", before
    )
    return [state, relied]


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
    with running_scheduler(database.url, tmp_path) as projector, served(database, tmp_path) as api:
        page.goto(f"http://127.0.0.1:{api.port}/")
        expect(page.locator(f"{line}.live")).to_contain_text("Live")
        page.evaluate(WATCH)
        api.wait_for_line("changes are told")

        # The database, of which the stream tells the page at once.
        assert first_sign(page, lambda: server.stop(mode="immediate")) == ["reconnecting", True]
        expect(page.locator(f"{line}.offline")).to_contain_text("as of")
        expect(page.locator("#notice")).to_contain_text("The database cannot be reached")
        draw(page, "connection-offline")
        server.start()
        expect(page.locator(f"{line}.live")).to_be_visible()
        expect(page.locator("#notice")).to_be_hidden()

        # The process of the API, and the next one on its port.
        assert first_sign(page, api.process.kill) == ["reconnecting", True]
        expect(page.locator("#notice")).to_contain_text("The API does not answer.")
        expect(page.locator(f"{line}.offline")).to_contain_text("Offline · as of")
        with served(database, tmp_path, PORT=str(api.port)):
            expect(page.locator(f"{line}.live")).to_be_visible()
            # Beside a failure the page is never live, and asks again soon.
            seen = page.evaluate("seen")
            assert not [entry for entry in seen if entry[1] and (entry[0] == "live" or entry[2])], seen
            # On a slow machine the data are late on the way.
            assert {state for state, *_ in seen} - {"stale"} == {"live", "reconnecting", "offline"}

            # The projector: the API goes on, with data that get older.
            projector.kill()
            expect(page.locator(f"{line}.stale")).to_contain_text("Not updated since")
            expect(page.locator("#notice")).to_be_hidden()
            draw(page, "connection-stale")
            with running_scheduler(database.url, tmp_path):
                expect(page.locator(f"{line}.live")).to_be_visible()
