"""The picture with which README and docs/page.md begin; `make picture` makes it anew."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from projector.report.progress import QUIET
from projector.trial import demo
from tests.browser.conftest import Draw, View
from tests.browser.world import Site, World
from tests.exactness.platform import rebuild_now

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    demo.load(
        shared.conn, tenants=1, leads=400, messages_per_lead=9, seed=8, now=datetime.now(UTC), progress=QUIET
    )
    shared.conn.execute("UPDATE users SET company_name = 'Aurora Studios'")
    rebuild_now(shared.conn)
    return shared


def test_the_first_screen_of_the_demo(site: Site, view: View, draw: Draw) -> None:
    page = view(f"{site.url}/", width=1440, height=820)
    page.locator("#leads tbody tr.waits:has(.pill:is(.hot, .warm)) a").first.click()
    expect(page.locator(".message").first).to_be_visible()
    expect(page.locator("#views a").first).to_have_text("All400")
    page.wait_for_timeout(500)
    draw(page, "page")
