"""The pagination object."""

import pytest
from flask.testing import FlaskClient

from api.request.parameters import Page
from api.response.pagination import pagination, rows_of
from tests.api.conftest import Library


@pytest.mark.parametrize(("given", "echoed"), [("1", 1), ("100", 100), ("101", 100), ("9" * 30, 100)])
def test_a_limit_above_the_greatest_is_cut_and_said(
    client: FlaskClient, library: Library, given: str, echoed: int
) -> None:
    body = client.get(f"{library.base}?limit={given}").get_json()
    assert body["pagination"]["limit"] == echoed


@pytest.mark.parametrize(
    ("offset", "total", "more"), [(0, 0, "false"), (0, 2, "false"), (0, 3, "true"), (1, 3, "false")]
)
def test_there_are_more_results_until_the_last_one_is_on_the_page(offset: int, total: int, more: str) -> None:
    expected = f'{{"total":{total},"limit":2,"offset":{offset},"hasMore":{more}}}'
    assert pagination(Page(2, offset), total).decode() == expected


@pytest.mark.parametrize(("offset", "total", "rows"), [(0, 0, 0), (0, 1, 1), (0, 3, 2), (2, 3, 1), (5, 3, 0)])
def test_a_page_has_as_many_rows_as_are_left(offset: int, total: int, rows: int) -> None:
    assert rows_of(Page(2, offset), total) == rows
