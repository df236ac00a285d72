"""The command `export`."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from projector.cli import export
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.commands import projector
from tests.support.running import write_message, write_source
from tests.support.server import Database
from tests.unit.projector.cli.calls import call


def test_it_writes_a_file_and_says_what_is_in_it(tmp_path: Path, database: Database) -> None:
    with database.connect() as conn:
        write_source(conn)
        write_message(conn, "m1")
        rebuild(conn, tenants=None, progress=QUIET)
        refresh(conn, retry_failed=False, progress=QUIET)
    done = projector(
        tmp_path, "--database-url", database.url, "export", "--user", "u", "--output", "leads.csv"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("leads.csv: 1 lead, as of 20")
    assert (tmp_path / "leads.csv").read_text().count("\n") == 2
    done = projector(
        tmp_path, "--database-url", database.url, "export", "--user", "u", "--output", "some.ndjson"
    )
    assert json.loads((tmp_path / "some.ndjson").read_text())["customer_phone"]
    messages = ("export", "--user", "u", "--kind", "messages.ndjson", "--output", "messages")
    for arguments, count in ((("--to", "2001-01-01"), 0), (("--from", "2001-01-01T00:00:00.001Z"), 1)):
        done = projector(tmp_path, "--database-url", database.url, *messages, *arguments)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "messages").read_text().count("\n") == count
    done = projector(tmp_path, "--database-url", database.url, "export", "--user", "v", "--output", "v.csv")
    assert (done.returncode, (tmp_path / "v.csv").exists()) == (1, False)


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
