"""Who may see what: a token where the API asks for one, and what the page says when it is refused."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import View
from tests.browser.world import TENANT, Site, World, served
from tests.unit.api.auth.tokens import claims, signed, token_config

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def shared_site(world: World) -> Iterator[Site]:
    with served(world.database, auth=token_config()) as running:
        yield running


def give(page: Page, tenant: str, token: str) -> None:
    page.get_by_label("Tenant (user_id)").fill(tenant)
    page.get_by_label("Token or API key").fill(token)
    page.get_by_role("button", name="Show the leads").click()


def test_it_asks_who_calls_and_keeps_the_token_for_the_tab_alone(site: Site, view: View) -> None:
    page = view(f"{site.url}/")
    expect(page.get_by_label("Tenant (user_id)")).to_be_focused()
    expect(page.locator("#main")).to_be_hidden()
    assert site.asked() == []
    token = signed(claims(sub=TENANT))
    give(page, TENANT, token)
    expect(page.get_by_role("link", name="Ann Lee")).to_be_visible()
    expect(page.locator("#access")).to_be_hidden()
    expect(page.locator("#access-tenant")).to_have_text(TENANT)
    kept = page.evaluate("[sessionStorage.getItem('leads-token'), localStorage.length, document.cookie]")
    assert kept == [token, 0, ""]
    assert not [path for path in site.requests if token in path]
    assert token not in page.url
    page.reload()
    expect(page.get_by_role("link", name="Ann Lee")).to_be_visible()
    page.get_by_role("button", name="Change").click()
    page.get_by_role("button", name="Forget the token").click()
    assert page.evaluate("sessionStorage.length") == 0
    page.reload()
    expect(page.get_by_label("Token or API key")).to_be_focused()
    expect(page.get_by_label("Tenant (user_id)")).to_have_value(TENANT)


def test_a_tenant_is_called_by_its_name_as_soon_as_it_has_another_one(
    site: Site, view: View, world: World
) -> None:
    page, shown = view(f"{site.url}/"), f"{TENANT[:10]}\N{HORIZONTAL ELLIPSIS}"
    for name in ("Acme & Sons", "Caf\N{LATIN SMALL LETTER E WITH ACUTE} <b>9</b>"):
        world.conn.execute("UPDATE users SET company_name = %s WHERE user_id = %s", (name, TENANT))
        world.refresh()
        if page.locator("#access").is_visible():
            give(page, TENANT, signed(claims(sub=TENANT)))
        expect(page.locator("#access-tenant")).to_have_text(f"{name} \N{MIDDLE DOT} {shown}")
        expect(page.locator("#access-tenant")).to_have_attribute("title", TENANT)
    world.conn.execute("UPDATE users SET company_name = NULL WHERE user_id = %s", (TENANT,))
    world.refresh()
    expect(page.locator("#access-tenant")).to_have_text(TENANT)


def test_a_token_that_is_not_accepted_or_ends_is_asked_for_again(site: Site, view: View) -> None:
    page = view(f"{site.url}/#tenant={TENANT}")
    expect(page.get_by_label("Token or API key")).to_be_focused()
    give(page, TENANT, "nonsense")
    expect(page.locator("#access-why")).to_contain_text("The token cannot be read.")
    give(page, "another", signed(claims(sub=TENANT)))
    expect(page.locator("#access-why")).to_have_text("This token may not read this tenant.")
    give(page, TENANT, signed(claims(sub=TENANT)))
    expect(page.get_by_role("link", name="Ann Lee")).to_be_visible()
    # It may end while somebody looks.
    page.evaluate("sessionStorage.setItem('leads-token', 'over')")
    expect(page.locator("#access")).to_be_visible()
    expect(page.locator("#main")).to_be_hidden()
    asked = len(site.asked())
    page.wait_for_timeout(900)
    assert len(site.asked()) == asked
