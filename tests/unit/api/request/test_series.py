"""The parameters of the numbers by day or hour; the acceptance tests compare what they select."""

import pytest
from werkzeug.exceptions import BadRequest

from api.request.parameters import SERIES_QUERY
from tests.support.cases import cases


@cases(
    ("text", "said"),
    [
        ("from_date=2026-03-01", "to_date is missing: it takes a date such as 2025-01-31"),
        ("end_date=2026-03-01", "from_date is missing: it takes a date such as 2025-01-31"),
        ("by=week&date=2026-03-01", "by takes one of day, hour"),
        ("from_date=2026-03-02&to_date=2026-03-01", "from_date must not be after to_date"),
        ("from_date=2026-03-01&to_date=2026-03-15T00:00&by=hour", "by=hour takes up to 336 hours"),
        ("from_date=2026-01-01&to_date=2029-01-05", "by=day takes up to 1,100 days"),
        ("date=2026-03-01&days=7", "'days' is not a parameter"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        SERIES_QUERY.read(text)
    assert said in str(caught.value.description)
