"""The list: search, filters, order and pages are those of the API."""

import csv
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import View
from tests.browser.world import TENANT, Site, World
from tests.support.running import wait_for

pytestmark = pytest.mark.chromium
LEADS = 130


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    shared.tenant()
    shared.tenant("empty")
    # On a platform that has no words of its own here.
    shared.tenant("words")
    shared.insert("phone_numbers", id="p-x", user_id="words", platform="constructor")
    shared.insert("agents", agent_id="a-x", user_id="words", phone_number_id="p-x", name="Assistant X")
    shared.insert("conversations", conversation_id="c-x", agent_id="a-x", customer_phone="4917")
    for number in range(1, LEADS + 1):
        shared.lead(number, f"Lead {number:03}")
    # The agent has answered some, and two conversations have ended.
    for number in range(10, LEADS + 1, 10):
        shared.write(number, "Gladly", at=datetime.now(UTC) - timedelta(hours=number), sender="agent")
    shared.conn.execute("UPDATE conversations SET is_active = (conversation_id NOT IN ('c-4', 'c-5'))")
    shared.refresh()
    return shared


@pytest.fixture
def page(site: Site, view: View) -> Page:
    shown = view(f"{site.url}/")
    expect(rows(shown)).to_have_count(50)
    return shown


def rows(page: Page) -> Locator:
    return page.locator("#leads tbody tr")


def names(page: Page) -> list[str]:
    return page.locator("#leads tbody a").all_inner_texts()


def shown(page: Page, text: str) -> None:
    expect(page.locator("#shown")).to_have_text(text.replace("-", "\N{EN DASH}"))


def test_it_begins_with_the_first_tenant_and_the_newest_leads(page: Page) -> None:
    assert page.locator("#tenant").input_value() == TENANT
    assert names(page)[:2] == ["Lead 001", "Lead 002"]
    shown(page, "1-50 of 130")
    # Of the tab of the browser: who waits, the view, and the tenant.
    expect(page).to_have_title(f"(117) All · {TENANT}")
    first = rows(page).first
    expect(first.locator(".status")).to_have_text("Warm")
    expect(first.locator(".score")).to_have_text("10")
    expect(first.locator(".last")).to_contain_text("Customer: Message 1 of 1")
    expect(first.locator(".sub")).to_have_text("491510000001Company 1")
    # Of WhatsApp it is a phone number.
    expect(rows(page).nth(2).locator(".phone")).to_have_text("+49 151 000 0003")
    expect(first.locator(".avatar")).to_have_text("L0")
    # All rows have one height, named or not.
    heights = rows(page).evaluate_all("all => all.map((row) => row.getBoundingClientRect().height)")
    assert max(heights) - min(heights) < 2


def view_of(page: Page, name: str) -> Locator:
    return page.locator("#views").get_by_role("link", name=name)


def toggle(page: Page, name: str) -> Locator:
    return page.locator(".quick").get_by_role("button", name=name)


def test_the_views_say_who_waits_and_the_numbers_filter(page: Page) -> None:
    for name, count in (("All", 130), ("Waiting for us", 117), ("Hot", 32)):
        expect(view_of(page, name)).to_have_text(f"{name}{count}")
    view_of(page, "Waiting for us").click()
    shown(page, "1-50 of 117")
    assert "last_message_sender=user" in page.url
    expect(view_of(page, "Waiting for us")).to_have_attribute("aria-current", "page")
    # Each number, which comes after the list, is what the list has once it is pressed; those of the views stay.
    expect(toggle(page, "Hot")).not_to_have_text(re.compile("32"))
    number = re.sub(r"\D", "", toggle(page, "Hot").inner_text())
    toggle(page, "Hot").click()
    shown(page, f"1-{number} of {number}")
    expect(toggle(page, "Hot")).to_have_attribute("aria-pressed", "true")
    assert set(page.locator("#leads tbody .status").all_inner_texts()) == {"Hot"}
    expect(view_of(page, "Hot")).to_have_text("Hot32")
    toggle(page, "Hot").click()
    shown(page, "1-50 of 117")
    view_of(page, "All").click()
    shown(page, "1-50 of 130")


