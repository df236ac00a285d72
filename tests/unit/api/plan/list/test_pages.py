"""Pages put together give the whole set, once each, in every order, on every way to a page."""

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from flask.testing import FlaskClient

from api.plan.list.statement import list_statement
from api.request.cursor import encode, scope_of
from api.request.parameters import LIST_QUERY, ORDERS, SORTS
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.oracle import answers
from tests.support import edge_cases
from tests.support.server import Database
from tests.unit.api.conftest import NOW, Library, MakeApp

FILTERS = (
    "",
    "platform=whatsapp,instagram",
    "has_extraction=true&has_email=false",
    "lead_status=Hot,cold",
    "has_email=true",
    "platform=webchat&days=400",
    "min_total_score=6",
    "days=300",
    "from_date=2025-06-01T05:30&platform=whatsapp",
    "search=a",
    "search=9%201",
)


def pairs(query: str) -> list[tuple[str, str]]:
    return [
        (name, value.replace("%20", " "))
        for name, _, value in (part.partition("=") for part in query.split("&") if part)
    ]


# The way in which an offset is far, how many leads a page in order may pass, in all and for each match, and the
# smallest page: one way ends a page at each lead.
WAYS = {
    "as a small tenant is read": (20_000, 10_000, 8, 1),
    "as if a few leads were many": (2, 5, 1, 6),
    "collecting every match": (2, 0, 0, 6),
}
LIMITS = (1, 3, 7, 100)
IN_ORDER = [f"sort_by={sort_by}&sort_order={order}" for sort_by, order in product(SORTS, ORDERS)]


@pytest.fixture(scope="module", params=WAYS)
def ways(request: pytest.FixtureRequest) -> Iterator[int]:
    """Every way to a page, though the library has few leads, with its smallest page.

    Of the file: the statements of a way, which take longer to make than to run, serve all tests of it.
    """
    far_offset, passed, passed_a_match, smallest = WAYS[request.param]
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("api.plan.list.plan.FAR_OFFSET", far_offset)
        patches.setattr("api.plan.list.pages.MIN_LEADS_PASSED", passed)
        patches.setattr("api.plan.list.pages.MIN_LEADS_PASSED_A_MATCH", passed_a_match)
        list_statement.cache_clear()
        yield smallest
    list_statement.cache_clear()


def all_matches(library: Library, *asked: tuple[str, str]) -> dict[str, Any]:
    """What the oracle answers with all matches on one page."""
    return answers.list_leads(library.model, library.tenant, [*asked, ("limit", "100")], NOW).body


def test_the_filters_leave_more_than_nothing(library: Library) -> None:
    totals = [all_matches(library, *pairs(query))["pagination"]["total"] for query in FILTERS]
    assert max(totals) <= 100
    assert sum(totals) > 100


@pytest.mark.parametrize("order", IN_ORDER)
@pytest.mark.parametrize("query", FILTERS)
def test_pages_put_together(client: FlaskClient, library: Library, ways: int, query: str, order: str) -> None:
    limit = max(ways, LIMITS[FILTERS.index(query) % len(LIMITS)])
    whole = all_matches(library, *pairs(query), *pairs(order))
    total = whole["pagination"]["total"]
    found = []
    for offset in range(0, total + limit + 1, limit):
        page = client.get(f"{library.base}?{query}&{order}&limit={limit}&offset={offset}").get_json()
        more = offset + limit < total
        assert page["pagination"] == {"total": total, "limit": limit, "offset": offset, "hasMore": more}
        found += page["data"]
    assert [lead["customer_phone"] for lead in found] == [lead["customer_phone"] for lead in whole["data"]]
    assert found == whole["data"]


@pytest.mark.parametrize("order", IN_ORDER)
@pytest.mark.parametrize("query", FILTERS)
def test_links_lead_through_the_whole_list(
    client: FlaskClient, library: Library, ways: int, query: str, order: str
) -> None:
    limit = max(ways, LIMITS[FILTERS.index(query) % len(LIMITS)])
    whole = all_matches(library, *pairs(query), *pairs(order))
    total = whole["pagination"]["total"]
    address = f"{library.base}?{query}&{order}&limit={limit}"
    found: list[Any] = []
    # From the first page, and from one with an offset.
    for offset in (0,) if limit == 1 else (0, min(2, total)):
        found = whole["data"][:offset]
        following = f"{address}&offset={offset}"
        while following:
            answer = client.get(following)
            page = answer.get_json()
            found += page["data"]
            is_first = "cursor=" not in following
            assert page["pagination"] == {
                "total": total,
                "limit": limit,
                "offset": offset if is_first else 0,
                "hasMore": len(found) < total,
            }
            assert ("Link" in answer.headers) is (len(found) < total)
            following = urljoin(following, answer.headers["Link"][1:-13]) if len(found) < total else ""
        assert found == whole["data"]


def test_a_cursor_of_one_lead_is_answered_as_any_other(client: FlaskClient, library: Library) -> None:
    """No page gives one: the list of one phone ends on its first page."""
    lead = library.model.of_tenant(library.tenant)[library.phone]
    query = f"customer_phone={quote(library.phone)}&sort_by=total_messages"
    scope = scope_of(LIST_QUERY.read(query).page.asked, (library.tenant,))
    for more, expected in ((1, [library.phone]), (0, [])):
        cursor = encode(scope, [lead.total_messages + more, library.phone])
        page = client.get(f"{library.base}?{query}&cursor={cursor}").get_json()
        assert [found["customer_phone"] for found in page["data"]] == expected
        assert page["pagination"] == {"total": 1, "limit": 50, "offset": 0, "hasMore": False}


def test_a_key_without_its_row_prints_nothing(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(Random(7), 20, now=NOW))
        rebuild(conn, tenants=None, progress=QUIET)
        found = conn.execute(
            "SELECT user_id, customer_phone, (SELECT count(*) FROM read_model.leads WHERE user_id = l.user_id)"
            " FROM read_model.leads AS l WHERE customer_phone ~ '^[0-9]+$' ORDER BY total_messages DESC LIMIT 1"
        ).fetchone()
        assert found is not None
        user_id, phone, leads = found
        conn.execute("DELETE FROM read_model.leads WHERE (user_id, customer_phone) = (%s, %s)", found[:2])
        conn.execute(
            "DELETE FROM read_model.lead_conversations WHERE (user_id, customer_phone) = (%s, %s)", found[:2]
        )
    client = make_app(database).test_client()
    for sort_by in SORTS:
        data = client.get(f"/users/{user_id}/leads?sort_by={sort_by}&limit=100").get_json()["data"]
        assert len(data) == leads - 1
        assert phone not in {lead["customer_phone"] for lead in data}
    assert client.get(f"/users/{user_id}/leads/{phone}/messages").get_json()["data"]["messages"] == []


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize("sort_by", SORTS)
@pytest.mark.parametrize("query", ["", "platform=whatsapp", "days=300", "search=a"])
def test_past_the_end(client: FlaskClient, library: Library, sort_by: str, query: str) -> None:
    whole = client.get(f"{library.base}?{query}").get_json()["pagination"]["total"]
    for offset in (whole, whole + 1, 2**31 - 1):
        body = client.get(f"{library.base}?{query}&sort_by={sort_by}&offset={offset}").get_json()
        assert body["data"] == []
        assert body["pagination"] == {"total": whole, "limit": 50, "offset": offset, "hasMore": False}
    body = client.get(f"{library.base}/{library.phone}/messages?offset=2147483647").get_json()
    assert body["data"]["messages"] == []
    assert body["data"]["pagination"]["total"] > 0
