"""What OpenAPI cannot say of the parameters of a request, and Schemathesis has to know. It loads this file."""

from typing import Any

import schemathesis

from tests.unit.api.response.undocumented_words import allow_undocumented

# Each but `date` is a bound, and goes with the one that closes the range.
MOMENTS = {
    "from_date": "to_date",
    "to_date": "from_date",
    "start_date": "end_date",
    "end_date": "start_date",
    "date": None,
}


@schemathesis.hook
def before_call(_context: object, case: schemathesis.Case[Any], _kwargs: object) -> None:
    """Makes of a request one that the API takes, if each of its parameters by itself is one."""
    query = case.query
    # A cursor is good for the query that gave it, and a token for the tenant.
    query.pop("cursor", None)
    query.pop("since", None)
    # Bounds in the wrong order are refused, and so are two names of one thing.
    if "min_total_score" in query:
        query.pop("max_total_score", None)
    given = [name for name in MOMENTS if name in query]
    for name in given[1:]:
        del query[name]
    if case.path.endswith("/series"):
        first = given[0] if given else "from_date"
        query.setdefault(first, "2025-12-12")
        if closing := MOMENTS[first]:
            query[closing] = query[first]


@schemathesis.hook
def filter_query(_context: object, query: dict[str, Any] | None) -> bool:
    """Leaves out empty values: the API takes a parameter without a value as one that is not given."""
    return not any(value in (None, "", [], {}, [""], [None]) for value in (query or {}).values())


@schemathesis.hook
def before_load_schema(_context: object, raw_schema: dict[str, Any]) -> None:
    """Takes the words of the platform as they are."""
    allow_undocumented(raw_schema)
