"""Every page of the list is what the oracle says, in every order, on every way to a page."""

from collections.abc import Iterator
from random import Random
from urllib.parse import quote, urljoin

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from api.plan.list.statement import list_statement
from api.request.cursor import encode, scope_of
from api.request.parameters import LIST_QUERY, ORDERS, SORTS
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.oracle import answers
from tests.support import edge_cases, queries
from tests.support.server import Database
from tests.unit.api.conftest import NOW, Library, MakeApp

# The way in which an offset is far, how many leads a page in order may pass, in all and for each match, and the
# smallest page: one way ends a page at each lead.
WAYS = {
    "as a small tenant is read": (20_000, 10_000, 8, 1),
    "as if a few leads were many": (2, 5, 1, 6),
    "collecting every match": (2, 0, 0, 6),
}
MOST_PAGES = 5


@pytest.fixture(scope="module", params=WAYS)
def smallest_page(request: pytest.FixtureRequest) -> Iterator[int]:
    """Every way to a page, though the library has few leads."""
    far_offset, passed, passed_a_match, smallest = WAYS[request.param]
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("api.plan.list.plan.FAR_OFFSET", far_offset)
        patches.setattr("api.plan.list.pages.MIN_LEADS_PASSED", passed)
        patches.setattr("api.plan.list.pages.MIN_LEADS_PASSED_A_MATCH", passed_a_match)
        list_statement.cache_clear()
        yield smallest
    list_statement.cache_clear()


@pytest.fixture(scope="module")
def words(library: Library) -> queries.Vocabulary:
    return queries.vocabulary(library.model, library.tenant)


@given(data=st.data())
def test_every_page(
    client: FlaskClient,
    library: Library,
    words: queries.Vocabulary,
    smallest_page: int,
    data: st.DataObject,
) -> None:
    """One page at an offset, and the pages that the links lead to from there."""
    order = [
        ("sort_by", data.draw(st.sampled_from(SORTS))),
        ("sort_order", data.draw(st.sampled_from(ORDERS))),
    ]
    asked = [*data.draw(queries.list_filters(words)), *order]
    expected = answers.list_leads(library.model, library.tenant, [*asked, ("limit", "100")], NOW)
    address = f"{library.base}?{queries.query_string(asked)}"
    if expected.status != answers.OK:
        assert client.get(address).status_code == expected.status
        return
    whole, total = expected.body["data"], expected.body["pagination"]["total"]
    limit = data.draw(st.sampled_from([one for one in (1, 3, 7, 20, 100) if one >= smallest_page] or [100]))
    offset = data.draw(st.sampled_from((0, 0, 1, 5, total, total + 1, 2**31 - 1)))
    found = whole[:offset]
    following = f"{address}&limit={limit}&offset={offset}"
    for number in range(MOST_PAGES):
        answer = client.get(following)
        page = answer.get_json()
        assert page["data"] == whole[len(found) : len(found) + limit]
        found = found + page["data"]
        has_more = offset + limit < total if number == 0 else len(found) < total
        pagination = {"total": total, "limit": limit, "offset": 0 if number else offset, "hasMore": has_more}
        assert page["pagination"] == pagination
        assert ("Link" in answer.headers) is has_more
        if not has_more:
            break
        following = urljoin(following, answer.headers["Link"][1:-13])


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
        for table in ("leads", "lead_conversations"):
            conn.execute(
                f"DELETE FROM read_model.{table} WHERE (user_id, customer_phone) = (%s, %s)".encode(),
                found[:2],
            )
    client = make_app(database).test_client()
    for sort_by in SORTS:
        data = client.get(f"/users/{user_id}/leads?sort_by={sort_by}&limit=100").get_json()["data"]
        assert len(data) == leads - 1
        assert phone not in {lead["customer_phone"] for lead in data}
    assert client.get(f"/users/{user_id}/leads/{phone}/messages").get_json()["data"]["messages"] == []
