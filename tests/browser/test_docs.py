"""The page to try the API: “Try it out” and “Execute” give an answer at once."""

from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Draw, View
from tests.browser.test_for_everybody import examine
from tests.browser.world import TENANT, Site
from tests.support.cases import repeated

pytestmark = pytest.mark.chromium

# The colour of the text by day and by night, and the rules of axe: those about anything else find the same by night.
COLOURS: tuple[tuple[Literal["light", "dark"], str, tuple[str, ...]], ...] = (
    ("light", "rgb(59, 65, 81)", ()),
    ("dark", "rgb(228, 230, 230)", ("color-contrast",)),
)


@pytest.fixture
def page(site: Site, view: View) -> Page:
    shown = view(f"{site.url}/docs/", height=1400)
    expect(shown.locator(".opblock").first).to_be_visible()
    return shown


# Whether a field of the form has neither a text nor chosen words of a list.
IS_EMPTY = "one => [...(one.selectedOptions ?? [one])].every((chosen) => !chosen.value)"


@pytest.mark.parametrize("operation", ["listLeads", *repeated("getLeadMessages")])
def test_execute_gives_an_answer(page: Page, draw: Draw, operation: str) -> None:
    assert page.locator(".topbar").count() == 0
    expect(page.locator(".info .title")).to_contain_text("Leads API")
    execute(page, operation)
    draw(page, f"docs-{operation}")
    for scheme, colour, rules in COLOURS if operation == "getLeadMessages" else ():
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(".swagger-ui")).to_have_css("color", colour)
        examine(page, *rules)
        draw(page, f"docs-{scheme}")


def execute(page: Page, operation: str) -> None:
    block = page.locator(f"#operations-Leads-{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    assert block.locator("[data-param-name=user_id] input").input_value() == TENANT
    for name in ("search", "days", "from_date", "has_email", "conversation_id"):
        field = block.locator(f"[data-param-name={name}]")
        if field.count():
            assert field.locator("input, select, textarea").first.evaluate(IS_EMPTY)
            expect(field).to_contain_text("for example")
    with page.expect_response("**/users/**") as answered:
        block.get_by_role("button", name="Execute").click()
    assert answered.value.status == 200
    assert answered.value.json()["success"] is True
    expect(block.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
