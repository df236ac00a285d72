"""A session of the API can read the read model and nothing else."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from api.config import Config
from api.database.connect import conninfo
from tests.unit.api.conftest import Library, MakeApp, lent_session


@pytest.fixture
def session(library: Library, make_app: MakeApp) -> Iterator[psycopg.Connection[Any]]:
    """A connection out of the API's pool."""
    with lent_session(make_app(library.database, statement_timeout_ms=1234)) as found:
        yield found.connection


def value(session: psycopg.Connection[Any], setting: str) -> str:
    row = session.execute(f"SHOW {setting}").fetchone()
    assert row is not None
    text: bytes = row[0]
    return text.decode()


def test_settings(session: psycopg.Connection[Any]) -> None:
    assert value(session, "role") == "leads_api"
    assert value(session, "transaction_read_only") == "on"
    assert value(session, "statement_timeout") == "1234ms"
    assert value(session, "TimeZone") == "UTC"
    assert value(session, "jit") == "off"
    assert session.autocommit


def test_the_settings_of_the_api_come_after_those_of_the_address() -> None:
    given = conninfo_to_dict(conninfo(Config("postgresql://a@b/c?options=-c%20jit%3Don&connect_timeout=9")))
    options = str(given["options"])
    assert options.index("-c jit=on") < options.index("-c jit=off")
    assert (given["connect_timeout"], given["application_name"]) == ("9", "leads-api")


def test_a_session_keeps_so_many_statements_and_answers_any(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database.session.MAX_PREPARED_STATEMENTS", 3)
    app = make_app(library.database, threads=1)
    client = app.test_client()
    paths = ["", "/stats", "?lead_status=Hot", "?days=7", "?sort_by=name", f"/{library.phone}"]
    first, second = (
        [client.get(f"{library.base}{path}").get_json()["data"] for path in paths] for _ in range(2)
    )
    assert first == second
    with lent_session(app) as session:
        kept = session.connection.execute(
            "SELECT count(*) FROM pg_prepared_statements", prepare=False
        ).fetchone()
    assert kept == (3,)
