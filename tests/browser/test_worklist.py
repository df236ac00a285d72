"""Whom to answer now: an hour of a sales person, with what this browser keeps of it."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Draw, View
from tests.browser.world import TENANT, Site, World

pytestmark = pytest.mark.chromium
# Of each lead that waits, the hours since its message: three leads wait for over a week, and two for minutes.
WAITING = [0.1, 0.2, 1.5, 2, 3, 4, 22.5, 23, 23.5, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130]
FOLDED = [200, 300, 400]


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    shared.tenant()
    for number, hours in enumerate([*WAITING, *FOLDED], 1):
        shared.lead(number, f"Lead {number:02}")
        shared.conn.execute(
            "UPDATE messages SET timestamp = %s WHERE conversation_id = %s",
            ((datetime.now(UTC) - timedelta(hours=hours)).replace(tzinfo=None), f"c-{number}"),
        )
    # One was answered, but that message failed.
    shared.lead(90, "Unlucky")
    shared.write(90, "We are here", sender="agent")
    shared.conn.execute("UPDATE messages SET status = 'failed' WHERE text = 'We are here'")
    shared.refresh()
    return shared


def tab(page: Page, name: str = "Waiting for us") -> Locator:
    return page.locator("#views").get_by_role("link", name=name)


def names(page: Page) -> list[str]:
    return page.locator("#leads tbody a").all_inner_texts()


@pytest.fixture
def page(site: Site, view: View) -> Page:
    shown = view(f"{site.url}/")
    expect(tab(shown)).to_have_text("Waiting for us20")
    tab(shown).click()
    expect(shown.locator("#leads tbody a").first).to_have_text("Lead 20")
    return shown


def test_who_has_waited_longest_is_first_in_groups_and_the_old_are_folded_away(page: Page) -> None:
    assert names(page) == [f"Lead {number:02}" for number in range(20, 0, -1)]
    groups = page.locator("#leads .group").all_inner_texts()
    assert groups[0] == "Waiting since before today"
    assert groups[-1] == "Waiting for less than an hour"
    # The two that have waited for minutes are the last ones.
    places = page.locator("#leads tbody tr").evaluate_all("rows => rows.map((row) => row.className)")
    assert places[-3].startswith("group")
    assert places.count("group") == len(set(groups))
    # How long it has waited, and until when one may answer freely; a web chat has no window.
    row = page.locator("#leads tbody tr").filter(has_text="Lead 09")
    expect(row.locator(".wait time")).to_have_text(re.compile("^23 hr"))
    expect(row.locator(".window")).to_have_text(re.compile(r"^Closes in (29|30) min"))
    expect(row.locator(".window.soon")).to_have_count(1)
    for name, text in (("Lead 20", ""), ("Lead 18", "Window closed")):
        expect(page.locator("#leads tbody tr").filter(has_text=name).locator(".window")).to_have_text(text)
    page.get_by_role("button", name="Show 3 older").click()
    expect(page.locator("#leads tbody a").first).to_have_text("Lead 23")
    # The choice is kept, and counts on the tab.
    expect(tab(page)).to_have_text("Waiting for us23")
    page.reload()
    tab(page, "All").click()
    expect(tab(page)).to_have_text("Waiting for us23")
    tab(page).click()
    toggle = page.locator(".quick").get_by_role("button", name="Last 7 days")
    toggle.click()
    expect(tab(page)).to_have_text("Waiting for us20")
    expect(toggle).to_have_attribute("aria-pressed", "true")


def test_whose_window_closes_soon(page: Page) -> None:
    closing = tab(page, "Window closes within 2 h")
    expect(closing).to_have_text("Window closes within 2 h2")
    closing.click()
    expect(page.locator("#leads tbody a")).to_have_text(["Lead 09", "Lead 07"])
    page.get_by_role("button", name="Done").first.click()
    expect(closing).to_have_text("Window closes within 2 h1")
    expect(tab(page)).to_have_text("Waiting for us19")


def test_a_primary_button_keeps_its_colour_under_the_pointer(page: Page) -> None:
    page.get_by_role("link", name="Lead 20").click()
    done = page.locator("#lead").get_by_role("button", name="Done")
    ground = "one => getComputedStyle(one).backgroundColor"
    resting = done.evaluate(ground)
    done.hover()
    # Else its white text would have nearly the colour of its ground.
    assert done.evaluate(ground) == resting


def test_twenty_who_wait_are_worked_off_and_three_write_again(page: Page, world: World, draw: Draw) -> None:
    title = page.locator("#lead-title")
    draw(page, "worklist")
    # By the button of a row, which can be taken back.
    page.get_by_role("button", name="Done").first.click()
    expect(tab(page)).to_have_text("Waiting for us19")
    expect(page.locator("#undo")).to_contain_text("Lead 20 is done until they write again.")
    expect(page.locator("#worklist")).to_contain_text("Marks of this browser: two can answer one lead")
    expect(page.get_by_role("link", name="Lead 19")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Lead 20")).to_be_focused()
    expect(tab(page)).to_have_text("Waiting for us20")
    # By the key, in the list and in a lead, from which the next one opens.
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    expect(title).to_have_text("Lead 19")
    page.keyboard.press("d")
    expect(title).to_have_text("Lead 18")
    page.locator("#lead").get_by_role("button", name="Done").click()
    expect(title).to_have_text("Lead 17")
    # Snoozed for an hour; the others are done.
    page.get_by_label("Snooze until").select_option("for an hour")
    for number in range(16, 0, -1):
        expect(title).to_have_text(f"Lead {number:02}")
        page.keyboard.press("d")
    expect(page.locator("#list-empty")).to_contain_text("Nothing is left to do here.")
    expect(page.locator("#lead")).to_be_hidden()
    for name in ("Waiting for us", "Window closes within 2 h"):
        expect(tab(page, name)).to_have_text(f"{name}0")
    expect(page).to_have_title(re.compile("^Waiting for us"))
    draw(page, "worklist-done")
    # It is kept, and three write again.
    page.reload()
    expect(tab(page)).to_have_text("Waiting for us0")
    for number in (12, 5, 2):
        world.write(number, "Are you there?")
    world.refresh()
    expect(tab(page)).to_have_text("Waiting for us3")
    assert sorted(names(page)) == ["Lead 02", "Lead 05", "Lead 12"]
    expect(page).to_have_title(re.compile(r"^\(3\) Waiting for us"))
    # One of those done is answered: neither waits any more.
    world.write(15, "Gladly", sender="agent")
    world.refresh()
    expect(page.get_by_role("button", name="Show 16 done or snoozed")).to_be_visible()
    expect(tab(page)).to_have_text("Waiting for us3")
    # Those put aside are shown on request, and come back by hand or when their time is over.
    page.get_by_role("button", name="Show 16 done or snoozed").click()
    page.locator("#leads tbody tr").filter(has_text="Lead 20").get_by_role(
        "button", name="Bring back"
    ).click()
    expect(tab(page)).to_have_text("Waiting for us4")
    page.get_by_role("button", name="Hide done and snoozed").click()
    expect(page.locator("#leads tbody a")).to_have_count(4)
    page.evaluate(
        """tenant => {
            const marks = JSON.parse(localStorage["leads-put-aside"]);
            marks[tenant]["491510000017"].until = Date.now() - 1;
            localStorage["leads-put-aside"] = JSON.stringify(marks);
        }""",
        TENANT,
    )
    page.reload()
    expect(tab(page)).to_have_text("Waiting for us5")
    # Another browser knows nothing of it, and neither does what somebody else has written there.
    page.evaluate("localStorage.setItem('leads-put-aside', '{')")
    page.reload()
    expect(tab(page)).to_have_text("Waiting for us19")


def test_an_answer_that_failed_is_marked(site: Site, view: View) -> None:
    page = view(f"{site.url}/#lead=491510000090")
    failed = page.locator("#lead").get_by_text("The newest answer was not sent")
    expect(failed).to_be_visible()
    expect(page.locator("#lead").get_by_role("button", name="Done")).to_be_hidden()
    page.get_by_role("link", name="Lead 01").click()
    expect(page.locator("#lead-title")).to_have_text("Lead 01")
    expect(failed).to_be_hidden()
