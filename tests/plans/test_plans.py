"""Each read of the API uses an index of the read model, and reads no more rows than it has to."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import product

from api.database.pool import Database as ApiDatabase
from api.database.statement import BoundStatement
from api.plan.attributes import attributes_of_tenant
from api.plan.changes import ChangesRow, changes_since, status_changes_since
from api.plan.history import history_of_lead, lead_funnel
from api.plan.lead import leads_of_phones, messages_of_lead, single_lead
from api.plan.list.facets import FacetsRow, lead_facets
from api.plan.list.pages import (
    MIN_LEADS_LOOKED_UP,
    MIN_LEADS_PASSED,
    MIN_LEADS_PASSED_A_MATCH,
    ListRow,
    list_leads,
)
from api.plan.sql import PageRow
from api.plan.statistics import lead_series, lead_statistics
from api.request.attributes import Catalog
from api.request.parameters import Page
from api.request.position.change_token import Position, StatusKey
from api.request.position.cursor import encode, position_of, scope_of
from api.request.query import QUERIES
from tests.exactness.platform import value
from tests.plans.conftest import LEADS, NOW, TALK, Crowd, Explain, Plan
from tests.support.attributes import DECLARATION

# Counted rows of a tenant: combinations of facets, whatever the number of leads.
COUNTED = 350
PAGE = 50
# A row of a page is read as an entry of an index, and looked up once; two or three rows say all that is counted.
FEW = 5
FIRST_PAGE = 2 * PAGE + FEW

BY_TIME = "leads_by_last_message"
BY_WAITING = "leads_by_waiting_since"
BY_WINDOW = "leads_by_reply_window"
BY_STATUS_SINCE = "leads_by_status_since"
BY_CHANGE = "lead_status_changes_by_status"
BY_CONTACT = "leads_by_first_contact"
BY_MESSAGES = "leads_by_total_messages"
BY_SCORE = "lead_profiles_by_total_score"
BY_NAME = "lead_profiles_by_name"
BY_PHONE = "leads_pkey"
BY_SPAN = "lead_totals_pkey"
BY_NO_CONVERSATION = "leads_without_conversation"
BY_AGENT = "lead_conversations_by_agent"
BY_CHANNEL = "lead_conversations_by_phone_number"
BY_ACTIVITY = "lead_conversations_by_activity"
BY_TEXT = "lead_profiles_by_search_text"
BY_PLAIN_TEXT = "lead_profiles_by_search_plain"


def offences(what: str, plan: Plan, index: str, most: int) -> Iterator[str]:
    """Return what is wrong with a plan that has to use this index and may read so many rows."""
    # One row, whose table has nothing that an index could spare.
    if plan.sequential - {"freshness", "projection"}:
        yield f"{what}: reads all of {', '.join(plan.sequential)}"
    if index and index not in plan.indexes:
        yield f"{what}: uses {', '.join(sorted(plan.indexes))}, not {index}"
    if plan.rows > most:
        yield f"{what}: reads {plan.rows} rows, more than {most}"
    # Whether the tenant is that of the session is checked once.
    if plan.row_security:
        yield f"{what}: checks {', '.join(plan.row_security)} for each row"


def check(plan: Plan, index: str, most: int) -> None:
    assert list(offences("it", plan, index, most)) == []


def check_all(cases: Iterable[tuple[str, Plan, str, int]]) -> None:
    """Fail with all offences of the cases: what was asked, its plan, the index and the most rows."""
    all_offences = [offence for case in cases for offence in offences(*case)]
    assert not all_offences, "\n".join(["", *all_offences])


CATALOG = Catalog(
    [
        {"name": name, "type": type_, "of": level, "from": []}
        for level, types in (("lead", DECLARATION.lead), ("conversation", DECLARATION.conversation))
        for name, type_ in types.items()
    ],
    DECLARATION.spreads,
)


def asked(crowd: Crowd, query: str, *, collect_matches: bool = False) -> BoundStatement[ListRow]:
    parameters = QUERIES["listLeads"].read(query, crowd.large).resolved(CATALOG)
    return list_leads(crowd.large, parameters, collect_matches=collect_matches).at(NOW)


ORDERS = (
    ("", BY_TIME, FIRST_PAGE),
    ("sort_order=asc", BY_TIME, FIRST_PAGE),
    ("sort_by=first_contact_at", BY_CONTACT, FIRST_PAGE),
    ("sort_by=first_contact_at&sort_order=asc", BY_CONTACT, FIRST_PAGE),
    ("sort_by=total_messages", BY_MESSAGES, FIRST_PAGE),
    ("sort_by=total_messages&sort_order=asc", BY_MESSAGES, FIRST_PAGE),
    ("sort_by=total_score", BY_SCORE, FIRST_PAGE),
    ("sort_by=total_score&sort_order=asc", BY_SCORE, FIRST_PAGE),
    ("sort_by=name", BY_NAME, FIRST_PAGE),
    ("sort_by=name&sort_order=asc", BY_NAME, FIRST_PAGE),
)
# Where most leads have no value, which the index has not.
PARTLY = (
    ("sort_by=waiting_since", BY_WAITING, FIRST_PAGE),
    ("sort_by=waiting_since&sort_order=asc", BY_WAITING, FIRST_PAGE),
    ("sort_by=reply_window_ends_at", BY_WINDOW, FIRST_PAGE),
    ("sort_by=reply_window_ends_at&sort_order=asc", BY_WINDOW, FIRST_PAGE),
    ("sort_by=status_since", BY_STATUS_SINCE, FIRST_PAGE),
    ("sort_by=status_since&sort_order=asc", BY_STATUS_SINCE, FIRST_PAGE),
)
LISTS = (
    *ORDERS,
    *PARTLY,
    # Who waits is counted but for the last minutes, and closed windows but for those that are open.
    ("waiting_minutes=30", BY_WAITING, 1200),
    ("waiting_minutes=30&sort_by=waiting_since&sort_order=asc", BY_WAITING, 500),
    ("reply_window=open", BY_WINDOW, 1500),
    ("reply_window=open&sort_by=reply_window_ends_at&sort_order=asc", BY_WINDOW, 1100),
    ("reply_window=closed", BY_WINDOW, 3800),
    ("reply_window=closed&sort_by=reply_window_ends_at", BY_WINDOW, 1100),
    ("reply_window=none", BY_TIME, 2 * FIRST_PAGE),
    ("reply_window_hours=2", BY_WINDOW, 1000),
    ("reply_window_hours=2&sort_by=reply_window_ends_at&sort_order=asc", BY_WINDOW, 300),
    ("became=Hot&became_days=7", BY_CHANGE, 2000),
    ("became=Hot", BY_CHANGE, LEADS),
    ("status_days=300", BY_STATUS_SINCE, LEADS),
    # With another filter the entries of an index are counted.
    ("reply_window=closed&lead_status=Hot", BY_TIME, LEADS + 4000),
    ("reply_window=none&has_email=true", BY_TIME, LEADS + 2000),
    ("waiting_minutes=30&days=7", BY_TIME, 7000),
    # One lead in so many has the facet; the entries before the page are read, and nothing else.
    ("lead_status=Hot", BY_TIME, 1000),
    ("lead_status=Hot&sort_by=name", BY_NAME, 1000),
    ("platform=instagram", BY_TIME, 1000),
    ("platform=instagram&sort_by=total_score", BY_SCORE, 2500),
    # Nobody there is on another platform than the three.
    ("platform=telegram", "leads_on_other_platforms", FEW),
    ("has_email=true&has_extraction=true&min_total_score=8", BY_TIME, 800),
    ("days=7", BY_TIME, 150),
    ("days=300", BY_TIME, 500),
    ("days=7&sort_by=name", BY_NAME, 1000),
    ("days=30&lead_status=Warm", BY_TIME, 4000),
    ("from_date=2025-06-01T05:00&to_date=2026-02-01T07:00", BY_TIME, 500),
    ("from_date=2026-03-01&to_date=2026-03-01", BY_TIME, 700),
    ("customer_phone=918979556941", BY_PHONE, 10),
    # Who wrote last is counted; with another filter, the entries of one index are.
    ("last_message_sender=user", BY_TIME, 2 * FIRST_PAGE),
    ("last_message_sender=user&offset=40000", BY_SPAN, FEW),
    ("last_message_sender=user&days=7&lead_status=Hot", BY_TIME, 10_000),
    ("last_message_sender=agent&lead_status=Hot,Warm&sort_by=name", BY_TIME, LEADS + 2000),
    ("has_conversation=false", BY_NO_CONVERSATION, FIRST_PAGE),
    ("has_conversation=true", BY_TIME, 2 * FIRST_PAGE),
    ("date=2026-03-01", BY_TIME, 700),
    # Conversations that have the value are counted, and leads looked at until the page is full.
    ("is_active=true", BY_ACTIVITY, LEADS + 1000),
    ("agent_id=nobody", BY_AGENT, FEW),
    ("phone_number_id=nobody&sort_by=name&lead_status=Hot", BY_CHANNEL, FEW),
    ("search=sharma", BY_TEXT, 2000),
    ("search=sharma&sort_by=name&platform=whatsapp&days=100", BY_TEXT, 2000),
    # Far pages: the entries before the page, or the hours before it.
    ("offset=1000", BY_TIME, 1000 + FIRST_PAGE),
    ("offset=22000", BY_TIME, 12_000),
    ("offset=22000&sort_order=asc", BY_TIME, 12_000),
    ("offset=22000&sort_by=name&sort_order=asc", BY_NAME, 22_000 + FIRST_PAGE),
    ("offset=40000", BY_SPAN, FEW),
    ("offset=40000&sort_by=name", BY_SPAN, FEW),
    ("has_email=true&offset=40000", BY_SPAN, FEW),
    ("lead_status=Hot,Warm&sort_by=name&offset=40000", BY_SPAN, FEW),
    ("platform=whatsapp&offset=40000", BY_SPAN, FEW),
    ("has_email=true&platform=whatsapp&offset=40000", "lead_counts_key", COUNTED),
)


def test_lists(crowd: Crowd, explain: Explain) -> None:
    check_all((query, explain(asked(crowd, query)), index, most) for query, index, most in LISTS)


def test_history_and_funnel(crowd: Crowd, explain: Explain) -> None:
    def funnel(query: str) -> BoundStatement[PageRow]:
        return lead_funnel(crowd.large, QUERIES["getLeadFunnel"].read(query))

    def feed(since: Position) -> BoundStatement[ChangesRow]:
        return status_changes_since(crowd.large, since, QUERIES["listStatusChanges"].read(""))

    with crowd.database.connect() as conn:
        # A thousand of one version, as a mass change writes them.
        conn.execute(
            "UPDATE read_model.lead_status_changes SET version = 1 WHERE user_id = %(tenant)s AND customer_phone IN"
            " (SELECT customer_phone FROM read_model.leads WHERE user_id = %(tenant)s ORDER BY 1 LIMIT 1000)",
            {"tenant": crowd.large},
        )
        phone = value(
            conn, "SELECT max(customer_phone) FROM read_model.lead_status_changes WHERE version = 1"
        )
    last = StatusKey(phone, is_standing=False, changed_at="2026-01-01T00:00:00.000Z").written()
    month = "from_date=2026-02-01&to_date=2026-02-28"
    check_all(
        (
            (
                "history",
                explain(history_of_lead(crowd.large, crowd.talker, QUERIES["getLeadHistory"].read(""))),
                "lead_status_changes_pkey",
                2 * FEW,
            ),
            ("funnel", explain(funnel("")), BY_CONTACT, LEADS + FEW),
            ("funnel of a month", explain(funnel(month)), BY_CONTACT, 4000),
            ("funnel by agent", explain(funnel("by=agent")), BY_CONTACT, 6 * LEADS),
            ("funnel by platform", explain(funnel(f"{month}&by=platform")), BY_CONTACT, 4 * 4000),
            *(
                (name, explain(feed(since)), "lead_status_changes_by_version", most)
                for name, since, most in (
                    ("feed", Position(1), 2 * FIRST_PAGE),
                    # The transitions of one lead, each with a look-up of the one before.
                    ("feed in a version", Position(1, last), 4 * FEW),
                    ("feed behind all", Position(2), FEW),
                )
            ),
        )
    )


def test_a_search_that_ignores_accents_is_a_lookup_in_two_indexes(crowd: Crowd, explain: Explain) -> None:
    for search, most in (
        ("sharma", 2000),
        ("sh%C3%A1rma", 2000),
        ("jose", 2000),
        ("jos%C3%A9", 2000),
        ("jos%C3%A9+nunez", 2000),
        ("jos%C3%A9+gmail&sort_by=name&platform=whatsapp", 3000),
        ("jos%C3%A9+n", 2000),
        ("12345", 2000),
        ("%2B91+897", LEADS),
        ("%2B91+897+95569", 2000),
    ):
        plan = explain(asked(crowd, f"search={search}&ignore_accents=true"))
        check_all((search, plan, index, most) for index in (BY_TEXT, BY_PLAIN_TEXT))


def test_a_short_word_is_looked_for_among_the_leads_of_the_tenant(crowd: Crowd, explain: Explain) -> None:
    for search in ("a", "%C3%A9", "jo+%C3%A9", "%2B9"):
        with_accents, without = (
            explain(asked(crowd, f"search={search}&ignore_accents={flag}")) for flag in ("false", "true")
        )
        check_all((search, plan, "", without.rows) for plan in (with_accents, without))
        assert not (with_accents.indexes | without.indexes) & {BY_TEXT, BY_PLAIN_TEXT}
        assert without.rows <= 3 * LEADS + with_accents.rows


def test_what_is_too_rare_to_be_read_for_in_order_is_read_from_the_days_that_have_any(
    crowd: Crowd, explain: Explain
) -> None:
    for sort in ("", "&sort_by=name", "&sort_by=name&offset=10"):
        query = f"lead_status=Hot&platform=webchat&has_email=false&min_total_score=14{sort}"
        assert explain(asked(crowd, query)).rows <= COUNTED
        check(explain(asked(crowd, query, collect_matches=True)), BY_TIME, 25_000)


def test_matches_are_collected_where_a_page_in_order_would_pass_too_many_leads(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    for query, index in (
        # Here 10,000 leads are too many to pass, there eight for each match.
        ("min_total_score=14&sort_by=name", BY_NAME),
        ("lead_status=Hot&platform=webchat&sort_by=first_contact_at", BY_CONTACT),
        ("lead_status=Hot&platform=webchat", BY_TIME),
    ):
        total = api.fetch(asked(crowd, query)).total
        too_many = max(MIN_LEADS_PASSED, MIN_LEADS_PASSED_A_MATCH * total)
        last = too_many * total // LEADS
        near, late = (f"{query}&limit=1&offset={page_end - 1}" for page_end in (last, last + 1))
        assert not api.fetch(asked(crowd, near)).collect_matches
        assert api.fetch(asked(crowd, late)).collect_matches
        # A lead on the way is an entry of the index and perhaps a look at another table.
        check(explain(asked(crowd, near)), index, 2 * too_many + COUNTED)
        assert explain(asked(crowd, late)).rows <= COUNTED
        collected = asked(crowd, late, collect_matches=True)
        # PostgreSQL before 18 rounds the rows of each loop, so that they add up to some more.
        check(explain(collected), BY_TIME, LEADS + 4 * total)


def test_matches_are_collected_sooner_where_each_lead_on_the_way_is_looked_up(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    for sort, index in (("name", BY_NAME), ("total_score", BY_SCORE)):
        query = f"reply_window_hours=6&sort_by={sort}"
        total = api.fetch(asked(crowd, query)).total
        too_many = max(MIN_LEADS_LOOKED_UP, total)
        last = too_many * total // LEADS
        near, late = (f"{query}&limit=1&offset={page_end - 1}" for page_end in (last, last + 1))
        assert not api.fetch(asked(crowd, near)).collect_matches
        # A lead on the way is an entry of the index and a row of `leads`.
        check(explain(asked(crowd, near)), index, 3 * too_many + COUNTED)
        assert explain(asked(crowd, late)).rows <= COUNTED + 2 * total
        check(explain(asked(crowd, late, collect_matches=True)), BY_WINDOW, COUNTED + 4 * total)


def test_no_match_is_collected_where_a_filter_narrows_the_index_of_the_sort(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    for query, index in (
        ("min_total_score=14&sort_by=total_score&offset=300", BY_SCORE),
        ("days=1&lead_status=Hot&offset=150", BY_TIME),
    ):
        row = api.fetch(asked(crowd, query))
        assert not row.collect_matches
        assert row.page
        check(explain(asked(crowd, query)), index, 3000)


def after(query: str, last: bytes | list[object], path: tuple[str, ...]) -> str:
    """The query of the page after a printed result, or after a position."""
    page: Page = QUERIES["getLeadMessages" if len(path) > 1 else "listLeads"].read(query).page
    position = position_of(last, page.position_fields) if isinstance(last, bytes) else last
    return f"{query}&cursor={encode(scope_of(page.asked, path), position)}"


def test_a_page_after_a_cursor_costs_the_same_at_any_depth(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    def following(query: str, depth: float) -> str:
        total = api.fetch(asked(crowd, query)).total
        [lead] = api.fetch(asked(crowd, f"{query}&limit=1&offset={int(depth * total)}")).page
        return after(query, lead, (crowd.large,))

    filtered = (
        ("platform=whatsapp", BY_TIME, 500),
        ("has_email=true&sort_by=name", BY_NAME, 1000),
        ("from_date=2020-01-01", BY_TIME, 1000),
    )
    cursors = [
        (following(query, depth), index, most)
        for query, index, most in (*ORDERS, *filtered)
        for depth in (0.01, 0.5, 0.98)
    ]
    cursors += [
        (following(query, depth), index, most) for query, index, most in PARTLY for depth in (0.01, 0.2)
    ]
    cursors += [
        (after(query, [None, "9150"], (crowd.large,)), BY_PHONE, 2 * most + FEW) for query, _, most in PARTLY
    ]
    # The leads without a value are a range too.
    cursors += [
        (after(query, [None, "9150"], (crowd.large,)), index, most)
        for query, index, most in ORDERS
        if index in (BY_TIME, BY_NAME)
    ]
    # One more row than the page tells whether there is a next one.
    check_all((query, explain(asked(crowd, query)), index, most + 2) for query, index, most in cursors)


def test_a_page_after_a_cursor_among_rare_leads_is_read_from_the_days_that_have_any(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    query = "lead_status=Hot&platform=webchat&has_email=false&min_total_score=14"
    [*_, last] = api.fetch(asked(crowd, f"{query}&limit=2", collect_matches=True)).page
    following = after(query, last, (crowd.large,))
    assert api.fetch(asked(crowd, following)).collect_matches
    check(explain(asked(crowd, following, collect_matches=True)), BY_TIME, 20_000)


def test_who_waits_within_an_open_window_is_read_from_the_windows(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    for query in ("reply_window=open&waiting_minutes=30", "reply_window=open&last_message_sender=user"):
        in_order = f"{query}&sort_by=waiting_since&sort_order=asc"
        row = api.fetch(asked(crowd, in_order))
        assert (row.collect_matches, row.total > PAGE) == (True, True)
        check(explain(asked(crowd, in_order)), BY_WINDOW, 1000)
        check(explain(asked(crowd, in_order, collect_matches=True)), BY_WINDOW, 2500)


def test_a_page_past_the_end_is_one_statement(crowd: Crowd, api: ApiDatabase) -> None:
    row = api.fetch(asked(crowd, "min_total_score=14&sort_by=name&offset=10000"))
    assert (row.collect_matches, row.page) == (False, [])
    assert row.total > 0


def test_a_page_by_last_message_is_read_from_the_index_alone_until_it_is_reached(
    crowd: Crowd, explain: Explain
) -> None:
    plan = explain(asked(crowd, "offset=1000&lead_status=Hot,Warm"))
    assert {BY_TIME, BY_PHONE} <= plan.indexes


def test_a_small_tenant_does_not_notice_a_large_one(crowd: Crowd, explain: Explain) -> None:
    for query in (
        "search=sharma",
        "search=sharma&ignore_accents=1",
        "search=ka",
        "search=a+b",
        "lead_status=Hot",
        "days=30",
    ):
        plan = explain(list_leads(crowd.small, QUERIES["listLeads"].read(query)).at(NOW))
        assert plan.sequential <= {"freshness", "projection"}, query
        assert plan.rows <= 2000, query


def test_statistics_and_single_leads(crowd: Crowd, explain: Explain) -> None:
    def series(query: str) -> BoundStatement[PageRow]:
        return lead_series(crowd.large, QUERIES["getLeadSeries"].read(query))

    check_all(
        (str(most), explain(statement), index, most)
        for statement, index, most in (
            # The lead, its tenant's version, freshness, what is filled, and the row that is the answer.
            (single_lead(crowd.large, crowd.talker), BY_PHONE, 5),
            (leads_of_phones(crowd.large, [crowd.talker] * 500), BY_PHONE, 500 + FEW),
            # The row of all leads, 7 and 30 days, the hours of two days, and the leads of two hours.
            (lead_statistics(crowd.large).at(NOW), BY_SPAN, FEW + 7 + 30 + 2 * 24 + 50),
            # Each bucket, its row of active leads, its row of new ones, and a row of messages for each of its hours.
            (series("from_date=2026-01-01&to_date=2026-03-31"), BY_SPAN, 90 * (3 + 24) + FEW),
            (series("date=2026-03-28&by=hour"), BY_SPAN, 24 * (3 + 1) + FEW),
        )
    )


def test_facets(crowd: Crowd, explain: Explain) -> None:
    kept = "facets=lead_status,platform,has_email,last_message_sender"
    check_all(
        (query, explain(lead_facets(crowd.large, QUERIES["getLeadFacets"].read(query)).at(NOW)), index, most)
        for query, index, most in (
            # What the read model counts is read as a row, or as a row for each combination.
            (kept, BY_SPAN, FEW),
            (
                "facets=lead_status,platform,has_email&lead_status=Hot&has_extraction=true",
                "lead_counts_key",
                COUNTED,
            ),
            # Who wrote last beside another filter: the entries of one index, without their leads.
            (f"{kept}&lead_status=Hot", BY_TIME, LEADS + COUNTED + FEW),
            (f"{kept}&days=7", BY_TIME, 5500),
            # Of windows those that are open are counted.
            (f"{kept},reply_window", BY_WINDOW, 2500),
            (f"{kept},reply_window&lead_status=Hot", BY_TIME, LEADS + 1000),
            (f"{kept}&search=sharma", BY_TEXT, 4000),
            (f"{kept}&agent_id=nobody", BY_AGENT, FEW),
            # Each agent has its conversations counted in the index.
            ("facets=agent_id", BY_AGENT, 2 * LEADS),
            ("facets=agent_id&search=sharma", BY_TEXT, 6000),
        )
    )


def test_an_agent_with_few_leads_is_read_from_the_index_of_conversations(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    with crowd.database.connect() as conn:
        [agent] = conn.execute(
            "SELECT agent_id FROM read_model.lead_conversations WHERE user_id = %s"
            " GROUP BY 1 ORDER BY count(*) LIMIT 1",
            (crowd.large,),
        ).fetchone() or ("",)
    query = f"agent_id={agent}&has_email=true"
    total = api.fetch(asked(crowd, query)).total
    assert total > 0
    check(explain(asked(crowd, query, collect_matches=True)), BY_AGENT, 8 * LEADS)


def test_changes(crowd: Crowd, explain: Explain) -> None:
    """All leads have version 0: all have changed since the first position, and none since the second."""
    for query, version in product(("", "has_email=true", "search=a&lead_status=Hot"), (0, 1)):
        parameters = QUERIES["listLeadChanges"].read(f"limit={PAGE}&{query}")
        plan = explain(changes_since(crowd.large, Position(version), parameters))
        # Of the place of versions; a table of deleted leads that has none needs no index.
        assert plan.sequential <= {"freshness", "projection", "pg_database", "lead_tombstones"}, query
        assert "leads_by_version" in plan.indexes, query
        # The key of a change, and its lead with its profile; one change more says whether there are more.
        assert plan.rows <= 3 * PAGE + 1 + 4 * FEW, query
        assert not plan.row_security, query


def test_messages(crowd: Crowd, explain: Explain) -> None:
    for query, most in (
        ("", 3 * PAGE),
        ("limit=200", 3 * 200),
        ("offset=1000", 1000 + 3 * PAGE),
        ("from_date=2026-01-01T01:00&to_date=2026-01-01T02:00", 3 * 600),
        # The messages of the last two hours of the talk.
        ("days=87", 1200 + 3 * PAGE),
        ("sender=user", TALK + 5 * PAGE + 100),
        ("platform=whatsapp,instagram,webchat", 4 * PAGE),
        ("conversation_id=nothing", 10),
        ("offset=100000", 10),
        ("sort_order=desc", 3 * PAGE),
        (f"after=talk-{TALK - 20}", 150),
        ("before=talk-20&sort_order=desc", 500),
    ):
        plan = explain(
            messages_of_lead(crowd.large, crowd.talker, QUERIES["getLeadMessages"].read(query)).at(
                NOW - timedelta(hours=6)
            )
        )
        assert plan.sequential <= {"freshness", "projection"}, query
        assert plan.indexes & {"lead_messages_in_order", "lead_conversations_pkey"}, query
        assert plan.rows <= most, query


def test_messages_after_a_cursor_cost_the_same_at_any_depth(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    path = (crowd.large, crowd.talker)

    def following(order: str, offset: int) -> Plan:
        query = f"sort_order={order}"
        asked_first = QUERIES["getLeadMessages"].read(f"{query}&limit=1&offset={offset}")
        [message] = api.fetch(messages_of_lead(*path, asked_first)).page
        read = QUERIES["getLeadMessages"].read(after(query, message, path), *path)
        return explain(messages_of_lead(*path, read))

    check_all(
        (f"{order}, {offset}", following(order, offset), "lead_messages_in_order", 3 * PAGE)
        for order, offset in product(("asc", "desc"), (0, TALK // 2, TALK - PAGE))
    )


BY_ATTRIBUTES = "lead_profiles_by_attributes"
OF_CONVERSATIONS = "lead_conversations_by_attributes"


def test_leads_with_an_attribute_are_counted_in_an_index(
    crowd: Crowd, explain: Explain, api: ApiDatabase
) -> None:
    """A match is read once to be counted, and leads are looked up on the way to a page, or all matches to be sorted."""
    offending: list[str] = []
    for query, index in (
        ("attributes[requirements]=nothing", BY_ATTRIBUTES),
        ("attributes[opted_out]=false&attributes[source]=web", BY_ATTRIBUTES),
        ("attributes[marks]=10", BY_ATTRIBUTES),
        ("attributes[price]=7.5", BY_ATTRIBUTES),
        ("attributes[price]=7.5&lead_status=Hot&sort_by=name", BY_ATTRIBUTES),
        ("attributes[price]=11", OF_CONVERSATIONS),
        ("attributes[budget]=3..", "lead_number_budget"),
        ("attributes[visit_on]=2025-01-03", "lead_text_visit_on"),
        ("attributes[is_open]=true", OF_CONVERSATIONS),
        ("attributes[phone_length]=12..", "conversation_number_phone_length"),
        ("attributes[noted_at]=2026-03-01..", "conversation_text_noted_at"),
    ):
        row = api.fetch(asked(crowd, query))
        plan = explain(asked(crowd, query))
        offending += offences(query, plan, index, 4 * row.total + (1000 if row.total else FEW))
        if row.collect_matches:
            plan = explain(asked(crowd, query, collect_matches=True))
            offending += offences(f"{query}, collected", plan, index, 8 * row.total + 500)
    assert offending == []


def test_what_no_index_of_attributes_has_is_read_once(crowd: Crowd, explain: Explain) -> None:
    def facet(query: str) -> BoundStatement[FacetsRow]:
        return lead_facets(crowd.large, QUERIES["getLeadFacets"].read(query).resolved(CATALOG)).at(NOW)

    for what, statement, most in (
        # Each profile and each conversation, and what is read on the way to a page.
        ("range of JSON", asked(crowd, "attributes[price]=1..2"), 5 * LEADS),
        ("absent", asked(crowd, "without_attributes=tags"), 3 * LEADS),
        ("facet", facet("facets=attributes.tags"), LEADS + 1000),
        ("facet of both", facet("facets=attributes.city"), 3 * LEADS),
        ("facet beside a filter", facet("facets=attributes.city&attributes[budget]=3.."), 5 * LEADS),
        ("names", attributes_of_tenant(crowd.large), 60),
    ):
        plan = explain(statement)
        assert (plan.rows <= most, plan.row_security) == (True, set()), (what, plan)


def test_names_and_values_of_attributes_are_no_part_of_a_statement(crowd: Crowd) -> None:
    """But for the name of a range that an index serves."""
    for first, second in (
        ("attributes[source]=a", "attributes[requirements]=b"),
        (
            "attributes[source]=a,b&with_attributes=tags",
            "attributes[requirements]=c,d&with_attributes=source",
        ),
        ("attributes[x]=a&attributes[y]=..2", "attributes[z]=b&attributes[zz]=..3"),
        ("attributes[budget]=1..", "attributes[budget]=2.."),
    ):
        assert asked(crowd, first).statement is asked(crowd, second).statement
    ranges = (asked(crowd, f"attributes[{name}]=1..").statement for name in ("budget", "phone_length"))
    assert len({*ranges}) == 2
