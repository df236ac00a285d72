"""The reader of a query string: what it says of names, how much it reads, and of the pages after one."""

from collections.abc import Sequence

from api.request.cursor import encode, scope_of
from api.request.query import LIST_QUERY, MESSAGES_QUERY, Query
from tests.support.cases import cases
from tests.unit.api.request.test_parameters import refused

TIME = "2026-03-29T13:07:11.123Z"
LEAD = [TIME, "918979556941"]
MESSAGE = [TIME, "c", 3, "m"]


def cursor_of(query: Query, text: str, path: tuple[str, ...], position: Sequence[object]) -> str:
    """The cursor that a page of this query gives."""
    return encode(scope_of(query.read(text).page.asked, path), position)


@cases(
    ("one", "other"),
    [
        ("", "sort_by=LAST_MESSAGE_AT&sort_order=desc"),
        ("lead_status=Hot,Warm", "lead_status=warm&lead_status=hot"),
        ("has_email=1", "has_email=%20TRUE"),
        ("customer_phone=918", "customer_phone=%2B91%208"),
        ("from_date=2025-01-01", "from_date=2025-01-01T00:00Z"),
        ("search=a%20b", "search=a%09%20b"),
        ("days=7", "days=007&limit=3&_=1&min_as_of=2025-01-01"),
    ],
)
def test_a_cursor_goes_with_each_spelling_of_its_query_and_with_another_limit(one: str, other: str) -> None:
    cursor = cursor_of(LIST_QUERY, one, ("u",), LEAD)
    assert LIST_QUERY.read(f"{other}&cursor={cursor}", "u").page.position is not None


@cases(
    "other",
    [
        "",
        "days=8",
        "days=7&has_email=true",
        "days=7&sort_order=asc",
        "days=7&sort_by=name",
        "days=7&search=a",
    ],
)
def test_a_cursor_of_another_query_is_refused(other: str) -> None:
    cursor = cursor_of(LIST_QUERY, "days=7", ("u",), LEAD)
    assert LIST_QUERY.read(f"days=7&cursor={cursor}", "u").page.position is not None
    assert "cursor belongs to another query" in refused(LIST_QUERY, f"{other}&cursor={cursor}", "u")


@cases("path", [("v", "1"), ("u", "2"), ("1", "u"), ("u",)])
def test_a_cursor_of_another_path_is_refused(path: tuple[str, ...]) -> None:
    cursor = cursor_of(MESSAGES_QUERY, "", ("u", "1"), MESSAGE)
    assert "cursor belongs to another query" in refused(MESSAGES_QUERY, f"cursor={cursor}", *path)


def test_a_cursor_with_an_offset_is_refused_and_0_is_none() -> None:
    cursor = cursor_of(LIST_QUERY, "", ("u",), LEAD)
    assert "cursor cannot be combined with an offset" in refused(LIST_QUERY, f"offset=1&cursor={cursor}", "u")
    assert LIST_QUERY.read(f"offset=0&cursor={cursor}", "u").page.position is not None


def test_a_broken_cursor_is_named_with_all_else_that_is_wrong() -> None:
    said = "cursor takes the cursor of a Link header, whole and unchanged"
    assert refused(LIST_QUERY, "cursor=abc&days=0", "u") == f"days takes an integer from 1 to 36500; {said}"
    # With a position that no lead has.
    assert refused(LIST_QUERY, f"cursor={cursor_of(LIST_QUERY, '', ('u',), [7, '1'])}", "u") == said


@cases(
    ("text", "following"),
    [
        ("_=1&days=&lead_status=Hot,%20warm&limit=3&offset=20", "lead_status=Hot,%20warm&limit=3"),
        ("platform=webchat&platform=whatsapp&platform=webchat", "platform=webchat&platform=whatsapp"),
    ],
)
def test_the_next_page_repeats_what_this_one_asks(text: str, following: str) -> None:
    assert LIST_QUERY.read(text, "u").page.query == following


def test_a_long_name_is_cut_in_the_message() -> None:
    assert len(refused(LIST_QUERY, f"{'x' * 5000}=1")) < 500


def test_the_first_of_thousands_of_unknown_names_are_enough() -> None:
    message = refused(LIST_QUERY, "&".join(f"unknown{n}" for n in range(5000)))
    assert "'unknown0' is not a parameter" in message
    assert "; the rest was not checked; this endpoint takes platform, " in message
    assert len(message) < 2000
    assert len(refused(LIST_QUERY, "&".join(f"x{n}=%ff" for n in range(5000)))) < 2000
    assert "the rest" not in refused(LIST_QUERY, "platfrom=1&" * 5000)
