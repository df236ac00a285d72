"""What of a request for the list decides its statement, and what is a value of it."""

from datetime import UTC, date, datetime, timedelta

from api.database.statement import compile_statement
from api.plan.list.plan import FAR_OFFSET, SORTS, ListPlan, plan_list
from api.plan.list.statement import ListRow, list_leads
from api.request import parameters
from api.request.parameters import LIST_QUERY
from api.request.text import FIRST_MOMENT, LAST_MOMENT
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp

NOW = datetime(2026, 3, 29, 13, 7, 11, tzinfo=UTC)


def plan(query: str) -> ListPlan:
    return plan_list(LIST_QUERY.read(query), NOW)[0]


def values(query: str) -> dict[str, object]:
    return plan_list(LIST_QUERY.read(query), NOW)[1]


def text(query: str, *, collect_matches: bool = False) -> str:
    return str(list_leads("u", LIST_QUERY.read(query), NOW, collect_matches=collect_matches).statement)


def test_each_sort_of_a_request_has_its_column() -> None:
    assert set(SORTS) == set(parameters.SORTS)


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
    assert values(one) != values(other)


@cases(
    ("one", "other"),
    [
        ("", "days=7"),
        ("", "offset=1"),
        ("offset=1", f"offset={FAR_OFFSET + 1}"),
        (f"offset={FAR_OFFSET}", f"offset={FAR_OFFSET + 1}"),
        ("platform=webchat", "platform=instagram"),
        ("sort_by=name", "sort_by=total_score"),
        ("sort_order=asc", "sort_order=desc"),
        ("search=abc", "search=ab"),
    ],
)
def test_requests_of_another_shape_have_another_statement(one: str, other: str) -> None:
    assert plan(one) != plan(other)


@cases(
    ("query", "start", "end"),
    [
        ("days=7", NOW - timedelta(days=7), LAST_MOMENT),
        ("days=7&from_date=2026-03-28", datetime(2026, 3, 28, tzinfo=UTC), LAST_MOMENT),
        ("days=7&start_date=2020-01-01", NOW - timedelta(days=7), LAST_MOMENT),
        ("to_date=2026-03-28", FIRST_MOMENT, datetime(2026, 3, 29, tzinfo=UTC)),
        ("to_date=2026-03-28T10:00", FIRST_MOMENT, datetime(2026, 3, 28, 10, 0, 0, 1000, tzinfo=UTC)),
    ],
)
def test_days_and_dates_are_one_time_range(query: str, start: datetime, end: datetime) -> None:
    found = values(query)
    assert (found["start"], found["end"]) == (start, end)


def test_a_time_range_has_whole_hours_and_among_them_whole_days() -> None:
    found = values("from_date=2026-03-01T10:30&to_date=2026-03-04T20:15")
    assert (found["hours_start"], found["hours_end"]) == (
        datetime(2026, 3, 1, 11, tzinfo=UTC),
        datetime(2026, 3, 4, 20, tzinfo=UTC),
    )
    assert (found["days_start"], found["first_day"]) == (datetime(2026, 3, 2, tzinfo=UTC), date(2026, 3, 2))
    assert (found["days_end"], found["end_day"]) == (datetime(2026, 3, 4, tzinfo=UTC), date(2026, 3, 4))


@cases(
    ("query", "facets", "is_counted"),
    [
        ("", 0, True),
        ("platform=webchat,whatsapp&has_email=true&days=7", 2, True),
        ("lead_status=Hot&search=a", 1, False),
        ("customer_phone=1", 0, False),
        ("has_conversation=false&days=7", 0, True),
        ("last_message_sender=user&has_conversation=true", 0, False),
        ("last_message_sender=user&lead_status=Hot", 1, False),
        ("agent_id=a", 0, False),
    ],
)
def test_what_the_counts_of_the_read_model_know(query: str, facets: int, *, is_counted: bool) -> None:
    found = plan(query)
    assert (found.facet_filter_count, found.is_counted) == (facets, is_counted)


