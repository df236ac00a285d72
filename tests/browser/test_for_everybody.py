"""The page without a mouse, for a screen reader, on a phone and in the dark."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Draw, View
from tests.browser.world import TENANT, Site, World, served
from tests.support.cases import repeated
from tests.unit.api.auth.tokens import token_config

pytestmark = pytest.mark.chromium
SIZES = {"desktop": (1440, 900), "phone": (390, 844), "small": (320, 568)}


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    shared.tenant()
    names = ("Ann Lee", "Björn Köhler", "محمد علي", "Siddhant", "山田太郎", "Ёлка Иванова")
    # Over two weeks; a third of them goes on now.
    for place in range(1, 60):
        number = place * 7
        shared.lead(number, names[place % len(names)], messages=8)
        answered = datetime.now(UTC) - timedelta(hours=number if place % 3 else 0)
        shared.write(
            number,
            "Of course. May I have your email, so that I can send you an offer?",
            at=answered,
            sender="agent",
        )
    shared.refresh()
    return shared


def ready(page: Page) -> None:
    expect(page.locator("#leads tbody tr")).to_have_count(50)
    expect(page.locator("#views a").first).to_have_text("All59")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))


def test_everything_can_be_reached_with_the_keyboard(site: Site, view: View) -> None:
    page = view(f"{site.url}/#sort_by=name&sort_order=asc")
    ready(page)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the leads"
    page.keyboard.press("Enter")
    expect(page.locator("#list")).to_be_focused()
    assert "sort_by=name" in page.url
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == "search":
            break
    page.keyboard.type("Ann Lee")
    expect(page.locator("#shown")).to_have_text("1\N{EN DASH}9 of 9")
    page.keyboard.press("Tab")
    assert focused(page) == "Save view"
    page.keyboard.press("Tab")
    assert focused(page).startswith("More filters")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-panel")).to_be_visible()
    page.keyboard.press("Tab")
    assert focused(page) == "Statistics"
    page.keyboard.press("Tab")
    assert focused(page).startswith("Hot")
    page.keyboard.press("Space")
    expect(page.locator(".quick [aria-pressed=true]")).to_have_count(1)
    # Rows that the filter takes away would take the focus with them.
    expect(page.locator("#leads[aria-busy]")).to_have_count(0)
    link = page.locator("#leads tbody a")
    link.first.focus()
    page.keyboard.press("ArrowDown")
    expect(link.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#lead-title")).to_be_focused()
    for name in ("Previous lead", "Next lead", "Close"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    expect(link.first).to_be_focused()


def test_the_keys_of_every_day(site: Site, view: View) -> None:
    page = view(f"{site.url}/#sort_by=name&sort_order=asc")
    ready(page)
    link, title = page.locator("#leads tbody a"), page.locator("#lead-title")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    # A letter in a text is a letter.
    page.keyboard.type("j?")
    expect(page.get_by_role("searchbox")).to_have_value("j?")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    ready(page)
    page.get_by_role("button", name="Statistics").focus()
    for key, place in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(link.nth(place)).to_be_focused()
    names = link.all_inner_texts()
    phones = page.locator("#leads tbody tr").evaluate_all("rows => rows.map((row) => row.dataset.key)")
    page.keyboard.press("Enter")
    for key, place in (("", 1), ("j", 2), ("j", 3), ("k", 2)):
        if key:
            page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"lead={phones[place]}"))
        expect(title).to_be_focused()
        expect(page).to_have_title(re.compile(rf"^{re.escape(names[place])} · "))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Next and previous lead")
    examine(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(title).to_be_visible()
    page.keyboard.press("Escape")
    expect(link.nth(2)).to_be_focused()


# The sum of what moved without anybody having done anything.
SHIFT = """() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        sum += list.getEntries().filter((one) => !one.hadRecentInput).reduce((all, one) => all + one.value, 0);
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => resolve(sum), 100);
})"""


@pytest.mark.parametrize("width", [390, 1440, *repeated(320, 360, 600, 768, 1024)])
def test_nothing_moves_while_it_loads(site: Site, view: View, width: int) -> None:
    for fragment in ("", "#lead_status=Hot", "#statistics=open", f"#lead={491510000007}"):
        view("about:blank")
        page = view(f"{site.url}/{fragment}", width=width, height=800)
        expect(page.locator("#views a .count").first).to_have_text("59")
        if "lead=" in fragment:
            expect(page.locator(".message")).to_have_count(9)
        if "statistics" in fragment:
            expect(page.locator("#funnel td").first).to_have_text("59")
        assert page.evaluate(SHIFT) <= 0.05, fragment


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), *repeated(("desktop", "light"))])
def test_nothing_keeps_anybody_out(world: World, site: Site, view: View, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    # Rows of each name and status: more of them hold nothing else.
    address = f"{site.url}/#limit=20"
    page = view(address, width=width, height=height, color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator("#leads tbody tr")).to_have_count(20)
    expect(page.locator("#views a").first).to_have_text("All59")
    examine(page)
    page.get_by_role("button", name="More filters").click()
    page.get_by_role("button", name="Statistics").click()
    examine(page)
    page.locator("#leads tbody a").nth(2).click()
    expect(page.locator(".message")).to_have_count(9)
    page.locator("#lead details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    examine(page)
    page.goto(f"{site.url}/#tenant=nobody")
    expect(page.locator("#list-empty")).to_be_visible()
    examine(page)
    with served(world.database, auth=token_config()) as asking:
        view(f"{asking.url}/", width=width, color_scheme=scheme)
        expect(page.locator("#access")).to_be_visible()
        examine(page)
        page.goto(f"{site.url}/health/live")


def examine(page: Page, *rules: str) -> None:
    """Fail if the page keeps anybody out, by these rules of axe or by all of them."""
    # The policy of the page allows no script but its own; that of the tool comes through the debugger.
    report = Axe().run(page, options={"runOnly": list(rules)} if rules else None)
    assert report.violations_count == 0, report.generate_report()


# Letters and words as far apart as a reader may set them by WCAG, which is also wider than any usual font.
WIDE = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }");
    document.adoptedStyleSheets = [sheet];
}"""
# What the page says of old data; the next look at the data writes it again.
STALE = """() => {
    document.querySelector("#freshness [data-part=word]").textContent = "Not updated since 24 Sept 2025, 12:22";
}"""
# A Wednesday in September has the longest name of a day.
LONG_DAY, OLD_DAY = datetime(2026, 9, 30, tzinfo=UTC), "2025-09-24T12:22:22.222Z"


