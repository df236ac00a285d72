"""The command `export`."""

from datetime import UTC, datetime

import pytest

from projector.cli import export
from tests.unit.projector.cli.calls import call


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2025-01-31", "2025-01-31T00:00:00", "2025-02-01T00:00:00"),
        # A time at midnight is no whole day.
        ("2025-01-31T00:00:00Z", "2025-01-31T00:00:00", "2025-01-31T00:00:00.001"),
        ("2025-01-31T09:30", "2025-01-31T09:30:00", "2025-01-31T09:30:00.001"),
        ("2025-01-31T09:30:00.123456+02:00", "2025-01-31T07:30:00.123", "2025-01-31T07:30:00.124"),
    ],
)
def test_moments(text: str, first: str, after: str) -> None:
    found = export._Moment().convert(text, None, None)  # noqa: SLF001
    assert [one.isoformat() for one in found] == [
        datetime.fromisoformat(one).replace(tzinfo=UTC).isoformat() for one in (first, after)
    ]


def test_wrong_usage() -> None:
    assert call("export", "--user", "u").exit_code == 2
    assert call("export", "--output", "x").exit_code == 2
    assert call("export", "--user", "u", "--output", "x", "--from", "2025-01-01").exit_code == 2
    assert call("export", "--user", "u", "--output", "x", "--kind", "leads.xls").exit_code == 2
    messages = ("export", "--user", "u", "--output", "messages.ndjson")
    assert "2025-01-31T09:30:00Z" in call(*messages, "--from", "yesterday").output
    assert call(*messages, "--from", "9999-12-31T23:00-05:00").exit_code == 2
