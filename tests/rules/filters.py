"""The filters that a request of the list can give."""

from dataclasses import fields

import pytest

from api.request.fields import Parameter
from api.request.parameters import PAGE_FIELDS, ListParameters, ListQuery
from api.request.query import COMMON_FIELDS, OTHER_NAMES


def filters_of_the_request() -> dict[str, Parameter]:
    """Return the fields of the list that filter."""
    return {
        name: field
        for name, field in ListQuery().fields.items()
        if isinstance(field, Parameter) and name not in (*PAGE_FIELDS, *COMMON_FIELDS)
    }


def lost_filters() -> list[str]:
    """Return the filters that ListParameters does not keep: with one of them, no request of the list can be read."""
    kept = {field.name for field in fields(ListParameters)}
    return [name for name in filters_of_the_request() if name not in kept and name not in OTHER_NAMES]


reads_requests = pytest.mark.skipif(
    bool(lost_filters()),
    reason="no request can be read: test_the_checked_parameters_keep_each_filter says what is missing",
)
"""For a test that reads requests of the list. One red test then names the next file, not a hundred."""