def longest(value: Any, name: str = "") -> Any:  # noqa: ANN401  # Of JSON.
    """Return data with their dates and counts as long as they get."""
    if isinstance(value, dict):
        return {key: longest(one, key) for key, one in value.items()}
    if name == "buckets":
        days = [LONG_DAY - timedelta(days=ago) for ago in reversed(range(len(value)))]
        return [{**longest(one), "start": day.isoformat()} for one, day in zip(value, days, strict=True)]
    if isinstance(value, list):
        return [longest(one) for one in value]
    if isinstance(value, str):
        return re.sub(r"^\d{4}-\d\d-\d\dT.*", OLD_DAY, value)
    return 88_888_888 if isinstance(value, int) and not name.endswith("_score") else value


def lengthen(route: Route) -> None:
    response = route.fetch()
    if response.status != 200:
        route.fulfill(response=response)
        return
    body = response.json()
    route.fulfill(response=response, json={**body, "data": longest(body["data"])})


@pytest.mark.parametrize(
    ("size", "scheme"),
    [("desktop", "light"), ("phone", "dark"), *repeated(("small", "light"), ("small wide", "dark"))],
)
def test_it_fits_on_every_screen(site: Site, view: View, draw: Draw, size: str, scheme: str) -> None:
    size, _, wide = size.partition(" ")
    width, height = SIZES[size]
    page = view(f"{site.url}/health/live", width=width, height=height, color_scheme=scheme)
    if wide:
        page.route(re.compile(r"/users/.*(?<!lead-changes)$"), lengthen)
    page.goto(f"{site.url}/#tenant={TENANT}")
    if wide:
        page.evaluate(WIDE)
        expect(page.locator("#leads tbody tr")).to_have_count(50)
    else:
        ready(page)
    for step in ("list", "statistics", "filters", "lead", "fields"):
        if step == "statistics":
            page.get_by_role("button", name="Statistics").click()
            page.locator(".activity").last.scroll_into_view_if_needed()
            # The day of today is the last one, at the edge.
            expect(page.locator(".activity tbody tr")).to_have_count(60)
        elif step == "filters":
            page.get_by_role("button", name="Statistics").click()
            page.get_by_role("button", name="More filters").click()
        elif step == "lead":
            page.locator("#leads tbody a").nth(2).click()
            expect(page.locator(".message")).to_have_count(9)
            # It takes what the rest of the lead leaves.
            below = page.evaluate(
                "document.querySelector('#lead').getBoundingClientRect().bottom"
                " - document.querySelector('.thread').getBoundingClientRect().bottom"
            )
            assert abs(below) < 4
        elif step == "fields":
            if size != "desktop":
                page.locator(".about > summary").click()
            page.get_by_text("Every field, and where it comes from").click()
        if wide:
            page.evaluate(STALE)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        draw(page, f"{size}{wide}-{scheme}-{step}")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(247, 248, 250)" if scheme == "light" else "rgb(15, 18, 22)"
    )


