"""What exports and the change feed take."""

from dataclasses import replace

import pytest
from werkzeug.exceptions import BadRequest

from api.request.parameters import CHANGES_QUERY, LIST_QUERY
from api.request.query import Page
from tests.support.cases import cases


@cases("query", ["days=7", "sort_by=name", "sort_order=asc", "offset=5"])
def test_the_feed_takes_neither_an_order_nor_what_the_clock_moves(query: str) -> None:
    with pytest.raises(BadRequest, match="is not a parameter"):
        CHANGES_QUERY.read(query)


def test_the_feed_takes_the_other_filters_of_the_list() -> None:
    query = "platform=webchat&has_email=true&search=ann&from_date=2025-01-01&customer_phone=49"
    found, of_list = CHANGES_QUERY.read(f"{query}&since=T&wait=3"), LIST_QUERY.read(query)
    # A feed has no pages, so its filters say nothing of the next one.
    assert found.filters == replace(of_list, page=Page())
    assert (found.since, found.wait, found.limit) == ("T", 3, 50)


def test_limits_above_the_greatest_are_cut() -> None:
    found = CHANGES_QUERY.read("limit=9999&wait=9999")
    assert (found.limit, found.wait) == (500, 25)
