"""The page moves by itself: what changes comes to its place, and the reader stays where he is."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import View
from tests.browser.world import TENANT, Site, World, served
from tests.conftest import MakeDatabase
from tests.support.running import wait_for
from tests.support.server import Database
from tests.unit.api.serving import served as served_for_real

pytestmark = pytest.mark.chromium


def texts(page: Page) -> list[str]:
    return page.locator("#leads tbody a").all_inner_texts()


def message(page: Page, text: str) -> Locator:
    return page.locator(".message .text", has_text=re.compile(f"^{re.escape(text)}$"))


def top_of(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box is not None
    return box["y"]


def sum_of_days(page: Page) -> int:
    """The new leads of all days that the chart shows."""
    return sum(map(int, page.locator(".activity").last.locator("td").all_text_contents()))


@pytest.fixture
def many(make_database: MakeDatabase, built_template: Database) -> Iterator[World]:
    """A database of the test's own."""
    database = make_database(built_template)
    with database.connect() as conn:
        made = World(conn)
        made.tenant()
        for number in range(1, 41):
            made.lead(number, f"Lead {number:02}")
        made.refresh()
        yield made


@pytest.fixture
def site(many: World) -> Iterator[Site]:
    with served(many.database) as running:
        yield running


def test_a_message_arrives_in_the_thread_that_is_open_and_a_lead_that_is_gone_leaves(
    many: World, site: Site, view: View
) -> None:
    page = view(f"{site.url}/#lead=491510000009")
    expect(page.locator(".message")).to_have_count(1)
    many.write(9, "Is anybody there?")
    many.refresh()
    expect(page.locator(".message .text").last).to_have_text("Is anybody there?")
    expect(page.locator("#live")).to_have_text("1 new message. Customer: Is anybody there?")
    # The list and the statistics follow.
    expect(page.locator("#leads tbody a").first).to_have_text("Lead 09")
    expect(page.locator("#lead summary").nth(2)).to_have_text("1 conversation")
    many.insert("extractions", extraction_id=UUID(int=999), conversation_id="c-9", lead_status_tag="Hot")
    many.refresh()
    expect(page.locator(".history summary")).to_have_text(re.compile("^Warm .* · → Hot "))
    many.conn.execute("DELETE FROM conversations WHERE conversation_id = 'c-9'")
    many.refresh()
    expect(page.locator("#lead")).to_contain_text("This lead does not exist.")
    expect(page.get_by_role("link", name="Lead 09")).to_have_count(0)


def test_a_reader_of_earlier_messages_stays_and_is_told(many: World, site: Site, view: View) -> None:
    start = datetime.now(UTC) - timedelta(minutes=5)
    for number in range(120):
        many.write(9, f"Line {number}", at=start + timedelta(seconds=number))
    many.refresh()
    page = view(f"{site.url}/#lead=491510000009")
    expect(message(page, "Line 119")).to_be_in_viewport()
    page.locator(".scroller").evaluate("scroller => { scroller.scrollTop = 300; }")
    place = top_of(message(page, "Line 85"))
    many.write(9, "One more", sender="agent")
    many.refresh()
    newer = page.get_by_role("button", name="1 new message")
    expect(newer).to_be_visible()
    assert abs(top_of(message(page, "Line 85")) - place) < 2
    newer.click()
    expect(message(page, "One more")).to_be_in_viewport()
    expect(newer).to_be_hidden()
    # Who looks at the end follows it.
    many.write(9, "And another")
    many.refresh()
    expect(message(page, "And another")).to_be_in_viewport()
    # One from the past comes to its place, also among those that were asked for.
    page.get_by_role("button", name="Show earlier messages").click()
    expect(message(page, "Line 60")).to_have_count(1)
    many.write(9, "Came late", at=start + timedelta(seconds=60.5))
    many.refresh()
    expect(message(page, "Came late")).to_have_count(1)
    lines = page.locator(".message .text").all_inner_texts()
    place = lines.index("Came late")
    assert (lines[place - 1], lines[place + 1]) == ("Line 60", "Line 61")
    assert len(lines) == len(set(lines))