# What a finger would not meet in its middle, but for tabs that are still to be scrolled to.
COVERED = """() => [...document.querySelectorAll("#views :is(a, input, button), .filters .buttons :is(button, select)")]
    .filter((one) => one.checkVisibility())
    .filter((one) => {
        const { x, y, width, height } = one.getBoundingClientRect();
        const middle = x + width / 2;
        const { left, right } = one.parentElement.getBoundingClientRect();
        const end = Math.min(innerWidth, right) - 1;
        const isScrolledTo = !one.matches("a") || (middle > Math.max(0, left) && middle < end);
        return isScrolledTo && !one.contains(document.elementFromPoint(middle, y + height / 2));
    })
    .map((one) => one.textContent || one.id)"""


@pytest.mark.parametrize("size", SIZES)
def test_a_view_can_be_saved_where_nothing_covers_another(site: Site, view: View, size: str) -> None:
    width, height = SIZES[size]
    page = view(f"{site.url}/#lead_status=Warm&platform=whatsapp", width=width, height=height)
    save = page.get_by_role("button", name="Save view")
    expect(save).to_be_visible()
    expect(page.locator("#views a").first).to_have_text("All59")
    assert page.evaluate(COVERED) == []
    save.click()
    examine(page)
    page.keyboard.type("Mine")
    page.keyboard.press("Enter")
    delete = page.get_by_role("button", name="Delete the view Mine")
    expect(delete).to_be_in_viewport(ratio=0.9)
    assert page.evaluate(COVERED) == []


def test_the_row_with_the_focus_is_beneath_no_bar(site: Site, view: View) -> None:
    page = view(f"{site.url}/#limit=25", height=600)
    expect(page.locator("#leads tbody tr")).to_have_count(25)
    page.locator("#leads tbody a").first.focus()
    for key in ["ArrowDown"] * 24 + ["ArrowUp"] * 24:
        page.keyboard.press(key)
        row, head, bar = page.evaluate(
            "['tr:has(:focus)', '#leads thead th', '#paging'].map((name) => {"
            " const { top, bottom } = document.querySelector(name).getBoundingClientRect(); return [top, bottom]; })"
        )
        assert row[0] >= head[1] - 1
        assert row[1] <= bar[0] + 1


# The last of this file: the clock that it sets stays with the page.
def test_a_distance_in_time_grows_while_nothing_changes(site: Site, view: View) -> None:
    page = view(f"{site.url}/health/live")
    page.clock.install()
    page.goto(f"{site.url}/")
    ready(page)
    first = page.locator("#leads tbody .time time").first
    # The leads of this file are the older the later this test runs.
    expect(first).to_have_text(re.compile(r"^(just now|\d+ min ago)$"))
    # In the zone of the viewer.
    assert "GMT+5:30" in (first.get_attribute("title") or "")
    assert (first.get_attribute("datetime") or "").endswith("Z")
    page.route("**/users/**", lambda route: route.abort())
    page.clock.fast_forward("03:00:00")
    expect(first).to_have_text(re.compile("^3 h"))
