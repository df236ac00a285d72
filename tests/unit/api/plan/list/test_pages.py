"""Every page of the list is what the oracle says, in every order, on every way to a page; and so are its exports."""

from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from api.plan.exports import CSV_COLUMNS
from api.plan.list.pages import list_statement
from api.request.parameters import ORDERS, SORTS
from tests.oracle import answers
from tests.support import queries
from tests.unit.api.conftest import NOW, Library
from tests.unit.api.routes.test_exports import lines, table

# The way in which an offset is far, how many leads a page in order may pass, in all and for each match, and the
# smallest page: one way ends a page at each lead.
WAYS = {
    "as a small tenant is read": (20_000, 10_000, 8, 1),
    "as if a few leads were many": (2, 5, 1, 6),
    "collecting every match": (2, 0, 0, 6),
}
MOST_PAGES = 5
# A link is relative to the address that the caller knows, whatever a proxy puts before it.
PROXY = "https://proxy.example/api"


@pytest.fixture(scope="module", params=WAYS)
def smallest_page(request: pytest.FixtureRequest) -> Iterator[int]:
    """Every way to a page, though the library has few leads."""
    far_offset, passed, passed_a_match, smallest = WAYS[request.param]
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("api.plan.list.plan.FAR_OFFSET", far_offset)
        patches.setattr("api.plan.list.pages.MIN_LEADS_PASSED", passed)
        patches.setattr("api.plan.list.pages.MIN_LEADS_PASSED_A_MATCH", passed_a_match)
        patches.setattr("api.plan.list.pages.MIN_LEADS_LOOKED_UP", passed)
        list_statement.cache_clear()
        yield smallest
    list_statement.cache_clear()


@pytest.fixture(scope="module")
def words(library: Library) -> queries.Vocabulary:
    return queries.vocabulary(library.model, library.tenant)


def as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def as_row(document: dict[str, Any]) -> dict[str, str]:
    row = {name: as_text(document[name]) for name in CSV_COLUMNS}
    return {
        name: f"'{text}"
        if text.startswith(("=", "+", "-", "@", "\t", "\r")) and isinstance(document[name], str)
        else text
        for name, text in row.items()
    }


@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_every_page(
    client: FlaskClient,
    library: Library,
    words: queries.Vocabulary,
    smallest_page: int,
    data: st.DataObject,
) -> None:
    """One page at an offset, the pages that the links lead to from there, and all leads as files."""
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
    exported = f"{queries.path(library.tenant)}.{{}}?{queries.query_string(asked)}"
    assert lines(client, exported.format("ndjson")) == whole
    assert table(client, exported.format("csv")) == [as_row(document) for document in whole]
    limit = data.draw(
        st.sampled_from([size for size in (1, 3, 7, 20, 100) if size >= smallest_page] or [100])
    )
    offset = data.draw(st.sampled_from((0, 0, 1, 5, total, total + 1, 2**31 - 1)))
    leads = whole[:offset]
    following = f"{address}&limit={limit}&offset={offset}"
    for number in range(MOST_PAGES):
        answer = client.get(following)
        page = answer.get_json()
        assert page["data"] == whole[len(leads) : len(leads) + limit]
        leads = leads + page["data"]
        has_more = offset + limit < total if number == 0 else len(leads) < total
        pagination = {"total": total, "limit": limit, "offset": 0 if number else offset, "hasMore": has_more}
        assert page["pagination"] == pagination
        assert ("Link" in answer.headers) is has_more
        if not has_more:
            break
        following = urljoin(PROXY + following, answer.headers["Link"][1:-13]).removeprefix(PROXY)


def test_pages_go_on_among_the_leads_without_a_value(
    client: FlaskClient, library: Library, smallest_page: int
) -> None:
    for sort_by, order in product(("total_score", "name"), ORDERS):
        asked = [("search", "1"), ("sort_by", sort_by), ("sort_order", order)]
        expected = answers.list_leads(library.model, library.tenant, [*asked, ("limit", "100")], NOW)
        leads = expected.body["data"]
        assert sum(lead[sort_by] is None for lead in leads) > 2 * smallest_page
        following = f"{library.base}?{queries.query_string(asked)}&limit={smallest_page}"
        read: list[dict[str, Any]] = []
        while following:
            answer = client.get(following)
            read += answer.get_json()["data"]
            link = answer.headers.get("Link")
            following = urljoin(following, link[1:-13]) if link else ""
        assert read == leads