@cases(
    ("query", "is_on_leads", "narrowest"),
    [
        ("last_message_sender=user&lead_status=Hot&days=7", True, None),
        ("is_active=true&agent_id=a&platform=webchat", True, "agent_id"),
        ("is_active=true&search=a", False, "is_active"),
    ],
)
def test_what_an_index_finds_and_counts(query: str, narrowest: str | None, *, is_on_leads: bool) -> None:
    found = plan(query)
    assert found.is_on_leads is is_on_leads
    assert (found.narrowest and found.narrowest.name) == narrowest


@cases(
    ("query", "has_nulls"),
    [
        ("", True),
        ("days=7", False),
        ("sort_by=total_score", True),
        ("sort_by=total_score&min_total_score=7", False),
        ("sort_by=total_score&days=7", True),
        ("sort_by=first_contact_at", False),
    ],
)
def test_a_filter_on_the_sort_leaves_no_lead_without_it(query: str, *, has_nulls: bool) -> None:
    assert plan(query).has_nulls is has_nulls


@cases(
    ("query", "found"),
    [
        ("", "documents"),
        ("lead_status=Hot", "documents"),
        ("sort_by=first_contact_at&lead_status=Hot&has_email=true", "documents"),
        # The index by last_message_at has the facets, so that of rare combinations no row is read in vain.
        ("lead_status=Hot&has_email=true", "keys"),
        ("offset=1", "keys"),
        ("sort_by=name&sort_order=asc", "keys"),
        # In this direction the leads without a value come first in the index, and last on the page.
        ("sort_by=name", "with_value"),
        ("sort_order=asc", "with_value"),
        ("sort_by=total_score", "with_value"),
        ("sort_by=total_score&min_total_score=7", "keys"),
        ("offset=30000", "in_buckets"),
    ],
)
def test_what_a_page_reads(query: str, found: str) -> None:
    parts = {part for part in ("documents", "keys", "with_value", "in_buckets") if f" {part}" in text(query)}
    assert parts == {found} | ({"keys"} & parts if found in {"with_value", "in_buckets"} else set())


def test_pages_that_are_cut_from_all_matches() -> None:
    # Only a search by the index spares small tenants the index.
    searches = ("search=abc", "search=ab", "search=%2B1234")
    assert ["AS unindexed" in text(query) for query in searches] == [True, False, True]
    # By last_message_at the buckets of the page suffice.
    for query, is_collected in (("lead_status=Hot&sort_by=name", True), ("lead_status=Hot", False)):
        assert "WITH phones" not in text(query)
        assert ("phones AS" in text(query, collect_matches=True)) is is_collected
        assert ("picked AS" in text(query, collect_matches=True)) is not is_collected
    # Leads without a message are collected, unless there is a time range.
    queries = ("lead_status=Hot&sort_by=name", "lead_status=Hot&sort_by=name&days=7")
    found = [text(query, collect_matches=True) for query in queries]
    assert ["l.last_message_at IS NULL" in one for one in found] == [True, False]


@cases("query", ["", "lead_status=Hot", "search=a", "customer_phone=1", "offset=30000"])
def test_collecting_is_another_statement_with_the_same_columns(query: str) -> None:
    for collect in (False, True):
        bound = list_leads("a", LIST_QUERY.read(query), NOW, collect_matches=collect)
        assert compile_statement(bound).has_page


def test_its_row(library: Library, make_app: MakeApp) -> None:
    database = make_app(library.database).extensions["leads"].database
    row = database.fetch(list_leads(library.tenant, LIST_QUERY.read("limit=1"), NOW))
    assert isinstance(row, ListRow)
    assert row.total == len(library.model.of_tenant(library.tenant))
    assert row.collect_matches is False
    assert row.page[0].startswith(b'{"customer_phone":')
