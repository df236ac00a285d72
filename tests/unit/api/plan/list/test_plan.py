"""What of a request for the list is a value of its statement."""

from datetime import UTC, datetime

from api.plan.list.pages import list_leads
from api.request.query import LIST_QUERY
from tests.support.cases import cases

NOW = datetime(2026, 3, 29, 13, 7, 11, tzinfo=UTC)


@cases(
    ("one", "other"),
    [
        ("days=7", "from_date=2025-01-01"),
        ("min_total_score=7", "min_total_score=8"),
        ("has_email=true", "has_email=false"),
        ("offset=1", "offset=20&limit=7"),
        ("search=abc+x", "search=y+defg"),
        ("customer_phone=1", "customer_phone=2"),
    ],
)
def test_requests_that_differ_in_values_share_their_statement(one: str, other: str) -> None:
    first, second = (
        list_leads(user, LIST_QUERY.read(query), NOW) for user, query in (("a", one), ("b", other))
    )
    assert first.statement is second.statement
    assert (first.values["user_id"], second.values["user_id"]) == ("a", "b")
    assert {**first.values, "user_id": "b"} != second.values
