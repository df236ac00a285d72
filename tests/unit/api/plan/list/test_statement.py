"""The statement of the list is built once for each plan."""

from datetime import UTC, datetime

import pytest

from api.database.statement import compile_statement
from api.plan.list.statement import ListRow, list_leads
from api.request.parameters import LIST_QUERY
from tests.unit.api.conftest import Library, MakeApp

NOW = datetime(2026, 3, 29, tzinfo=UTC)


def test_equal_plans_share_their_statement() -> None:
    one, other = (
        list_leads(user, LIST_QUERY.read(f"days={days}"), NOW) for user, days in (("a", 1), ("b", 2))
    )
    assert one.statement is other.statement
    assert (one.values["user_id"], other.values["user_id"]) == ("a", "b")
    assert one.values["start"] != other.values["start"]


@pytest.mark.parametrize("query", ["", "lead_status=Hot", "search=a", "customer_phone=1", "offset=30000"])
def test_collecting_is_another_statement_with_the_same_columns(query: str) -> None:
    statements = [
        compile_statement(list_leads("a", LIST_QUERY.read(query), NOW, collect_matches=collect))
        for collect in (False, True)
    ]
    assert all(statement.has_page for statement in statements)


def test_its_row(library: Library, make_app: MakeApp) -> None:
    database = make_app(library.database).extensions["leads_database"]
    row = database.fetch(list_leads(library.tenant, LIST_QUERY.read("limit=1"), NOW))
    assert isinstance(row, ListRow)
    assert row.total == len(library.model.of_tenant(library.tenant))
    assert row.collect_matches is False
    assert row.page[0].startswith(b'{"customer_phone":')
