"""A filter is named in all the places that need it; a red test names the next file.

The order of work is the request's parameters, the plan's filters, the oracle. Whether it filters, and whether a
document has a curl line with it, is for tests/acceptance.
"""

from contextlib import suppress
from dataclasses import fields
from typing import Any
from unittest.mock import MagicMock

from api.database.tables import lead_profiles, leads
from api.plan.list.filters import BECAME, FILTERS, OF_PROFILES, OF_THEIR_CONVERSATIONS, TIME_RANGE
from api.request.parameters import OF_ALL, OF_ONE_PAGE, OTHER_NAMES, Parameters
from api.request.parameters import OF_LIST as TAKEN
from tests.oracle.parameters import LEAD_FILTERS, MESSAGE_FILTERS, OF_LIST, OF_MESSAGES
from tests.rules.files import check
from tests.rules.openapi import OPENAPI_FILE, openapi

LIST = "/users/{user_id}/leads"
MESSAGES = "/users/{user_id}/leads/{customer_phone}/messages"
# The filters that several parameters give.
GIVEN_BY = {
    TIME_RANGE: ("days", "from_date", "to_date", *OTHER_NAMES),
    "search": ("search", "ignore_accents"),
    BECAME: ("became", "became_days"),
    OF_PROFILES: ("attributes", "with_attributes", "without_attributes"),
    OF_THEIR_CONVERSATIONS: ("attributes", "with_attributes", "without_attributes"),
}
NO_FILTERS = {
    "sort_by", "sort_order", "limit", "offset", "cursor", "min_as_of", "fields", "include", "ignore_accents",
}  # fmt: skip


def parameters(path: str) -> list[str]:
    """The query parameters that the OpenAPI document has for a path."""
    operation = openapi()["paths"][path]["get"]
    return [str(parameter["name"]) for parameter in operation["parameters"] if parameter["in"] == "query"]


def filters_of_the_request() -> list[str]:
    """Return the parameters of the list that filter."""
    return [name for name in TAKEN if name not in (*OF_ONE_PAGE, *OF_ALL, "sort_by", "sort_order")]


def planned_filters() -> set[str]:
    return {name for entry in FILTERS for name in GIVEN_BY.get(entry, (entry,))}


def test_the_checked_parameters_keep_each_filter() -> None:
    kept = {field.name for field in fields(Parameters)} | set(OTHER_NAMES)
    check(
        set(filters_of_the_request()) - kept,
        "OF_LIST has it: add it to Parameters in api/request/parameters.py:",
    )


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


class Asked:
    """Columns of a table, which notes those that are asked for."""

    def __init__(self) -> None:
        self.columns: list[str] = []

    def __getattr__(self, name: str) -> MagicMock:
        return self[name]

    def __getitem__(self, name: str) -> MagicMock:
        self.columns.append(name)
        return MagicMock()


def test_the_api_reads_the_columns_of_a_filter() -> None:
    lacking = []
    for name, entry in FILTERS.items():
        for table, on_table in ((leads, entry.on_leads), (lead_profiles, entry.on_profiles)):
            asked: Any = Asked()
            if on_table is not None:
                # What it makes of the columns needs values of the right shape.
                with suppress(Exception):
                    on_table(asked, MagicMock())
            lacking += [f"{name}: {column}" for column in asked.columns if column not in table.c]
    check(lacking, "The filter reads a column that the API does not know: add it in api/database/tables.py:")


def test_the_oracle_takes_the_same_parameters() -> None:
    for path, table, of_api in ((LIST, "OF_LIST", OF_LIST), (MESSAGES, "OF_MESSAGES", OF_MESSAGES)):
        taken = parameters(path)
        check(
            [name for name in taken if name not in of_api],
            f"The API takes it: add it to {table} in tests/oracle/parameters.py, where the request has it:",
        )
        check(
            [name for name in of_api if name not in taken],
            f"The oracle takes it, and {OPENAPI_FILE} does not describe it: add it to the parameters of the request:",
        )


def test_the_oracle_selects_by_each_filter() -> None:
    for table, filters, of_api in (
        ("LEAD_FILTERS", LEAD_FILTERS, OF_LIST),
        ("MESSAGE_FILTERS", MESSAGE_FILTERS, OF_MESSAGES),
    ):
        check(
            [name for name in of_api if name not in NO_FILTERS and name not in filters],
            f"Nothing is selected by it: add it to {table} in tests/oracle/parameters.py:",
        )