def test_a_view_is_kept_by_its_name_in_this_browser(page: Page) -> None:
    expect(page.get_by_role("button", name="Save view")).to_be_hidden()
    toggle(page, "Hot").click()
    expect(page.get_by_role("button", name="Save view")).to_be_hidden()
    toggle(page, "Warm").click()
    page.get_by_role("button", name="Save view").click()
    page.keyboard.type("<b>Soon")
    page.keyboard.press("Enter")
    saved = view_of(page, "<b>Soon")
    expect(saved).to_have_attribute("aria-current", "page")
    expect(saved).to_be_focused()
    view_of(page, "All").click()
    shown(page, "1-50 of 130")
    page.reload()
    saved.click()
    shown(page, "1-50 of 65")
    assert "lead_status=Hot%2CWarm" in page.url
    page.get_by_role("button", name="Delete the view <b>Soon").click()
    expect(saved).to_have_count(0)
    page.evaluate("localStorage.setItem('leads-views', '{')")
    page.reload()
    shown(page, "1-50 of 65")


def test_the_statistics_are_there_for_who_wants_them(page: Page, site: Site, world: World) -> None:
    assert not [path for path in site.asked() if "/stats" in path]
    page.get_by_role("button", name="Statistics").click()
    numbers = [page.locator(f".chart .{name} .value") for name in ("warm", "cold", "none", "days7")]
    expect(numbers[0]).to_have_text("33")
    # A lead that began 7 days ago or more is not of the last 7.
    assert [number.inner_text() for number in numbers] == ["33", "33", "32", "130"]
    charts = [page.get_by_role("figure", name=f"{title} by day") for title in ("Messages", "New leads")]
    days = [datetime.now(UTC).date() - timedelta(days=ago) for ago in reversed(range(30))]
    for chart, sent in zip(charts, ("timestamp", "min(timestamp)"), strict=True):
        grouped = "GROUP BY conversation_id" if "min" in sent else ""
        sent_on = world.conn.execute(f"SELECT {sent}::date FROM messages {grouped}".encode()).fetchall()
        new = Counter(day for (day,) in sent_on)
        rows = chart.locator("tbody tr")
        expect(rows).to_have_count(30)
        texts = rows.evaluate_all("rows => rows.map((row) => [...row.cells].map((one) => one.textContent))")
        assert texts == [[named(day), str(new[day])] for day in days]
    # The numbers of a day for who points at it, and for who goes there by the keyboard.
    said = [f"{new[day]} new lead{'' if new[day] == 1 else 's'}" for day in days]
    plot, readout = charts[1].get_by_role("slider"), charts[1].locator(".readout")
    expect(readout).to_have_text(f"Today so far{said[-1]}")
    box = plot.bounding_box()
    assert box is not None
    plot.hover(position={"x": box["width"] * 27.5 / 30, "y": 10})
    expect(readout).to_have_text(f"{named(days[27])}{said[27]}")
    page.mouse.move(0, 0)
    expect(readout).to_have_text(re.compile("^Today"))
    plot.focus()
    page.keyboard.press("ArrowLeft")
    expect(plot).to_have_attribute("aria-valuetext", f"{named(days[28])}: {said[28]}")
    page.keyboard.press("Home")
    expect(readout).to_have_text(f"{named(days[0])}{said[0]}")
    page.reload()
    expect(rows).to_have_count(30)
    page.get_by_role("button", name="Statistics").click()
    expect(plot).to_be_hidden()


