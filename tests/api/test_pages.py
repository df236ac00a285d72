"""Pages put together give the whole set, once each, in every order, on every way to a page."""

from collections.abc import Iterator
from itertools import product
from random import Random

import pytest
from flask.testing import FlaskClient

from api import listing
from api.schemas import ORDERS, SORTS
from projector.progress import QUIET
from projector.rebuild import rebuild
from tests.api.conftest import NOW, Library, MakeApp
from tests.oracle import answers
from tests.support import edge_cases
from tests.support.server import Database

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


@pytest.fixture(params=["the usual ways", "the ways of a large tenant", "where many match"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Once as a small tenant is read, twice as if a few leads were many."""
    if request.param != "the usual ways":
        monkeypatch.setattr(listing, "FAR_OFFSET", 2)
        monkeypatch.setattr(listing, "FEW_MATCHES", 0 if request.param == "where many match" else 15)
        monkeypatch.setattr(listing, "MANY_LEADS", 5)
        monkeypatch.setattr(listing, "DENSE", 1)
    listing.list_statement.cache_clear()
    yield
    listing.list_statement.cache_clear()


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize(("sort_by", "sort_order"), list(product(SORTS, ORDERS)))
def test_pages_of_leads(client: FlaskClient, library: Library, sort_by: str, sort_order: str) -> None:
    order = [("sort_by", sort_by), ("sort_order", sort_order)]
    seen = 0
    for number, query in enumerate(FILTERS):
        limit = (1, 3, 7, 100)[number % 4]
        asked = [*pairs(query), *order, ("limit", "100")]
        whole = answers.list_leads(library.model, library.tenant, asked, NOW).body
        total = whole["pagination"]["total"]
        assert total <= 100
        found = []
        for offset in range(0, total + limit + 1, limit):
            page = client.get(
                f"{library.base}?{query}&sort_by={sort_by}&sort_order={sort_order}&limit={limit}&offset={offset}"
            ).get_json()
            more = offset + limit < total
            expected = {"total": total, "limit": limit, "offset": offset, "hasMore": more}
            assert page["pagination"] == expected
            found += page["data"]
        assert [lead["customer_phone"] for lead in found] == [
            lead["customer_phone"] for lead in whole["data"]
        ]
        assert found == whole["data"]
        seen += total
    assert seen > 100


@pytest.mark.parametrize(
    "query", ["", "sender=user", "sender=agent&platform=whatsapp,instagram,webchat", "from_date=2025-01-01"]
)
def test_pages_of_messages(client: FlaskClient, library: Library, query: str) -> None:
    path = f"{library.base}/{library.phone}/messages"
    whole = client.get(f"{path}?{query}&limit=200").get_json()["data"]
    total = whole["pagination"]["total"]
    assert len(whole["messages"]) == total > 2
    for limit in (1, 2, total, 200):
        found = []
        for offset in range(0, total, limit):
            page = client.get(f"{path}?{query}&limit={limit}&offset={offset}").get_json()["data"]
            assert page["pagination"]["total"] == total
            assert page["pagination"]["hasMore"] is (offset + limit < total)
            found += page["messages"]
        assert found == whole["messages"]


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


@pytest.mark.parametrize(("given", "echoed"), [("1", 1), ("100", 100), ("101", 100), ("9" * 30, 100)])
def test_a_limit_above_the_greatest_is_cut_and_said(
    client: FlaskClient, library: Library, given: str, echoed: int
) -> None:
    body = client.get(f"{library.base}?limit={given}").get_json()
    assert body["pagination"]["limit"] == echoed


def test_messages_take_up_to_200(client: FlaskClient, library: Library) -> None:
    body = client.get(f"{library.base}/{library.phone}/messages?limit=201").get_json()
    assert body["data"]["pagination"]["limit"] == 200


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
