"""Attributes: those of a lead and of its conversations, and filters by those with few values."""

import re
import shutil

import pytest
from playwright.sync_api import Page, expect

from projector.capture.texts import read_mapping
from projector.operate.install import migrate
from tests.browser.conftest import Draw, View
from tests.browser.world import TENANT, Site, World
from tests.exactness.platform import rebuild_now
from tests.support.commands import ROOT

pytestmark = pytest.mark.chromium
LEADS = 32
EVIL = '<b>"x"</b>, y'
SOURCES = ("web", "import", EVIL)


@pytest.fixture(scope="module")
def world(shared: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Leads with attributes, whose conversations have one too; each has requirements of its own."""
    folder = shutil.copytree(ROOT / "sql" / "mapping", tmp_path_factory.mktemp("mapping") / "ours")
    conversations = folder / "conversations.sql"
    more = conversations.read_text("utf-8").replace(
        "    c.last_message_at,\n", "    c.last_message_at,\n    a.name AS team,\n"
    )
    conversations.write_text(more, "utf-8")
    migrate(shared.conn, create_source=False, mapping=read_mapping(str(folder)))
    rebuild_now(shared.conn)
    shared.tenant()
    shared.tenant("other")
    for number in range(1, LEADS + 1):
        phone = shared.lead(number, f"Lead {number:02}")
        tags, source = ["vip"] if number % 4 == 0 else [], SOURCES[number % 3]
        contact = {"contact_id": f"of-{number}", "user_id": TENANT, "phone": f"+{phone}"}
        shared.insert("contacts", **contact, tags=tags, source=source, opted_out=number == 1)
    shared.conn.execute(
        "UPDATE extractions SET requirements = 'Needs ' || name, demo_book_datetime = '2026-01-02T03:04Z'"
    )
    shared.lead(100, "Another", tenant="other")
    shared.refresh()
    return shared


@pytest.fixture
def page(site: Site, view: View) -> Page:
    shown = view(f"{site.url}/")
    expect(shown.locator("#leads tbody tr")).to_have_count(LEADS)
    return shown


def asked_for_attributes(site: Site) -> list[str]:
    return [path for path in site.asked() if "attributes" in path and "include=" not in path]


def test_those_with_few_values_are_filters_once_a_viewer_looks_for_them(
    page: Page, site: Site, draw: Draw
) -> None:
    assert asked_for_attributes(site) == []
    page.get_by_role("button", name="More filters").click()
    source = page.get_by_label("Source", exact=True)
    expect(source.locator("option")).to_have_text(["Any", EVIL, "import", "web"])
    labels = page.locator("fieldset", has_text="Attributes").locator("label").all_inner_texts()
    # A time is none of them, nor what each lead has another value of.
    assert sorted(labels) == ["Opted out", "Source", "Tags", "Team"]
    draw(page, "attributes-filters")
    for name, value, count in (("Source", EVIL, 11), ("Tags", "vip", 3), ("Opted out", "No", 3)):
        page.get_by_label(name, exact=True).select_option(label=value)
        expect(page.locator("#leads tbody tr")).to_have_count(count)
    chip = page.get_by_role("button", name=re.compile("Remove the filter Attributes"))
    expect(chip).to_contain_text(f"Attributes: source {EVIL[:-3]}")
    # Nothing is asked twice, and the address has all of it.
    requests = len(asked_for_attributes(site))
    page.reload()
    expect(page.locator("#leads tbody tr")).to_have_count(3)
    page.get_by_role("button", name="More filters").click()
    expect(source).to_have_value(EVIL.replace(",", "\\,"))
    expect(page.get_by_label("Team")).to_have_value("")
    chip.click()
    expect(page.locator("#leads tbody tr")).to_have_count(LEADS)
    assert requests >= 2
    # Another tenant has none of its own but the names of its agents.
    page.get_by_label("Tenant", exact=True).select_option("other")
    expect(page.get_by_label("Team")).to_be_visible()
    expect(source).to_have_count(0)


def test_a_filter_of_the_address_that_is_not_offered_is_shown(site: Site, view: View) -> None:
    page = view(f"{site.url}/#tenant={TENANT}&attributes=source%3Dweb%252Cimport")
    expect(page.locator("#leads tbody tr")).to_have_count(21)
    page.get_by_role("button", name="More filters").click()
    expect(page.get_by_label("Source", exact=True)).to_have_value("web,import")
    page = view(f"{site.url}/#tenant={TENANT}&attributes=cty%3DPune")
    expect(page.locator("#list-problem")).to_contain_text("attributes[cty] names no attribute")


def test_a_lead_shows_its_attributes_and_those_of_its_conversations(
    page: Page, world: World, draw: Draw
) -> None:
    page.get_by_role("link", name="Lead 20").click()
    lead = page.locator("#lead")
    expect(lead.locator("[data-key='attributes.tags']")).to_have_count(1)
    rows = lead.locator(".fields tbody tr[data-key^='attributes.']")
    cells = {
        texts[0]: texts[1:] for texts in (row.locator("th, td").all_text_contents() for row in rows.all())
    }
    assert {name: value for name, (value, _) in cells.items()} == {
        "Tags": "vip",
        "Source": EVIL,
        "Opted out": "No",
        "Requirements": "Needs Lead 20",
        # In the zone of the viewer.
        "Demo book datetime": "Friday, 2 January 2026 at 08:34:00 GMT+5:30",
    }
    assert all("winning contact" in origin for _, origin in cells.values())
    expect(lead.locator(".conversations tbody tr td").first).to_have_text(re.compile(" · team Assistant 2$"))
    draw(page, "attributes-lead")
    world.conn.execute("UPDATE contacts SET source = 'a, b' WHERE contact_id = 'of-20'")
    world.refresh()
    expect(lead.locator("[data-key='attributes.source'] td").first).to_have_text("a, b")
    world.conn.execute("UPDATE contacts SET source = %s WHERE contact_id = 'of-20'", (EVIL,))
    world.refresh()
