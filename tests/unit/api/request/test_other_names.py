"""Other names of parameters, and the keys that a caller asks for."""

from typing import Any

import pytest
from werkzeug.exceptions import BadRequest

from api.request.parameters import LEAD_QUERY, LIST_QUERY, MESSAGES_QUERY
from api.request.query import Query
from tests.support.cases import cases

DAY = "2025-01-31"


@cases("query", [LIST_QUERY, MESSAGES_QUERY])
@cases(
    ("text", "said"),
    [
        (f"from_date={DAY}&start_date={DAY}", "start_date is another name of from_date: give one of them"),
        (f"end_date={DAY}&to_date=2025-02-01", "end_date is another name of to_date: give one of them"),
        (f"date={DAY}&from_date={DAY}", "date is another name of from_date: give one of them"),
        (f"date={DAY}&to_date={DAY}", "date is another name of to_date: give one of them"),
        (f"date={DAY}&start_date={DAY}", "date is another name of start_date: give one of them"),
        (f"date={DAY}&end_date={DAY}", "date is another name of end_date: give one of them"),
        (f"start_date=2025-02-01&end_date={DAY}", "start_date must not be after end_date"),
        (f"start_date=2025-02-01&to_date={DAY}", "start_date must not be after to_date"),
        (f"date={DAY}T10:00", "date takes a date such as 2025-01-31"),
        ("start_date=x", "start_date takes a date such as 2025-01-31 or 2025-01-31T09:30:00Z"),
    ],
)
def test_two_names_of_one_thing_and_what_else_is_wrong(query: Query[Any], text: str, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        query.read(text)
    assert caught.value.description == said


@cases("query", [LIST_QUERY, LEAD_QUERY])
def test_keys_are_asked_for_in_any_order_and_printed_in_theirs(query: Query[Any]) -> None:
    assert query.read("fields=NAME,%20customer_phone&fields=name").fields == ("customer_phone", "name")
    assert query.read("fields=").fields is None


@cases("text", ["fields=name,phone", "fields=,", "fields=*"])
def test_a_key_that_does_not_exist_is_refused_with_those_that_do(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        LIST_QUERY.read(text)
    assert str(caught.value.description).startswith(
        "fields takes one or more of customer_phone, name, email,"
    )
