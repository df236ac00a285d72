"""Every failure of the database is a 503 that says what it means, or a mistake of ours."""

import psycopg
import pytest
from flask import Flask

from api.database.errors import (
    GAVE_WAY,
    NO_RIGHTS,
    NOT_INSTALLED,
    OTHER_VERSION,
    ReplayConflictError,
    UnavailableError,
    raise_for_caller,
)
from api.database.session import Session
from api.database.statement import CompiledStatement, Row
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.response.test_errors import check

PASSING = {
    GAVE_WAY: ReplayConflictError("canceling statement due to conflict with recovery"),
    "Another session holds a table of the read model": psycopg.errors.DeadlockDetected("deadlock detected"),
    "A transaction of another session came between": psycopg.errors.SerializationFailure(
        "could not serialize"
    ),
}


@cases("said", PASSING)
@cases("failures", [1, 2])
def test_a_query_that_met_others_is_asked_once_more(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, said: str, failures: int
) -> None:
    app = make_app(library.database, log_level="CRITICAL", answers_mb=0)
    assert app.test_client().get(library.base).status_code == 200
    fetch, left = Session.fetch, [PASSING[said]] * failures

    def fail_first(session: Session, statement: CompiledStatement[Row]) -> Row:
        if left:
            raise left.pop()
        return fetch(session, statement)

    monkeypatch.setattr(Session, "fetch", fail_first)
    answer = app.test_client().get(library.base)
    if failures == 1:
        assert answer.status_code == 200
    else:
        assert check(answer, 503) == said
        assert int(answer.headers["Retry-After"]) >= 1
    assert left == []


def test_what_libpq_itself_reports_means_that_the_connection_is_lost() -> None:
    """psycopg has no class for it, because there is no SQLSTATE."""
    with pytest.raises(UnavailableError, match="cannot be reached"):
        raise_for_caller(psycopg.DatabaseError("server closed the connection"))
    mistake = psycopg.ProgrammingError("cannot adapt type")
    with pytest.raises(psycopg.ProgrammingError) as raised:
        raise_for_caller(mistake)
    assert raised.value is mistake


def message(app: Flask, path: str) -> str:
    """What a request is answered with 503, and readiness too."""
    client = app.test_client()
    said = check(client.get(path), 503)
    assert check(client.get("/health/ready"), 503) == said
    return said


def test_a_database_without_the_read_model(source_database: Database, make_app: MakeApp) -> None:
    assert message(make_app(source_database), "/users/a/leads") == NOT_INSTALLED
    assert "`python -m projector migrate`" in NOT_INSTALLED


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        # Tables of an older version are not all there yet, which is not the same as none.
        (
            "ALTER TABLE read_model.lead_totals RENAME TO lead_span_stats",
            "/users/a/leads/stats",
            OTHER_VERSION,
        ),
        ("ALTER TABLE read_model.leads RENAME COLUMN document TO page", "/users/a/leads/1", OTHER_VERSION),
        ("REVOKE SELECT ON read_model.leads FROM leads_api", "/users/a/leads", NO_RIGHTS),
        ("REVOKE USAGE ON SCHEMA read_model FROM leads_api", "/users/a/leads", NO_RIGHTS),
    ],
)
def test_a_read_model_that_cannot_be_read(
    database: Database, make_app: MakeApp, change: str, path: str, said: str
) -> None:
    with database.connect() as conn:
        conn.execute(change.encode())
    assert message(make_app(database), path) == said
