"""A filter is named in all the places that need it, and filters; a red test names the next file.

The order of work is the request's parameters, the plan's filters, the oracle, a curl line in the documents.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from api.database.statement import compile_statement
from api.plan.list.filters import FILTERS, TIME_RANGE
from api.plan.list.statement import list_leads
from api.request.fields import Choice, Flag, Moment, Parameter, Phone, SearchText, WholeNumber
from api.request.parameters import LIST_QUERY
from api.request.working_list import Day
from tests.oracle.parameters import LEAD_FILTERS, MESSAGE_FILTERS, OF_LIST, OF_MESSAGES, Reader
from tests.rules.files import documents
from tests.rules.filters import filters_of_the_request, lost_filters, reads_requests
from tests.rules.openapi import OPENAPI_FILE, openapi

LIST = "/users/{user_id}/leads"
MESSAGES = "/users/{user_id}/leads/{customer_phone}/messages"
NO_FILTERS = {"sort_by", "sort_order", "limit", "offset", "cursor", "min_as_of", "fields"}
# They say how another filter compares, and change nothing without it.
OF_OTHER_FILTERS = {"ignore_accents": "search=zzz"}
NOW = datetime(2026, 3, 29, 13, 7, tzinfo=UTC)
# Other parameters beside the filter, so that each way to a page is taken; and whether matches are collected.
CONTEXTS = (
    ("", False),
    ("sort_by=name&offset=30", False),
    ("offset=30000", False),
    ("has_email=true&has_extraction=true", False),
    ("days=7&has_email=true", False),
    ("search=zzz", False),
    ("customer_phone=99", False),
    ("sort_by=name&has_extraction=true", True),
)
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


def planned_filters() -> set[str]:
    """The query parameters that the plan filters by."""
    return {name for entry in FILTERS.values() for name in entry.parameters}


def two_values(field: Parameter) -> tuple[str, str]:
    """Two texts that a field takes, and that mean different things."""
    if isinstance(field, Choice):
        return field.options[0], field.options[1]
    if isinstance(field, WholeNumber):
        return str(field.least), str(field.least + 1)
    for kind, texts in (
        (Flag, ("true", "false")),
        (Moment, ("2025-01-01", "2025-02-01")),
        (Day, ("2025-01-01", "2025-02-01")),
        (SearchText, ("abc", "abd")),
        (Phone, ("1", "2")),
    ):
        if isinstance(field, kind):
            return texts
    return "one", "other"


def asked(query: str, *, collect_matches: bool) -> tuple[str, dict[str, object]]:
    """The text of the statement of a list, and the values in it."""
    bound = list_leads("u", LIST_QUERY.read(query), NOW, collect_matches=collect_matches)
    statement = compile_statement(bound)
    return statement.text.decode(), {name: statement.values[name] for name in statement.names}


def test_the_checked_parameters_keep_each_filter() -> None:
    lost = lost_filters()
    assert not lost, (
        f"ListQuery takes {', '.join(lost)}: add it to ListParameters in api/request/parameters.py."
    )


def test_the_plan_has_each_filter_of_the_request() -> None:
    planned = planned_filters()
    missing = [name for name in filters_of_the_request() if name not in planned]
    assert not missing, (
        f"ListQuery takes {', '.join(missing)}, and nothing is filtered by it: add an entry to FILTERS in "
        "api/plan/list/filters.py."
    )
    unknown = sorted(planned - set(filters_of_the_request()))
    assert not unknown, (
        f"FILTERS in api/plan/list/filters.py has {', '.join(unknown)}, which no request can give: add a field "
        "to ListQuery in api/request/parameters.py."
    )


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_of_the_plan_has_a_condition(name: str) -> None:
    entry = FILTERS[name]
    assert entry.on_leads or entry.on_profiles, (
        f"{name} has a condition on no table: give it on_leads or on_profiles in api/plan/list/filters.py."
    )
    assert entry.on_leads or not entry.is_facet, (
        f"{name} is a facet: give it on_leads in api/plan/list/filters.py, which holds on lead_counts too."
    )


@reads_requests
@pytest.mark.parametrize(("context", "collect_matches"), CONTEXTS)
@pytest.mark.parametrize("name", [name for name in filters_of_the_request() if name in planned_filters()])
def test_a_filter_changes_the_statement_and_its_values(
    name: str,
    context: str,
    collect_matches: bool,  # noqa: FBT001  # A parameter.
) -> None:
    same_filter = FILTERS[TIME_RANGE].parameters if name in FILTERS[TIME_RANGE].parameters else (name,)
    if parse_qs(context).keys() & set(same_filter):
        context = "sort_by=total_messages"
    context = f"{OF_OTHER_FILTERS.get(name, '')}&{context}"
    without = asked(context, collect_matches=collect_matches)
    one, other = (
        asked(f"{context}&{urlencode({name: text})}", collect_matches=collect_matches)
        for text in two_values(filters_of_the_request()[name])
    )
    assert one[0] != without[0], (
        f"{name}= does not change the statement: see its entry of FILTERS in api/plan/list/filters.py."
    )
    assert one != other, (
        f"the statement is the same for two values of {name}=: bind the value in its entry of FILTERS in "
        "api/plan/list/filters.py."
    )


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
    others = NO_FILTERS | OF_OTHER_FILTERS.keys()
    missing = [name for name in known if name not in others and name not in filters]
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
