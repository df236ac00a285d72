"""The query parameters: the reader against an independent one, and what it says."""

import string
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from api.request.parameters import COMMON_QUERY, LIST_QUERY, MESSAGES_QUERY
from api.request.query import Query
from api.request.text import LAST_MOMENT
from tests.oracle.parameters import OF_LIST, OF_MESSAGES, Bound, Reader, milliseconds, read_parameters


def refused(query: Query[Any], text: str) -> str:
    with pytest.raises(BadRequest) as caught:
        query.read(text)
    return str(caught.value.description)


def test_the_last_moment_is_not_passed() -> None:
    assert LIST_QUERY.read("to_date=9999-12-31T23:00-02:00").to_date == LAST_MOMENT


def test_a_message_names_what_is_taken() -> None:
    message = refused(LIST_QUERY, "limit=0&days=x&lead_status=a&from_date=b&sort_order=c")
    for part in ("at least 1", "1 to 36500", "Hot, Warm, Cold", "2025-01-31", "desc, asc"):
        assert part in message


def test_an_unknown_parameter_gets_the_near_ones() -> None:
    assert refused(LIST_QUERY, "platfrom=1&days=0") == (
        "'platfrom' is not a parameter (did you mean platform?); days takes an integer from 1 to 36500"
    )


def test_an_unknown_parameter_that_is_near_to_none_gets_all_of_the_endpoint_once() -> None:
    for query, known in ((LIST_QUERY, OF_LIST), (MESSAGES_QUERY, OF_MESSAGES)):
        message = refused(query, "=1")
        assert message == f"'' is not a parameter; this endpoint takes {', '.join(known)}"
    message = refused(LIST_QUERY, "page=1&limt=1&per_page=2")
    assert message == (
        "'page' is not a parameter; 'limt' is not a parameter (did you mean limit?);"
        f" 'per_page' is not a parameter; this endpoint takes {', '.join(OF_LIST)}"
    )


def test_an_endpoint_with_a_common_parameter_alone_says_so() -> None:
    assert refused(COMMON_QUERY, "limit=1") == "'limit' is not a parameter; this endpoint takes min_as_of"


def test_bounds_in_the_wrong_order_are_named() -> None:
    message = refused(
        LIST_QUERY, "from_date=2025-02-01&to_date=2025-01-01&min_total_score=9&max_total_score=8"
    )
    assert "min_total_score must not be above max_total_score" in message
    assert "from_date must not be after to_date" in message


# Texts that are a little wrong, or right in an unusual way, next to any text at all.
NAMES = [*OF_LIST, *OF_MESSAGES, "limt", "utm_x", "_", "", "Days", "platform[]"]
PIECES = [
    "whatsapp", "Instagram", "hot", "Cold", "true", "0", "1", "7", "-0", "-1", "007", "15", "16", "36500", "36501",
    "2147483647", "2147483648", "9" * 40, "2025-01-01", "2025-02-29", "2024-02-29", "0001-01-01", "9999-12-31",
    "T10:00", " 10:00", "T24:00", ":59", ":60", ".5", ".123456789", "Z", "+02:00", "-02:00", " 02:00", "+24:00", "name",
    "total_score", "asc", "DESC", "user", "agent", ",", " ", "\t", "\N{NO-BREAK SPACE}", "\N{EM SPACE}", "\0", "+",
    "\N{ARABIC-INDIC DIGIT SEVEN}", "x" * 199,
]  # fmt: skip
values = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=4).map("".join),
    st.text(string.printable, max_size=6),
    st.text(max_size=6),
)
pairs = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=4), values), max_size=5)


def encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def agrees(query: Query[Any], known: dict[str, Reader], asked: list[tuple[str, str]]) -> None:
    expected = read_parameters(known, asked)
    text = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in asked)
    if expected.refused:
        message = refused(query, text)
        assert [name for name in expected.bad if repr(name)[1:-1] not in message] == []
        return
    read = query.read(text)
    for name, value in expected.values.items():
        if name == "date":
            assert isinstance(value, Bound)
            assert (milliseconds(read.from_date), milliseconds(read.to_date)) == (value.first, value.last)
            continue
        own_name = {"start_date": "from_date", "end_date": "to_date"}.get(name, name)
        found = getattr(read, own_name) if name not in ("limit", "offset") else getattr(read.page, name)
        if isinstance(value, Bound):
            assert milliseconds(found) == (value.last if own_name == "to_date" else value.first)
        elif value == "created_at":
            assert found == "first_contact_at"
        elif isinstance(value, frozenset):
            assert frozenset(found) == value
        elif name not in ("search", "customer_phone"):
            assert found == value


@given(pairs)
def test_the_list_reads_its_parameters_as_specified(asked: list[tuple[str, str]]) -> None:
    agrees(LIST_QUERY, OF_LIST, asked)


@given(pairs)
def test_the_messages_read_their_parameters_as_specified(asked: list[tuple[str, str]]) -> None:
    agrees(MESSAGES_QUERY, OF_MESSAGES, asked)


@given(st.binary(max_size=40))
def test_any_query_string_is_read_or_refused(raw: bytes) -> None:
    for query in (LIST_QUERY, MESSAGES_QUERY):
        with suppress(BadRequest):
            query.read(raw.decode("latin-1"))
