"""The export to a file: the same bytes as the API's, whole or not there."""

import random
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from projector.cli.export import KINDS
from projector.database.rows import Connection
from projector.operate import export as exporting
from projector.operate.export import export
from projector.report.errors import NotInstalledError, ProjectorError, TenantNotFoundError
from projector.report.progress import QUIET
from tests.exactness.feed_copy import serving
from tests.exactness.platform import rebuild_now, refresh_now
from tests.support import edge_cases
from tests.support.running import value
from tests.support.server import Database

START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def from_the_api(database: Database, path: str) -> bytes:
    with serving(database) as app:
        answer = app.test_client().get(path)
        assert answer.status_code == 200
        return bytes(answer.data)


@pytest.fixture
def tenant(connection: Connection) -> str:
    """The tenant with most leads among edge cases, of which some look like formulas."""
    edge_cases.write(connection, edge_cases.generate(random.Random(3), 40))
    rebuild_now(connection)
    connection.execute("UPDATE contacts SET name = '=1+1' WHERE contact_id LIKE '%1%'")
    refresh_now(connection)
    header: str = value(
        connection, "SELECT user_id FROM read_model.leads GROUP BY user_id ORDER BY count(*) DESC LIMIT 1"
    )
    return header


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_has_the_bytes_of_the_api(
    connection: Connection, database: Database, tenant: str, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / kind
    count, as_of = export(connection, tenant, kind, file, progress=QUIET)
    assert file.read_bytes() == from_the_api(database, f"/users/{tenant}/{kind}")
    table = "lead_messages" if kind == "messages.ndjson" else "leads"
    assert count == value(connection, f"SELECT count(*) FROM read_model.{table} WHERE user_id = %s", tenant)
    assert count > 10
    assert as_of is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_broke_is_as_it_was(
    connection: Connection, tenant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:  # noqa: ANN401
        yield ["half\n"]
        raise psycopg.OperationalError("gone")

    file = tmp_path / "leads.csv"
    file.write_text("the last one")
    monkeypatch.setattr(exporting, "_lines", broken)
    with pytest.raises(psycopg.OperationalError):
        export(connection, tenant, "leads.csv", file, progress=QUIET)
    assert file.read_text() == "the last one"
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_exported_is_said(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="never built"):
        export(connection, "u", "leads.csv", tmp_path / "x", progress=QUIET)
    rebuild_now(connection)
    with pytest.raises(TenantNotFoundError):
        export(connection, "u", "leads.csv", tmp_path / "x", progress=QUIET)
    connection.execute("INSERT INTO users (user_id) VALUES ('u')")
    with pytest.raises(ProjectorError, match="cannot be written: No such file"):
        export(connection, "u", "leads.csv", tmp_path / "no" / "x", progress=QUIET)
