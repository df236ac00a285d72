"""A tenant with 100,000 leads."""

import pytest
from playwright.sync_api import expect

from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.browser.conftest import Serve, View
from tests.browser.world import TENANT, World
from tests.support.server import Database, Server

pytestmark = pytest.mark.chromium
LEADS = 100_000


def test_a_hundred_thousand_leads(server: Server, template: Database, serve: Serve, view: View) -> None:
    database = server.create("browser_large", template=template.name)
    with database.connect() as conn:
        World(database, conn).tenant()
        conn.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
            " SELECT 'c-' || n, %s, (491510000000 + n)::text, now()::timestamp - n * interval '1 minute'"
            " FROM generate_series(1, %s) AS n",
            (f"a0-{TENANT}"[:50], LEADS),
        )
        conn.execute(
            "INSERT INTO contacts (contact_id, user_id, phone, name)"
            " SELECT 'k-' || n, %s, (491510000000 + n)::text, 'Person ' || n FROM generate_series(1, %s) AS n",
            (TENANT, LEADS),
        )
        rebuild(conn, tenants=None, progress=QUIET)
        conn.execute("VACUUM (ANALYZE)")
    site = serve(database, statement_timeout_ms=60_000)
    page = view(f"{site.url}/")
    shown, first = page.locator("#shown"), page.locator("#leads tbody a").first
    expect(shown).to_have_text("1\N{EN DASH}50 of 100,000")
    expect(page.locator(".card.total .value")).to_have_text("100,000")
    page.get_by_role("button", name="Last page").click()
    expect(shown).to_have_text("99,951\N{EN DASH}100,000 of 100,000")
    page.get_by_role("button", name="Previous page").click()
    expect(shown).to_have_text("99,901\N{EN DASH}99,950 of 100,000")
    page.get_by_role("searchbox").fill("person 54321")
    expect(shown).to_have_text("1\N{EN DASH}1 of 1")
    expect(first).to_have_text("Person 54321")
    page.get_by_role("searchbox").fill("person 99")
    expect(first).to_have_text("Person 99999")
    page.get_by_role("columnheader", name="Lead", exact=True).get_by_role("button").click()
    expect(first).to_have_text("Person 10099")
    first.click()
    expect(page.locator("#lead-title")).to_be_focused()
    server.drop(database)
