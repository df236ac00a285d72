"""What goes wrong is said, with the time of the next try; what was there stays, and it goes on by itself."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from projector.operate.install import migrate
from tests.browser.conftest import View
from tests.browser.world import Site, World, served
from tests.exactness.platform import rebuild_now
from tests.support.server import Database

pytestmark = pytest.mark.chromium
PHONE = "491510000001"


@pytest.fixture
def page(site: Site, view: View) -> Page:
    shown = view(f"{site.url}/")
    expect(shown.get_by_role("link", name="Ann Lee")).to_be_visible()
    return shown


def answer(page: Page, status: int, message: str, headers: dict[str, str] | None = None) -> None:
    """Have the endpoints answer so from now on."""
    body: dict[str, Any] = {"error": "x", "message": message, "timestamp": "2026-01-01T00:00:00.000Z"}

    def fulfil(route: Route) -> None:
        route.fulfill(status=status, json={**body, "correlationId": "ref-1"}, headers=headers or {})

    page.route("**/users/**", fulfil)


def test_a_database_that_is_away(page: Page, world: World) -> None:
    answer(page, 503, "The database cannot be reached", {"Retry-After": "1"})
    notice = page.get_by_role("alert").filter(has_text="The database cannot be reached")
    expect(notice).to_contain_text("Reference ref-1")
    expect(notice).to_contain_text(re.compile(r"Trying again in \d+ s\."))
    expect(page.get_by_role("link", name="Ann Lee")).to_be_visible()
    world.lead(2, "Bob Ray")
    world.refresh()
    page.unroute_all()
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_role("link", name="Bob Ray")).to_be_visible()
    expect(page.locator("#notice")).to_be_hidden()


def test_what_is_not_built_yet_is_left_out_of_the_list(page: Page, world: World) -> None:
    world.conn.execute("UPDATE read_model.projection SET filled = '{}', rebuild_done = 0.4")
    said = page.locator("#list-problem")
    page.reload()
    expect(said).to_contain_text("Not built yet: who waits for an answer, and the reply windows.")
    expect(said).to_contain_text("which has done 40%")
    page.get_by_role("link", name="Ann Lee").click()
    expect(page.locator("#lead")).to_contain_text("Ann Lee")
    expect(page.locator("#notice")).to_be_hidden()
    world.conn.execute("UPDATE read_model.projection SET filled = ARRAY(SELECT jsonb_object_keys(parts))")
    page.reload()
    expect(page.get_by_role("link", name="Ann Lee")).to_be_visible()
    expect(said).to_be_hidden()


def test_a_limit_is_waited_for_as_long_as_the_api_says(page: Page, site: Site) -> None:
    answer(page, 429, "Too many requests", {"Retry-After": "30"})
    notice = page.locator("#notice")
    expect(notice).to_contain_text("This tenant has used up its requests for now.")
    expect(notice).to_contain_text(re.compile(r"in (30|2\d) s"))
    asked = len(site.asked())
    page.wait_for_timeout(900)
    assert len(site.asked()) == asked


def test_old_data_are_said(page: Page) -> None:
    def older(route: Route) -> None:
        response = route.fetch()
        route.fulfill(
            response=response, headers={**response.headers, "x-data-as-of": "2026-01-02T03:04:05.000Z"}
        )

    late: dict[str, object] = {"status": "ready", "warnings": [{"code": "late", "message": "They are late."}]}
    filled: dict[str, object] = {
        "status": "ready",
        "warnings": [{"code": "not_filled", "message": "A part is not."}],
    }
    answers: list[dict[str, object]] = [filled]
    page.route("**/health/ready", lambda route: route.fulfill(json=answers[0]))
    page.route("**/users/**", older)
    # Old is not late: cron may refresh once a day.
    expect(page.locator("#freshness")).to_contain_text("08:34:05")
    with page.expect_response("**/health/ready"):
        pass
    expect(page.locator("#freshness.live")).to_be_visible()
    answers[0] = late
    # In the zone of the viewer.
    expect(page.locator("#freshness.stale")).to_contain_text("Not updated since 2 Jan 2026, 08:34")
    page.unroute_all(behavior="ignoreErrors")


def test_an_api_that_does_not_answer_or_not_as_json_and_comes_back(page: Page) -> None:
    page.route("**/users/**", lambda route: route.abort())
    expect(page.locator("#notice")).to_contain_text("The API does not answer.")
    # While nothing is known there are places for it.
    page.reload()
    expect(page.locator("#skeleton")).to_be_visible()
    expect(page.locator("#notice")).to_contain_text("The API does not answer.")
    expect(page.locator("#paging")).to_be_hidden()
    page.unroute_all()
    page.route("**/users/**", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    expect(page.locator("#notice")).to_contain_text("The API answered 502.")
    page.unroute_all()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.get_by_role("link", name="Ann Lee")).to_be_visible()
    expect(page.locator("#skeleton")).to_be_hidden()


def test_a_request_that_goes_on_failing_keeps_no_other_waiting(page: Page, world: World) -> None:
    page.route("**/stats/series?*", lambda route: route.fulfill(status=503, json={"message": "Too busy"}))
    page.get_by_role("button", name="Statistics").click()
    notice, readout = page.locator("#notice"), page.locator(".activity .readout").last
    expect(notice).to_contain_text("Too busy")
    expect(page.locator(".chart .days7 .value")).to_have_text(re.compile("^[12]$"))
    expect(readout).to_have_text("\N{HORIZONTAL ELLIPSIS}")
    world.lead(3, "Cid Fox")
    world.refresh()
    expect(page.get_by_role("link", name="Cid Fox")).to_be_visible()
    # What fails is still said.
    expect(notice).to_contain_text("Too busy")
    page.unroute_all()
    page.get_by_role("button", name="Try now").click()
    expect(readout).to_have_text(re.compile("^Today so far[0-3] new leads?$"))
    expect(notice).to_be_hidden()


@pytest.mark.parametrize(
    ("request_of", "goes_to", "shown"),
    [
        ("limit=1&days=7", "lead_status=Hot", "#views a:has-text('Waiting for us') .count:not(:empty)"),
        ("leads?include=waiting", f"lead={PHONE}", "#leads tbody a:has-text('Ann Lee')"),
        ("messages?", "statistics=open", ".message:has-text('Message 1 of 1')"),
    ],
)
def test_a_reader_who_goes_on_before_an_answer_comes_gets_it_yet(
    site: Site, view: View, request_of: str, goes_to: str, shown: str
) -> None:
    held: list[Route] = []
    lead = f"&lead={PHONE}" if request_of == "messages?" else ""
    page = view(f"{site.url}/health/live")
    page.route(lambda url: request_of in url, lambda route: held.append(route))  # noqa: PLW0108  # Playwright marks it.
    with page.expect_request(lambda request: request_of in request.url):
        page.goto(f"{site.url}/#{lead}")
    page.evaluate("fragment => { location.hash = fragment; }", f"{goes_to}{lead}")
    expect(page).to_have_url(re.compile(goes_to))
    held.pop(0).continue_()
    page.unroute_all(behavior="ignoreErrors")
    expect(page.locator(shown)).to_be_visible()


def test_what_failed_while_it_was_opened_again_is_shown_though_it_is_as_before(page: Page) -> None:
    message = page.locator(".message").filter(has_text="Message 1 of 1")
    page.get_by_role("link", name="Ann Lee").click()
    expect(message).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.route("**/messages?*", lambda route: route.abort())
    page.get_by_role("link", name="Ann Lee").click()
    expect(page.locator("#notice")).to_contain_text("The API does not answer.")
    page.unroute_all()
    expect(message).to_be_visible()


def test_a_page_that_knows_no_tenant_says_why_and_loads_itself_again(
    empty_database: Database, view: View
) -> None:
    with served(empty_database) as running, empty_database.connect() as conn:
        page = view(f"{running.url}/")
        notice = page.get_by_role("alert").filter(has_text="The read model is not installed")
        expect(notice).to_contain_text(re.compile(r"Trying again in \d s\."))
        expect(page.get_by_role("button", name="Try now")).to_be_visible()
        # Another tab puts a lead aside. The page shows its leads anew then, as it does every ten seconds.
        page.evaluate("dispatchEvent(new StorageEvent('storage', { key: 'leads-put-aside' }))")
        migrate(conn, create_source=True)
        made = World(conn)
        made.tenant()
        made.lead(1, "Ann Lee")
        rebuild_now(conn)
        expect(page.get_by_role("link", name="Ann Lee")).to_be_visible()
        expect(page.locator("#notice")).to_be_hidden()