def test_the_funnel_says_how_far_the_leads_of_a_time_have_come(page: Page, site: Site) -> None:
    page.get_by_role("button", name="Statistics").click()
    funnel = page.get_by_role("figure", name="How far leads have come")
    lines = funnel.locator("tbody tr")
    whole = ["All", "130", "33 ever, 33 now", "33 ever, 33 now", "32 ever, 32 now", "32"]
    expect(lines.locator("td").first).to_have_text("130")
    cells = lines.first.locator("th, td").all_inner_texts()
    assert cells[:6] == whole
    assert all(re.fullmatch(r"half in [\d.]+, 90% in [\d.]+", text) for text in cells[6:])
    expect(funnel).to_contain_text("as far back as the platform keeps its extractions")
    for by, names_of_parts in (
        ("platform", ["WhatsApp", "Instagram", "Webchat"]),
        ("agent", ["Assistant 0", "Assistant 1", "Assistant 2"]),
    ):
        page.get_by_label("split by", exact=True).select_option(by)
        expect(lines.locator("th")).to_have_text(["All", *names_of_parts])
        assert lines.locator("td:nth-child(2)").all_inner_texts() == ["130", "43", "44", "43"]
    page.get_by_label("until", exact=True).fill("2020-01-02")
    none = "\N{EN DASH}"
    expect(lines).to_have_count(1)
    nobody = ["0", *["0 ever, 0 now"] * 3, "0", none, none]
    expect(lines.first.locator("td")).to_have_text(nobody)
    # Days are those of the viewer, and the address has them.
    assert "to_date=2020-01-02T18%3A29%3A59.999Z" in [path for path in site.asked() if "funnel" in path][-1]
    page.reload()
    expect(lines.first.locator("td")).to_have_text(nobody)