def test_a_changed_lead_comes_to_its_place_and_the_reader_stays(many: World, site: Site, view: View) -> None:
    page = view(f"{site.url}/#statistics=open")
    expect(page.locator("#leads tbody tr")).to_have_count(40)
    link = page.get_by_role("link", name="Lead 30")
    link.scroll_into_view_if_needed()
    link.focus()
    place = top_of(page.get_by_role("link", name="Lead 30"))
    expect(page.locator(".activity").last.locator("tbody tr")).to_have_count(30)
    assert sum_of_days(page) == 40
    many.write(39, "Here I am")
    many.lead(0, "Lead 00")
    many.refresh()
    expect(page.locator("#leads tbody tr")).to_have_count(41)
    assert texts(page)[:3] == ["Lead 39", "Lead 00", "Lead 01"]
    assert abs(top_of(page.get_by_role("link", name="Lead 30")) - place) < 2
    expect(link).to_be_focused()
    expect(page.locator("#live")).to_have_text("2 leads changed.")
    expect(page.locator("#views a").first).to_have_text("All41")
    wait_for_ticks(page, lambda: sum_of_days(page) == 41)
    # The lead that is looked at may move away itself.
    place = top_of(page.get_by_role("link", name="Lead 29"))
    many.write(30, "Here I am")
    many.refresh()
    expect(page.locator("#leads tbody a").first).to_have_text("Lead 30")
    assert abs(top_of(page.get_by_role("link", name="Lead 29")) - place) < 2
    expect(link).to_be_focused()


def test_one_request_a_tick_and_none_while_it_is_hidden(site: Site, view: View) -> None:
    page = view(f"{site.url}/#lead=491510000002")
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away === true })")
    expect(page.locator(".message")).to_have_count(1)
    wait_for(lambda: len(site.asked()) >= 13, "eight requests that nobody has asked for")
    by_itself = site.asked()[5:13]
    base = f"/users/{TENANT}/leads"
    kinds = {path.partition("?")[0].removeprefix(base) for path in by_itself}
    assert {"", "/facets", "/491510000002", "/491510000002/messages"} <= kinds
    assert kinds <= {"", "/facets", *(f"/491510000002{of}" for of in ("", "/messages", "/history"))}
    page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    asked = len(site.asked())
    page.wait_for_timeout(900)
    assert len(site.asked()) == asked
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    wait_for(lambda: len(site.asked()) > asked, "a request once it is seen again")


def test_what_has_not_changed_is_not_sent_again(site: Site, view: View) -> None:
    page = view(f"{site.url}/health/live")
    seen: list[str | None] = []

    def answer(route: Route) -> None:
        seen.append(route.request.headers.get("if-none-match"))
        if seen[-1] == 'W/"1"':
            route.fulfill(status=304, headers={"ETag": 'W/"1"'})
        else:
            response = route.fetch()
            route.fulfill(response=response, headers={**response.headers, "ETag": 'W/"1"'})

    page.route("**/users/*/leads**", answer)
    page.goto(f"{site.url}/")
    expect(page.locator("#leads tbody tr")).to_have_count(40)
    wait_for_ticks(page, lambda: len(seen) >= 8)
    # The list and the counts, once each; then those who wait, and whose window closes.
    assert seen[:4] == [None] * 4
    assert set(seen[4:]) == {'W/"1"'}
    assert page.locator("#leads tbody tr").count() == 40
    page.unroute_all(behavior="ignoreErrors")


def wait_for_ticks(page: Page, fact: Callable[[], bool]) -> None:
    """Wait for a fact while the handlers of the page run."""
    for _ in range(600):
        if fact():
            return
        page.wait_for_timeout(100)
    raise TimeoutError


# In place of what asks the operating system.
NOTIFICATIONS = """() => {
    window.told = [];
    window.Notification = class {
        static permission = "default";
        static async requestPermission() { this.permission = "granted"; }
        constructor(title, { body }) { told.push([title, body]); window.last = this; }
        close() {}
    };
    document.hasFocus = () => false;
}"""


