"""The query parameters: what the reader says. tests/acceptance compares what it reads with the oracle."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from unittest.mock import Mock
from urllib.parse import parse_qsl

import pytest
from werkzeug.exceptions import BadRequest

from api.request.lead import LEAD_KEYS
from api.request.parameters import INCLUDES, Page
from api.request.position.cursor import encode, scope_of
from api.request.query import QUERIES, Query
from api.request.text import FIRST_MOMENT, LAST_MOMENT, nearest, read_exact_moment
from tests.oracle.parameters import OF_LIST
from tests.support.cases import cases


def refused(query: Query, text: str, *path: str) -> str:
    with pytest.raises(BadRequest) as caught:
        query.read(text, *path)
    return str(caught.value.description)


DAY = "2025-01-31"
A_DATE = "takes a date such as 2025-01-31"


@cases(
    ("query", "text", "said"),
    [
        (QUERIES["listLeads"], "limit=0", "limit takes an integer of at least 1"),
        (QUERIES["listLeads"], "sort_order=c", "sort_order takes one of desc, asc"),
        (
            QUERIES["listLeads"],
            "platfrom=1&days=0",
            "'platfrom' is not a parameter (did you mean platform?); days takes an integer from 1 to 36500",
        ),
        (
            QUERIES["listLeads"],
            "search=%00&%ff=1&days=1&days=2",
            (
                "'search' contains a NUL character (%00) or bytes that are not UTF-8; the name of a parameter"
                " contains a NUL character (%00) or bytes that are not UTF-8;"
                " days was given several values, and takes one: an integer from 1 to 36500"
            ),
        ),
        (
            QUERIES["listLeads"],
            f"search={'x' * 201}&customer_phone={'1' * 256}",
            (
                "search takes at most 200 characters;"
                " customer_phone takes a phone number or another identifier of at most 255 characters"
            ),
        ),
        (
            QUERIES["getLeadStatistics"],
            "limit=1",
            "'limit' is not a parameter; this endpoint takes min_as_of",
        ),
        (QUERIES["listLeads"], "=1", f"'' is not a parameter; this endpoint takes {', '.join(OF_LIST)}"),
        (
            QUERIES["listLeads"],
            "page=1&limt=1&per_page=2",
            (
                "'page' is not a parameter; 'limt' is not a parameter (did you mean limit?);"
                f" 'per_page' is not a parameter; this endpoint takes {', '.join(OF_LIST)}"
            ),
        ),
        (
            QUERIES["listLeads"],
            "from_date=2025-02-01&to_date=2025-01-01&min_total_score=9&max_total_score=8",
            "min_total_score must not be above max_total_score; from_date must not be after to_date",
        ),
        (
            QUERIES["listLeads"],
            "fields=name,phone",
            f"fields takes one or more of {', '.join((*LEAD_KEYS, *chain(*INCLUDES.values())))}, separated by commas",
        ),
        (
            QUERIES["getLeadSeries"],
            "from_date=2026-03-01",
            f"to_date is missing: it {A_DATE} or 2025-01-31T09:30:00Z",
        ),
        (QUERIES["getLeadSeries"], "by=week&date=2026-03-01", "by takes one of day, hour"),
        (
            QUERIES["getLeadSeries"],
            "from_date=2026-03-01&to_date=2026-03-15T00:00&by=hour",
            "from_date and to_date are too far apart: by=hour takes up to 336 hours",
        ),
        (
            QUERIES["getLeadSeries"],
            "from_date=2026-01-01&to_date=2029-01-05",
            "from_date and to_date are too far apart: by=day takes up to 1,100 days",
        ),
    ],
)
def test_what_is_refused_is_told(query: Query, text: str, said: str) -> None:
    assert refused(query, text) == said


@cases("query", [QUERIES["listLeads"], QUERIES["getLeadMessages"]])
@cases(
    ("text", "said"),
    [
        (f"from_date={DAY}&start_date={DAY}", "start_date is another name of from_date: give one of them"),
        (f"end_date={DAY}&to_date=2025-02-01", "end_date is another name of to_date: give one of them"),
        (f"date={DAY}&from_date={DAY}", "date is another name of from_date: give one of them"),
        (f"date={DAY}&end_date={DAY}", "date is another name of end_date: give one of them"),
        (f"start_date=2025-02-01&end_date={DAY}", "start_date must not be after end_date"),
        (f"date={DAY}T10:00", f"date {A_DATE}"),
        ("start_date=x", f"start_date {A_DATE} or 2025-01-31T09:30:00Z"),
    ],
)
def test_two_names_of_one_thing_and_what_else_is_wrong(query: Query, text: str, said: str) -> None:
    assert refused(query, text) == said


def test_the_first_and_the_last_moment_are_not_passed() -> None:
    parameters = QUERIES["listLeads"].read(
        "from_date=0001-01-01T01:00%2B02:00&to_date=9999-12-31T23:00-02:00"
    )
    assert (parameters.from_date, parameters.to_date) == (FIRST_MOMENT, LAST_MOMENT)


@cases("query", [QUERIES["listLeads"], QUERIES["getLead"]])
def test_keys_are_asked_for_in_any_order_and_printed_in_theirs(query: Query) -> None:
    assert query.read("fields=NAME,%20customer_phone&fields=name").fields == ("customer_phone", "name")
    assert query.read("fields=").fields is None


def test_the_feed_takes_the_filters_of_the_list_but_no_order_nor_what_the_clock_moves() -> None:
    moved = ["days=7", "waiting_minutes=0", "reply_window=none", "reply_window_hours=1", "status_days=7"]
    for text in (*moved, "became=Hot&became_days=7", "sort_by=name", "sort_order=asc", "offset=5"):
        assert "is not a parameter" in refused(QUERIES["listLeadChanges"], text)
    text = "platform=webchat&has_email=true&search=ann&from_date=2025-01-01&customer_phone=49"
    of_changes, of_list = (
        QUERIES["listLeadChanges"].read(f"{text}&since=T&wait=9999&limit=9999"),
        QUERIES["listLeads"].read(text),
    )
    assert replace(of_changes, page=Page(), since=None, wait=0) == replace(of_list, page=Page())
    assert (of_changes.since, of_changes.wait, of_changes.page.limit) == ("T", 25, 500)


TYPOS = {
    "platform": ("platfrom", "Platform", "platform[]"),
    "lead_status": ("lead-status", "leadStatus"),
    "lead_status, status_days": ("status",),
    "limit": ("lmit", "limits", "page_limit"),
    "max_total_score": ("maxTotalScore",),
    "from_date": ("form_date", "from"),
    # A word of several names finds them all.
    "customer_phone, phone_number_id": ("phone",),
    "from_date, date": ("date_from",),
    # Names of other APIs.
    "": ("per_page", "q", "filter", "until", "api_key", "tag", "x", "", "[]", "nonsense", "\N{SNOWMAN}"),
}


@cases(("typo", "meant"), [(typo, meant) for meant, typos in TYPOS.items() for typo in typos])
def test_a_typo_finds_the_names_that_it_may_mean(typo: str, meant: str) -> None:
    assert ", ".join(nearest(typo, OF_LIST)) == meant


@cases(
    ("text", "moment"),
    [
        ("2025-01-31", "2025-01-31T00:00:00+00:00"),
        ("2025-01-31T09:30:00.12345Z", "2025-01-31T09:30:00.123450+00:00"),
        # As PostgreSQL prints it; a query string turns + into a blank.
        ("2025-01-31 09:30:00.123456+02", "2025-01-31T07:30:00.123456+00:00"),
        ("2025-01-31 09:30:00.1 05:30", "2025-01-31T04:00:00.100000+00:00"),
        ("2025-01-31 09:30:00-05", "2025-01-31T14:30:00+00:00"),
        # No part of a microsecond is lost: the moment would be before the commit.
        ("2025-01-31T09:30:00.1234560001Z", "2025-01-31T09:30:00.123457+00:00"),
        ("2025-01-31T09:30:00.9999999Z", "2025-01-31T09:30:01+00:00"),
        ("2025-01-31T09:30:00.123456000Z", "2025-01-31T09:30:00.123456+00:00"),
    ],
)
def test_an_exact_moment_keeps_its_microseconds(text: str, moment: str) -> None:
    assert read_exact_moment(text) == datetime.fromisoformat(moment)


def cursor_of(text: str, position: Sequence[object] = ("2026-03-29T13:07:11.123Z", "918979556941")) -> str:
    """The cursor that a page of this query of the list gives."""
    return encode(scope_of(QUERIES["listLeads"].read(text).page.asked, ("u",)), position)


OF_ANOTHER = "cursor belongs to another query"


@cases(
    ("first", "second", "said"),
    [
        # Each spelling of the query, and another limit.
        ("", "sort_by=LAST_MESSAGE_AT&sort_order=desc", ""),
        ("lead_status=Hot,Warm", "lead_status=warm&lead_status=hot", ""),
        ("has_email=1", "has_email=%20TRUE", ""),
        ("customer_phone=918", "customer_phone=%2B91%208", ""),
        ("from_date=2025-01-01", "from_date=2025-01-01T00:00Z", ""),
        ("search=a%20b", "search=a%09%20b", ""),
        ("days=7", "days=007&limit=3&_=1&min_as_of=2025-01-01", ""),
        ("days=7", "", OF_ANOTHER),
        ("days=7", "days=8", OF_ANOTHER),
        ("days=7", "days=7&has_email=true", OF_ANOTHER),
        ("days=7", "days=7&sort_order=asc", OF_ANOTHER),
        ("days=7", "days=7&sort_by=name", OF_ANOTHER),
        ("", "offset=1", "cursor cannot be combined with an offset"),
        ("", "offset=0", ""),
    ],
)
def test_with_which_queries_a_cursor_goes(first: str, second: str, said: str) -> None:
    text = f"{second}&cursor={cursor_of(first)}"
    if said:
        assert said in refused(QUERIES["listLeads"], text, "u")
    else:
        assert QUERIES["listLeads"].read(text, "u").page.position is not None


def test_a_broken_cursor_is_named_with_all_else_that_is_wrong() -> None:
    said = "cursor takes the cursor of a Link header, whole and unchanged"
    assert (
        refused(QUERIES["listLeads"], "cursor=abc&days=0", "u")
        == f"days takes an integer from 1 to 36500; {said}"
    )
    # With a position that no lead has.
    assert refused(QUERIES["listLeads"], f"cursor={cursor_of('', [7, '1'])}", "u") == said


@cases(
    ("text", "following"),
    [
        ("_=1&days=&lead_status=Hot,%20warm&limit=3&offset=20", "lead_status=Hot,%20warm&limit=3"),
        ("platform=webchat&platform=whatsapp&platform=webchat", "platform=webchat&platform=whatsapp"),
    ],
)
def test_the_next_page_repeats_what_this_one_asks(text: str, following: str) -> None:
    assert QUERIES["listLeads"].read(text, "u").page.query == following


def test_the_first_of_thousands_of_unknown_names_and_of_a_long_one_are_enough() -> None:
    message = refused(QUERIES["listLeads"], "&".join(f"unknown{n}" for n in range(5000)))
    assert "'unknown0' is not a parameter" in message
    assert "; the rest was not checked; this endpoint takes platform, " in message
    assert len(message) < 2000
    assert len(refused(QUERIES["listLeads"], f"{'x' * 5000}=1")) < 650
    assert len(refused(QUERIES["listLeads"], "&".join(f"x{n}=%ff" for n in range(5000)))) < 2000
    assert "the rest" not in refused(QUERIES["listLeads"], "platfrom=1&" * 5000)


def test_no_name_is_read_after_twenty_unknown_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, guessing = Mock(wraps=parse_qsl), Mock(wraps=nearest)
    monkeypatch.setattr("api.request.text.parse_qsl", reading)
    monkeypatch.setattr("api.request.query.nearest", guessing)
    refused(QUERIES["listLeads"], "&".join(f"unknown{n}" for n in range(2800)))
    assert (reading.call_count, guessing.call_count) == (21, 0)
    twenty = "&".join(f"unknown{n}" for n in range(19))
    assert "'limt' is not a parameter (did you mean limit?)" in refused(
        QUERIES["listLeads"], f"limt=1&{twenty}"
    )