def test_a_platform_of_any_name_is_offered_where_it_has_leads(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#tenant=words")
    shown(page, "1-1 of 1")
    expect(rows(page).locator("svg.other title")).to_have_text("constructor")
    expect(toggle(page, "constructor")).to_have_text("cconstructor 1")
    toggle(page, "WhatsApp").click()
    expect(page.locator("#list-empty")).to_be_visible()
    toggle(page, "constructor").click()
    shown(page, "1-1 of 1")
    expect(toggle(page, "constructor")).to_have_attribute("aria-pressed", "true")
    page.goto(f"{site.url}/#tenant={TENANT}")
    shown(page, "1-50 of 130")
    expect(toggle(page, "constructor")).to_have_count(0)


def named(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def test_search_finds_and_says_how_many(page: Page, site: Site) -> None:
    page.get_by_role("searchbox", name="Search").fill("lead12@")
    shown(page, "1-1 of 1")
    assert names(page) == ["Lead 012"]
    expect(page.locator("#live")).to_have_text("1 lead found.")
    assert "search=lead12%40" in page.url
    page.reload()
    shown(page, "1-1 of 1")
    # Only the endpoint sees what is looked for.
    assert {path for path in site.requests if "lead12" in path} == {
        path for path in site.asked() if "search=lead12%40" in path
    }
    page.get_by_role("searchbox").fill("nobody at all")
    expect(page.locator("#list-empty")).to_contain_text("No lead passes these filters.")
    page.get_by_role("button", name="Remove all filters").click()
    shown(page, "1-50 of 130")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_filters_combine_and_come_off_one_by_one(page: Page) -> None:
    toggle(page, "Cold").click()
    toggle(page, "Hot").click()
    shown(page, "1-50 of 65")
    page.get_by_role("button", name="More filters").click()
    page.locator("#has_email").select_option("Without")
    page.get_by_label("Score from").select_option("10")
    chips = page.locator("#chips .chip")
    expect(chips).to_have_text(
        ["Email: without \N{MULTIPLICATION SIGN}", "Score from: 10 \N{MULTIPLICATION SIGN}"]
    )
    assert page.locator("#filters .buttons .count").inner_text() == "2"
    page.get_by_role("button", name="Remove the filter Email: without").click()
    expect(chips).to_have_count(1)
    toggle(page, "Cold").click()
    expect(toggle(page, "Cold")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Remove all", exact=True).click()
    shown(page, "1-50 of 130")


def test_who_became_hot_lately_and_who_stays_as_he_is(page: Page) -> None:
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Became it within").select_option("7 days")
    shown(page, "1-32 of 32")
    expect(page.locator("#chips .chip")).to_have_text(
        [re.compile("^Became: hot"), re.compile("^Became it within: 7")]
    )
    page.get_by_label("Became", exact=True).select_option("Warm")
    shown(page, "1-33 of 33")
    # A time alone says nothing.
    page.get_by_role("button", name="Remove the filter Became: warm").click()
    shown(page, "1-50 of 130")
    page.get_by_label("Status unchanged for").select_option("1 day")
    expect(page.locator("#list-empty")).to_contain_text("No lead passes these filters.")


def test_a_working_list_by_who_has_to_answer_agent_and_channel(page: Page) -> None:
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Waiting for", exact=True).select_option("Us")
    shown(page, "1-50 of 117")
    offered = page.locator("#known-phone_number_id option").evaluate_all("all => all.map((one) => one.value)")
    assert offered == ["Instagram, Assistant 1", "Webchat, Assistant 2", "WhatsApp, Assistant 0"]
    page.get_by_label("Channel").fill(offered[0])
    agent = page.get_by_label("Agent", exact=True)
    agent.fill("Assistant 1")
    agent.press("Enter")
    shown(page, "1-39 of 39")
    assert f"agent_id=a1-{TENANT}"[:50] in page.url
    page.reload()
    shown(page, "1-39 of 39")
    chips = page.locator("#chips .chip")
    expect(chips.filter(has_text="Agent: Assistant 1")).to_have_count(1)
    assert chips.count() == 3
    page.get_by_role("button", name="More filters").click()
    expect(agent).to_have_value("Assistant 1")
    page.get_by_label("Conversation state").select_option("Ended")
    shown(page, "1-1 of 1")
    assert names(page) == ["Lead 004"]
    page.get_by_label("Conversation", exact=True).select_option("Without")
    expect(page.locator("#list-empty")).to_contain_text("No lead passes these filters.")
    page.get_by_role("button", name="Remove all", exact=True).click()
    shown(page, "1-50 of 130")
    expect(agent).to_have_value("")
    # An id that no lead has that is shown.
    agent.fill("none")
    agent.press("Enter")
    expect(chips).to_have_text([re.compile("^Agent: none ")])


def test_a_file_has_what_the_list_has(page: Page) -> None:
    toggle(page, "Hot").click()
    shown(page, "1-32 of 32")
    page.get_by_role("columnheader", name="Lead", exact=True).get_by_role("button").click()
    expect(page.locator("#leads[aria-busy]")).to_have_count(0)
    listed = names(page)
    for kind, mark in (("CSV", ""), ("Excel", "\N{BYTE ORDER MARK}")):
        with page.expect_download() as started:
            page.get_by_role("button", name=kind).click()
        text = Path(started.value.path()).read_text("utf-8")
        assert text.startswith(f"{mark}customer_phone,")
        rows_of_file = list(csv.DictReader(text.removeprefix(mark).splitlines()))
        assert [row["name"] for row in rows_of_file] == listed
        expect(page.get_by_role("status").filter(has_text="is saved.")).to_contain_text(
            started.value.suggested_filename
        )
    page.route("**/leads.csv?*", lambda route: route.fulfill(status=429, json={"message": "Busy"}))
    page.get_by_role("button", name="CSV").click()
    expect(page.get_by_role("status").filter(has_text="has used up its requests")).to_be_visible()


def test_days_are_those_of_the_viewer(page: Page, site: Site) -> None:
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Last message since").fill("2026-01-02")
    page.get_by_label("Last message until").fill("2026-01-03")
    expect(page.locator("#list-empty")).to_contain_text("No lead passes")
    # In Kolkata the day begins at half past six in the evening.
    asked = [path for path in site.asked() if "to_date" in path][-1]
    assert "from_date=2026-01-01T18%3A30%3A00.000Z" in asked
    assert "to_date=2026-01-03T18%3A29%3A59.999Z" in asked


def test_each_head_sorts_and_turns(page: Page) -> None:
    head = page.get_by_role("columnheader", name="Lead", exact=True)
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("#leads tbody a").first).to_have_text("Lead 001")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(page.locator("#leads tbody a").first).to_have_text("Lead 130")
    status = page.get_by_role("columnheader", name="Status")
    status.get_by_role("button").click()
    expect(status).to_have_attribute("aria-sort", "descending")
    assert "sort_by=status_since" in page.url
    page.get_by_role("columnheader", name="Last activity").get_by_role("button").click()
    expect(head).not_to_have_attribute("aria-sort", "descending")
    assert "sort_by" not in page.url


def test_pages_and_the_way_back(page: Page, site: Site) -> None:
    page.get_by_role("button", name="Next page").click()
    shown(page, "51-100 of 130")
    expect(page.locator("#leads tbody a").first).to_have_text("Lead 051")
    page.get_by_role("button", name="Last page").click()
    shown(page, "101-130 of 130")
    expect(page.get_by_role("button", name="Next page")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Next page").click(force=True)
    shown(page, "101-130 of 130")
    page.go_back()
    shown(page, "51-100 of 130")
    page.get_by_role("button", name="First page").click()
    page.get_by_label("Leads on a page").select_option("100")
    expect(rows(page)).to_have_count(100)
    page.reload()
    expect(rows(page)).to_have_count(100)
    # A page past the end is the last one.
    page.goto(f"{site.url}/#tenant={TENANT}&offset=5000")
    shown(page, "101-130 of 130")


def test_what_the_api_refuses_is_said(site: Site, view: View) -> None:
    page = view(f"{site.url}/#tenant={TENANT}&days=0")
    expect(page.locator("#list-problem")).to_contain_text("days takes an integer from 1 to 36500")
    page.get_by_role("button", name=re.compile("Remove the filter Last message")).click()
    shown(page, "1-50 of 130")
    expect(page.locator("#list-problem")).to_be_hidden()


def test_a_tenant_without_leads_and_one_that_is_typed(page: Page, site: Site, world: World) -> None:
    page.get_by_label("Tenant", exact=True).select_option("Another …")
    page.get_by_label("Its user_id").fill("empty")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#list-empty")).to_contain_text("Nothing is known of a tenant with this user_id.")
    expect(view_of(page, "All")).to_have_text("All0")
    page.get_by_role("button", name="Statistics").click()
    expect(page.locator(".activity .hint")).to_have_text(["None in these 30 days."] * 2)
    # The server notes a request when it has sent the answer.
    wait_for(lambda: "/users/empty/leads/stats" in site.asked(), "the statistics were asked for")
    page.get_by_role("button", name="Statistics").click()
    tenants = page.get_by_label("Tenant", exact=True)
    # From now on it is in the list, as long as it is called something.
    for name in ("Empty Ltd", "Empty & Sons"):
        world.conn.execute(
            "INSERT INTO users (user_id, company_name) VALUES ('empty', %s)"
            " ON CONFLICT (user_id) DO UPDATE SET company_name = excluded.company_name",
            (name,),
        )
        world.refresh()
        expect(tenants.locator(":checked")).to_have_text(f"{name} \N{MIDDLE DOT} empty")
        expect(page.get_by_label("Its user_id")).to_be_hidden()
        expect(page).to_have_title(f"All · {name}")
    page.reload()
    expect(page.locator("#list-empty")).to_contain_text("This tenant has no leads yet.")
    tenants.select_option(TENANT)
    shown(page, "1-50 of 130")