def test_who_asked_for_it_is_told_that_somebody_begins_to_wait(many: World, site: Site, view: View) -> None:
    many.write(9, "Gladly", sender="agent")
    many.refresh()
    page = view(f"{site.url}/")
    first = page.locator("#leads tbody tr").first
    expect(first).to_contain_text("Lead 09")
    page.evaluate(NOTIFICATIONS)
    button = page.get_by_role("button", name="Notify me")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    for sender, text, told in (
        ("user", "And now?", 1),
        ("user", "Are you there?", 1),
        ("agent", "Yes", 1),
        ("user", "Good", 2),
    ):
        many.write(9, text, sender=sender)
        many.refresh()
        expect(first).to_contain_text(text)
        assert page.evaluate("told.length") == told
    assert page.evaluate("told") == [
        ["Lead 09 waits for an answer", "And now?"],
        ["Lead 09 waits for an answer", "Good"],
    ]
    page.evaluate("last.onclick()")
    expect(page.locator("#lead-title")).to_have_text("Lead 09")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_two_tabs_share_a_stream_and_show_what_changes(many: World, view: View, tmp_path: Path) -> None:
    with served_for_real(many.database, tmp_path) as server:
        first = view(f"http://127.0.0.1:{server.port}/")
        server.wait_for_line("changes are told")
        second = first.context.new_page()
        second.goto(first.url)
        for page in (first, second):
            expect(page.locator("#leads tbody tr")).to_have_count(40)
        for number in (2, 1):
            many.write(number, "Here I am")
            many.refresh()
            for page in (first, second):
                expect(page.locator("#leads tbody a").first).to_have_text(f"Lead {number:02}")
        assert server.log.read_text().count("/lead-changes") == 1


def test_two_viewers_stay_within_the_limit(site: Site, view: View) -> None:
    """Two pages in windows of a minute, with the pauses that the page would make, and a click now and then."""
    page = view(f"{site.url}/")
    refused = page.evaluate(
        """async () => {
          const { pause } = await import("/page/connection.js");
          const refused = {};
          for (const amount of [10, 20, 60, 100, 1000]) {
            const viewers = [0, 700].map((next) => ({ next, asked: 0 }));
            const window = { amount, left: amount, endsAt: 60_000 };
            let over = 0;
            for (let now = 0; now < 20 * 60_000; now += 50) {
              if (now >= window.endsAt) {
                Object.assign(window, { left: amount, endsAt: now + 60_000 });
              }
              for (const viewer of viewers.filter((one) => one.next <= now)) {
                window.left -= 1;
                viewer.asked += 1;
                over += window.left < 0 ? 1 : 0;
                viewer.next = now + pause({ ...window, left: Math.max(0, window.left) }, now);
              }
            }
            refused[amount] = [over, viewers.map((one) => one.asked)];
          }
          return refused;
        }"""
    )
    for amount, (over, asked) in refused.items():
        assert over == 0, json.dumps(refused)
        # Neither starves, and with room each asks every two seconds.
        assert min(asked) >= min(590, 20 * int(amount) * 0.25), json.dumps(refused)


def test_a_stream_that_ends_as_soon_as_it_began_is_noticed(site: Site, view: View) -> None:
    page = view(f"{site.url}/")
    said = page.evaluate(
        """async () => {
          const { Connection } = await import("/page/connection.js");
          const client = { limit: null, now: 0, age: 0, asOf: 0 };
          const said = [];
          await new Promise((resolve) => {
            const connection = new Connection(client, {
              ask: async () => resolve(),
              isHurried: () => false,
              show: (state) => said.push(state),
            });
            connection.stream = { isOn: true };
            connection.goOn();
            connection.stream = { isOn: false };
          });
          return said;
        }"""
    )
    assert said[0] == "reconnecting"


def test_what_failed_is_asked_for_soon_while_changes_are_told(site: Site, view: View) -> None:
    page = view(f"{site.url}/")
    pauses = page.evaluate(
        """async () => {
          const { Connection } = await import("/page/connection.js");
          const client = { limit: null, now: 0, age: 0, asOf: 0 };
          const connection = new Connection(client, { isHurried: () => false, show() {} });
          connection.stream = { isOn: true };
          const pauses = [];
          for (const failing of [0, 2, 1, 0, 1, 1, 1, 1, 1, 1, 0]) {
            connection.succeeded(failing);
            pauses.push(connection.pause / 1000);
          }
          return pauses;
        }"""
    )
    # One after the other is right again; then one goes on failing.
    assert pauses == [20, 2, 2, 20, 2, 4, 8, 16, 20, 20, 20]
