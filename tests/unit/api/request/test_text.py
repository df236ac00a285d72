"""How a text is read."""

from datetime import datetime

from api.request.text import (
    read_exact_moment,
)
from tests.support.cases import cases


@cases(
    ("text", "moment"),
    [
        ("2025-01-31", "2025-01-31T00:00:00+00:00"),
        ("2025-01-31T09:30:00.12345Z", "2025-01-31T09:30:00.123450+00:00"),
        # As PostgreSQL prints it; a query string turns + into a blank.
        ("2025-01-31 09:30:00.123456+02", "2025-01-31T07:30:00.123456+00:00"),
        ("2025-01-31 09:30:00.1 05:30", "2025-01-31T04:00:00.100000+00:00"),
        ("2025-01-31 09:30:00-05", "2025-01-31T14:30:00+00:00"),
        # No part of a microsecond is lost: the moment would be before the commit.
        ("2025-01-31T09:30:00.1234560001Z", "2025-01-31T09:30:00.123457+00:00"),
        ("2025-01-31T09:30:00.9999999Z", "2025-01-31T09:30:01+00:00"),
        ("2025-01-31T09:30:00.123456000Z", "2025-01-31T09:30:00.123456+00:00"),
    ],
)
def test_an_exact_moment_keeps_its_microseconds(text: str, moment: str) -> None:
    assert read_exact_moment(text) == datetime.fromisoformat(moment)
