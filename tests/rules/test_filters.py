"""A filter is named in all the places that need it, and filters; a red test names the next file.

The order of work is the request's parameters, the plan's filters, the oracle, a curl line in the documents.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from api.database.statement import compile_statement
from api.plan.list.filters import FILTERS, TIME_RANGE
from api.plan.list.pages import list_leads
from api.request.kinds import Parameter
from api.request.parameters import OTHER_NAMES
from api.request.query import LIST_QUERY
from tests.oracle.parameters import LEAD_FILTERS, MESSAGE_FILTERS, OF_LIST, OF_MESSAGES
from tests.rules.files import check, documents
from tests.rules.filters import filters_of_the_request, lost_filters, reads_requests
from tests.rules.openapi import OPENAPI_FILE, openapi

LIST = "/users/{user_id}/leads"
MESSAGES = "/users/{user_id}/leads/{customer_phone}/messages"
# The filters that several parameters give.
GIVEN_BY = {
    TIME_RANGE: ("days", "from_date", "to_date", *OTHER_NAMES),
    "search": ("search", "ignore_accents"),
}
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


@cache
def documented() -> set[tuple[bool, str]]:
    """The parameters that a curl line of a document shows, and whether it is a line about messages."""
    return {
        (urlsplit(url).path.endswith("/messages"), name)
        for document in documents()
        for url in CURL.findall(document.read_text("utf-8"))
        for name in parse_qs(urlsplit(url).query)
    }


def planned_filters() -> set[str]:
    return {name for entry in FILTERS for name in GIVEN_BY.get(entry, (entry,))}


def two_values(parameter: Parameter) -> list[str]:
    """Two texts that a parameter takes, and that mean different things."""
    schema: dict[str, Any] = dict(parameter.kind.schema)
    words = schema.get("items", schema).get("enum")
    if words:
        return words[:2]  # type: ignore[no-any-return]
    if "minimum" in schema:
        return [str(schema["minimum"]), str(schema["minimum"] + 1)]
    if schema.get("type") == "boolean":
        return ["true", "false"]
    is_date = "anyOf" in schema or "format" in schema
    return ["2025-01-01", "2025-02-01"] if is_date else ["one", "other"]


def asked(query: str, *, collect_matches: bool) -> tuple[str, dict[str, object]]:
    """The text of the statement of a list, and the values in it."""
    bound = list_leads("u", LIST_QUERY.read(query), NOW, collect_matches=collect_matches)
    statement = compile_statement(bound)
    return statement.text.decode(), {name: statement.values[name] for name in statement.names}


def test_the_checked_parameters_keep_each_filter() -> None:
    check(lost_filters(), "OF_LIST has it: add it to Parameters in api/request/parameters.py:")


def test_the_plan_has_each_filter_of_the_request() -> None:
    planned, taken = planned_filters(), filters_of_the_request()
    check(
        [name for name in taken if name not in planned],
        "OF_LIST has it, and nothing is filtered by it: add an entry to FILTERS in api/plan/list/filters.py:",
    )
    check(
        sorted(planned - set(taken)),
        "FILTERS in api/plan/list/filters.py has it, which no request can give: add it to OF_LIST in"
        " api/request/parameters.py:",
    )


def test_a_filter_of_the_plan_has_a_condition() -> None:
    check(
        [name for name, entry in FILTERS.items() if not (entry.on_leads or entry.on_profiles)],
        "A condition on no table: give it on_leads or on_profiles in api/plan/list/filters.py:",
    )
    check(
        [name for name, entry in FILTERS.items() if entry.is_facet and not entry.on_leads],
        "A facet: give it on_leads in api/plan/list/filters.py, which holds on lead_counts too:",
    )


@reads_requests
def test_a_filter_changes_the_statement_and_its_values() -> None:
    names = [name for name in filters_of_the_request() if name in planned_filters()]
    check(
        [found for name in names for context in CONTEXTS for found in without_effect(name, *context)],
        "See the entry of FILTERS in api/plan/list/filters.py:",
    )


def without_effect(name: str, context: str, collect_matches: bool) -> Iterator[str]:  # noqa: FBT001  # Of a table.
    """Return what is wrong with a filter beside other parameters."""
    same_filter = GIVEN_BY[TIME_RANGE] if name in GIVEN_BY[TIME_RANGE] else (name,)
    if parse_qs(context).keys() & set(same_filter):
        context = "sort_by=total_messages"
    context = f"{OF_OTHER_FILTERS.get(name, '')}&{context}"
    without = asked(context, collect_matches=collect_matches)
    one, other = (
        asked(f"{context}&{urlencode({name: text})}", collect_matches=collect_matches)
        for text in two_values(filters_of_the_request()[name])
    )
    if one[0] == without[0]:
        yield f"{name}= does not change the statement, beside {context}"
    if one == other:
        yield f"the statement is the same for two values of {name}=, beside {context}: bind the value"


def test_the_oracle_takes_the_same_parameters() -> None:
    for path, table, known in ((LIST, "OF_LIST", OF_LIST), (MESSAGES, "OF_MESSAGES", OF_MESSAGES)):
        taken = parameters(path)
        check(
            [name for name in taken if name not in known],
            f"The API takes it: add it to {table} in tests/oracle/parameters.py, where the request has it:",
        )
        check(
            [name for name in known if name not in taken],
            f"The oracle takes it, and {OPENAPI_FILE} does not describe it: add it to the parameters of the request:",
        )


def test_the_oracle_selects_by_each_filter() -> None:
    others = NO_FILTERS | OF_OTHER_FILTERS.keys()
    for table, filters, known in (
        ("LEAD_FILTERS", LEAD_FILTERS, OF_LIST),
        ("MESSAGE_FILTERS", MESSAGE_FILTERS, OF_MESSAGES),
    ):
        check(
            [name for name in known if name not in others and name not in filters],
            f"Nothing is selected by it: add it to {table} in tests/oracle/parameters.py:",
        )


def test_each_parameter_has_a_curl_line() -> None:
    wanted = [(False, name) for name in OF_LIST] + [(True, name) for name in OF_MESSAGES]
    check(
        [
            f"{name}= of {'messages' if about_messages else 'the list'}"
            for about_messages, name in wanted
            if (about_messages, name) not in documented()
        ],
        "No document has a curl line with it: add one, with a comment, to docs/api.md:",
    )
