"""A lead: what the API says of it, its messages, and the way there and back."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from api.request.lead import LEAD_FIELDS
from api.request.parameters import INCLUDES
from tests.browser.conftest import View
from tests.browser.world import TENANT, Site, World
from tests.support.cases import cases

pytestmark = pytest.mark.chromium
MESSAGES = 260
# From this width on, a lead is beside the list.
SIDE_BY_SIDE = 992


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    shared.tenant()
    shared.lead(1, "Ann Lee", messages=3)
    shared.lead(2, "Long Talk", messages=MESSAGES)
    shared.lead(3)
    shared.lead(4, "Slash", phone="web/4")
    shared.lead(5, "Dots", phone="..")
    shared.lead(6, "Named stats", phone="facets")
    for number in range(7, 60):
        shared.lead(number, f"Lead {number}", phone="ann.lee" if number == 40 else None)
    shared.write(1, "Long " * 1000)
    # One whose status changed three times.
    at = datetime(2024, 3, 5, 20, tzinfo=UTC).replace(tzinfo=None)
    shared.conn.execute("UPDATE extractions SET extracted_at = %s WHERE conversation_id = 'c-8'", (at,))
    for days, status in ((4, "Cold"), (2, "Warm"), (1, "Cold")):
        before = {"extracted_at": at - timedelta(days=days), "is_latest": False, "lead_status_tag": status}
        shared.insert("extractions", extraction_id=UUID(int=1000 + days), conversation_id="c-8", **before)
    shared.refresh()
    return shared


@pytest.fixture
def page(site: Site, view: View) -> Page:
    return view(f"{site.url}/")


def opened(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#lead-title")).to_have_text(name)


def test_a_lead_is_shown_with_its_scores_and_its_way_back(page: Page) -> None:
    opened(page, "Ann Lee")
    lead = page.locator("#lead")
    expect(page.locator("#lead-title")).to_be_focused()
    expect(lead.locator(".sub")).to_have_text("491510000001 · Company 1 · lead1@example.com")
    expect(lead.locator("summary").first).to_have_text("Score 10 of 15")
    expect(lead.locator(".scores")).to_have_text("Intent2Urgency2Budget3Fit1Engagement2")
    expect(lead.locator("summary").nth(2)).to_have_text("1 conversation")
    expect(page.locator("[aria-current=true]")).to_have_text("Ann Lee")
    page.keyboard.press("Escape")
    expect(lead).to_be_hidden()
    expect(page.get_by_role("link", name="Ann Lee")).to_be_focused()
    page.go_back()
    expect(page.locator("#lead-title")).to_have_text("Ann Lee")


def test_every_field_is_shown_with_its_origin_and_a_long_text_on_request(page: Page) -> None:
    opened(page, "Ann Lee")
    page.get_by_text("Every field, and where it comes from").click()
    rows = page.locator(".fields tbody tr")
    keys = rows.evaluate_all("rows => rows.map((row) => row.dataset.key)")
    assert set(keys) == {*LEAD_FIELDS, *INCLUDES["waiting"], *INCLUDES["status_since"]}
    expect(rows.filter(has_text="Identifies the winning extraction.")).to_have_count(1)
    cells = {key: rows.nth(place).locator("th, td").all_inner_texts() for place, key in enumerate(keys)}
    assert cells["email"][:2] == ["Email", "lead1@example.com"]
    assert "that of the winning contact" in cells["name"][2]
    assert cells["has_extraction"][1] == "Yes"
    origins = [text for _, _, text in cells.values() if text]
    assert len(origins) > 20
    assert all(len(text) > 20 for text in origins)
    # In the zone of the viewer.
    assert "GMT+5:30" in cells["first_contact_at"][1]
    last = page.locator(".message").last
    assert len(last.locator(".text").inner_text()) < 1600
    last.get_by_role("button", name="Show all of it").click()
    assert len(last.locator(".text").inner_text()) == 5000


def test_the_history_of_its_status_is_a_line_with_all_of_it_behind(page: Page) -> None:
    history = page.locator(".history")
    for name, line in (
        ("Lead 7", re.compile("^No status yet$")),
        ("Ann Lee", re.compile(r"^Warm \d.*, 10$")),
    ):
        opened(page, name)
        expect(history.locator("summary")).to_have_text(line)
    opened(page, "Lead 8")
    # In the zone of the viewer.
    expect(history.locator("summary")).to_have_text(
        "1 earlier · Cold → Warm 4 Mar 2024 · → Cold 5 Mar 2024 · → Hot 6 Mar 2024, 11"
    )
    history.locator("summary").click()
    expect(history).to_contain_text("As far as the platform keeps its extractions.")
    rows = history.locator("tbody tr")
    expect(rows).to_have_count(4)
    none = "\N{EN DASH}"
    assert rows.first.locator("th, td").all_inner_texts() == ["6 Mar 2024, 01:30", "Cold", "Hot", "11"]
    assert rows.last.locator("th, td").all_inner_texts() == ["2 Mar 2024, 01:30", none, "Cold", none]


def test_messages_are_in_order_the_newest_in_sight_and_the_earlier_ones_on_request(page: Page) -> None:
    opened(page, "Long Talk")
    messages = page.locator(".message .text")
    expect(messages.last).to_have_text(f"Message {MESSAGES} of 2")
    expect(messages.last).to_be_in_viewport()
    expect(messages).to_have_count(50)
    earlier = page.get_by_role("button", name="Show earlier messages")
    while earlier.is_visible():
        earlier.scroll_into_view_if_needed()
        first = messages.first.inner_text()
        above = page.get_by_text(first, exact=True).bounding_box()
        before = messages.count()
        earlier.click()
        expect(messages).not_to_have_count(before)
        below = page.get_by_text(first, exact=True).bounding_box()
        assert above is not None
        assert below is not None
        # What was read stays where it was, or comes into sight where the button is gone.
        if earlier.is_visible():
            assert abs(below["y"] - above["y"]) < 3
    assert messages.all_inner_texts() == [f"Message {number} of 2" for number in range(1, MESSAGES + 1)]
    expect(page.locator(".scroller")).to_be_focused()


def test_a_lead_without_an_address_is_shown_without_its_messages(page: Page, site: Site) -> None:
    for name in ("Slash", "Dots", "Named stats"):
        opened(page, name)
        expect(page.locator(".thread .empty")).to_contain_text("has no address for the messages")
        expect(page.locator("#lead .facts")).to_be_visible()
        page.reload()
        expect(page.locator("#lead-title")).to_have_text(name)
    assert not [path for path in site.asked() if "messages" in path]
    page.goto(f"{site.url}/#tenant={TENANT}&lead=4711")
    expect(page.locator("#lead")).to_contain_text("This lead does not exist.")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#lead")).to_be_hidden()


@cases("size", [(360, 640), (390, 844), (768, 1024), (1024, 768), (1440, 900)])
def test_the_newest_message_is_in_sight(site: Site, view: View, size: tuple[int, int]) -> None:
    width, height = size
    view("about:blank")
    page = view(f"{site.url}/#lead=491510000002", width=width, height=height)
    newest = page.locator(".message").last
    expect(newest).to_have_text(re.compile(f"Message {MESSAGES} of 2$"))
    expect(newest).to_be_in_viewport(ratio=1)
    # Nothing scrolls but the messages, and what opens above them leaves them in sight.
    if width < SIDE_BY_SIDE:
        assert page.evaluate("document.documentElement.scrollHeight") == height
    about = page.locator(".about > summary")
    if page.locator(".about").get_attribute("open") is None:
        about.click()
    expect(page.locator(".scores")).to_be_visible()
    expect(newest).to_be_in_viewport(ratio=1)
    # On a phone the head gives its room back to who reads on.
    page.locator(".scroller").hover()
    page.mouse.wheel(0, -300)
    expect(page.locator(".scores")).to_be_visible(visible=width > SIDE_BY_SIDE)


def test_a_lead_is_followed_by_the_next_one_of_the_list(page: Page) -> None:
    opened(page, "Ann Lee")
    names = page.locator("#leads tbody a").all_inner_texts()
    at = names.index("Ann Lee")
    before = page.evaluate("history.length")
    page.get_by_role("button", name="Next lead").click()
    expect(page.locator("#lead-title")).to_have_text(names[at + 1])
    expect(page.locator("#leads [aria-current]")).to_have_text(names[at + 1])
    page.get_by_role("button", name="Previous lead").click()
    expect(page.locator("#lead-title")).to_have_text("Ann Lee")
    # Leads that are read one after the other are one step back.
    assert page.evaluate("history.length") == before
    page.keyboard.press("Escape")
    page.locator("#leads tbody a").first.click()
    expect(page.get_by_role("button", name="Previous lead")).to_have_attribute("aria-disabled", "true")


def test_the_actions_of_a_lead_are_those_of_its_channels(page: Page) -> None:
    hrefs = "links => links.filter((one) => one.checkVisibility()).map((one) => one.getAttribute('href'))"
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, links, copied in (
        (
            "Ann Lee",
            ["https://www.instagram.com/direct/inbox/", "mailto:lead1%40example.com"],
            "491510000001",
        ),
        ("Long Talk", ["mailto:lead2%40example.com"], "491510000002"),
        (
            "Lead 9",
            ["https://wa.me/491510000009", "tel:+491510000009", "mailto:lead9%40example.com"],
            "+491510000009",
        ),
        ("Lead 40", ["https://ig.me/m/ann.lee", "mailto:lead40%40example.com"], "ann.lee"),
    ):
        opened(page, name)
        assert page.locator(".actions a").evaluate_all(hrefs) == links
        # Not "Copied" still, which is about the lead before.
        assert page.locator(".actions [data-part=copy]").text_content() == "Copy"
        page.get_by_role("button", name="Copy").click()
        expect(page.locator(".actions [data-part=copy]")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == copied


def test_on_a_phone_the_list_is_where_it_was(site: Site, view: View) -> None:
    page = view(f"{site.url}/", width=360, height=740)
    link = page.get_by_role("link", name="Lead 45", exact=True)
    link.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 500
    link.click()
    expect(page.locator("#lead-title")).to_be_in_viewport()
    expect(page.locator("#list")).to_be_hidden()
    page.get_by_role("button", name="Close").click()
    expect(link).to_be_focused()
    assert abs(page.evaluate("scrollY") - before) < 3
