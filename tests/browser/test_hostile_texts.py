"""Names, phones and texts are shown as texts, whatever they hold, and stay within their place."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import View
from tests.browser.world import TENANT, Site, World
from tests.support.edge_cases import NAMES

pytestmark = pytest.mark.chromium
MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
OTHER = '"><img src=x onerror=alert(3)>'
TURNED = "abc\N{RIGHT-TO-LEFT OVERRIDE}def"
ZALGO = "z" + "\N{COMBINING ACUTE ACCENT}" * 200
TEXTS = (MARKUP, TURNED, ZALGO, "שלום עולם", "\x01\x1b[31mred\x7f", "W" * 240, "{{7*7}} ${7*7}", *NAMES)


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    shared.tenant()
    for number, text in enumerate(TEXTS, 1):
        shared.lead(number * 4, text[:255])
        shared.write(number * 4, text)
    shared.lead(1, "Of a phone", phone="<b>1</b>&amp;")
    shared.tenant(OTHER)
    shared.lead(2, "Other", tenant=OTHER)
    shared.refresh()
    return shared


@pytest.fixture
def page(site: Site, view: View) -> Page:
    shown = view(f"{site.url}/#tenant={TENANT}&limit=100")
    expect(shown.locator("#leads tbody tr")).to_have_count(len(TEXTS) + 1)
    return shown


def test_no_text_becomes_markup_and_what_is_not_seen_is_shown(page: Page) -> None:
    assert page.locator("main :is(img, script, b, iframe)").count() == 0
    texts = page.locator("#leads tbody a").evaluate_all("links => links.map((link) => link.textContent)")
    assert MARKUP in texts
    assert "<b>bold</b> & co" in texts
    assert page.locator("#leads .sub", has_text="<b>1</b>&amp;").count() == 1
    left, right = (
        "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
    )
    assert f"abc{left}202E{right}def" in texts
    assert "␁␛[31mred␡" in texts
    page.get_by_role("link", name="Of a phone").click()
    expect(page.locator("#lead .sub")).to_have_text("<b>1</b>&amp; · Company 1 · lead1@example.com")
    page.get_by_role("link", name=MARKUP).click()
    expect(page.locator("#lead-title")).to_have_text(MARKUP)
    expect(page.locator(".message .text").last).to_have_text(MARKUP)
    assert page.locator("#lead :is(img, script, b)").count() == 0
    page.get_by_label("Tenant", exact=True).select_option(OTHER)
    expect(page.get_by_role("link", name="Other")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Other")).to_be_visible()


def test_nothing_leaves_its_place(page: Page) -> None:
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        heights = page.locator("#leads tbody tr").evaluate_all("rows => rows.map((row) => row.offsetHeight)")
        assert max(heights) < 130, width
        page.locator("#leads tbody a").nth(5).click()
        expect(page.locator(".message").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        page.get_by_role("button", name="Close").click()
