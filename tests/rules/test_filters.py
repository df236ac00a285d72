"""A filter is named in all the places that need it; a red test names the next file.

The order of work is the request's parameters, the plan's filters (their tests are in tests/api), the oracle, a curl
line in the documents.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.oracle.parameters import LEAD_FILTERS, MESSAGE_FILTERS, OF_LIST, OF_MESSAGES, Reader
from tests.rules.files import documents
from tests.rules.openapi import OPENAPI_FILE, openapi

LIST = "/users/{user_id}/leads"
MESSAGES = "/users/{user_id}/leads/{customer_phone}/messages"
NO_FILTERS = {"sort_by", "sort_order", "limit", "offset"}
CURL = re.compile(r"^curl .*?(https?://[^\s'\"]+)", re.MULTILINE)


def parameters(path: str) -> list[str]:
    """The query parameters that the OpenAPI document has for a path."""
    operation = openapi()["paths"][path]["get"]
    return [str(parameter["name"]) for parameter in operation["parameters"] if parameter["in"] == "query"]


def documented() -> set[tuple[bool, str]]:
    """The parameters that a curl line of a document shows, and whether it is a line about messages."""
    return {
        (urlsplit(url).path.endswith("/messages"), name)
        for document in documents()
        for url in CURL.findall(document.read_text("utf-8"))
        for name in parse_qs(urlsplit(url).query)
    }


@pytest.mark.parametrize(
    ("path", "table", "known"), [(LIST, "OF_LIST", OF_LIST), (MESSAGES, "OF_MESSAGES", OF_MESSAGES)]
)
def test_the_oracle_takes_the_same_parameters(path: str, table: str, known: Mapping[str, Reader]) -> None:
    taken = parameters(path)
    missing = [name for name in taken if name not in known]
    assert not missing, (
        f"the API takes {', '.join(missing)}: add it to {table} in tests/oracle/parameters.py."
    )
    unknown = [name for name in known if name not in taken]
    assert not unknown, (
        f"the oracle takes {', '.join(unknown)}, and {OPENAPI_FILE} does not describe it: add it to the parameters of "
        "the request."
    )


@pytest.mark.parametrize(
    ("table", "filters", "known"),
    [("LEAD_FILTERS", LEAD_FILTERS, OF_LIST), ("MESSAGE_FILTERS", MESSAGE_FILTERS, OF_MESSAGES)],
)
def test_the_oracle_selects_by_each_filter(
    table: str, filters: Mapping[str, Callable[..., Any]], known: Mapping[str, Reader]
) -> None:
    missing = [name for name in known if name not in NO_FILTERS and name not in filters]
    assert not missing, (
        f"nothing is selected by {', '.join(missing)}: add it to {table} in tests/oracle/parameters.py."
    )


@pytest.mark.parametrize(
    ("about_messages", "name"),
    [*((False, name) for name in OF_LIST), *((True, name) for name in OF_MESSAGES)],
    ids=lambda value: "messages" if value is True else "list" if value is False else value,
)
def test_each_parameter_has_a_curl_line(about_messages: bool, name: str) -> None:  # noqa: FBT001  # A parameter.
    assert (about_messages, name) in documented(), (
        f"no document has a curl line with {name}=: add one, with a comment, to docs/api.md."
    )
