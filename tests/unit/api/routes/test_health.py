"""Whether the process lives, and whether it can serve: until the read model was built, every endpoint says so."""

from math import inf

from flask.testing import FlaskClient
from psycopg.types.json import Jsonb

from api import __version__
from api.routes.read_model import NEVER_BUILT
from tests.conftest import MakeDatabase
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.conftest import MakeApp
from tests.unit.api.response.test_errors import check


def test_ready_over_a_built_read_model(client: FlaskClient) -> None:
    assert client.get("/health/ready").get_json()["status"] == "ready"
    assert client.get("/health/live").get_json() == {"status": "live", "version": __version__}


def test_not_ready(database: Database, make_app: MakeApp) -> None:
    for change, reason in (
        ("UPDATE read_model.projection SET built_at = NULL", "never built"),
        ("DELETE FROM read_model.projection", "not installed"),
        ("DROP TABLE read_model.projection CASCADE", "not installed"),
        ("DROP SCHEMA read_model CASCADE", "not installed"),
    ):
        with database.connect() as conn:
            conn.execute(change.encode())
        answer = make_app(database, log_level="ERROR").test_client().get("/health/ready")
        assert answer.status_code == 503, change
        assert reason in answer.get_json()["message"]
        assert answer.headers["Retry-After"]


@cases(
    ("age", "max_age", "reason"),
    [
        # A busy machine may take seconds until it looks.
        ("30 s", 60.0, None),
        ("75 s", 60.0, "LEADS_READY_MAX_AGE allows 60 s"),
        ("75 s", 2.5, "LEADS_READY_MAX_AGE allows 2.5 s"),
        # Without a limit any age will do.
        ("75 days", inf, None),
        # The clock of the database was set back: of no moment is older than any limit.
        ("-1 hour", 60.0, "as of no moment now, and LEADS_READY_MAX_AGE allows 60 s"),
        ("-1 hour", inf, None),
        (None, 60.0, "never built"),
    ],
)
def test_ready_while_the_data_are_young_enough(
    database: Database, make_app: MakeApp, age: str | None, max_age: float, reason: str | None
) -> None:
    with database.connect() as conn:
        if age is None:
            conn.execute("DELETE FROM read_model.freshness")
        else:
            conn.execute(
                "UPDATE read_model.freshness SET shards = array_fill(clock_timestamp() - %s::interval, ARRAY[4])",
                (age,),
            )
    # The clock of the API has no part in it.
    answer = make_app(database, ready_max_age=max_age).test_client().get("/health/ready")
    assert answer.status_code == (200 if reason is None else 503)
    assert reason is None or reason in answer.get_json()["message"]


WELL = (
    "SET capture_gap = NULL, gap_fills = NULL, feed_problem = NULL, rebuild_done = NULL, late_after_seconds = NULL,"
    " parts = '{}'"
)
YOUNG = "UPDATE read_model.freshness SET shards = array_fill(clock_timestamp() - interval '0 s', ARRAY[4])"
OLD = YOUNG.replace("0 s", "100 s")
UNFILLED = "SET parts = %(parts)s, filled = '{}'"
PLANNED = (
    "capture_gap = 'another mapping is read now', gap_fills = 'the mapping of 12:03 UTC is being filled'"
)


@cases(
    ("code", "message", "changes"),
    [
        ("capture_gap", "missed: a trigger is gone", ["SET capture_gap = 'a trigger is gone'"]),
        (
            "filling",
            "The mapping of 12:03 UTC is being filled. X-Data-As-Of stands still",
            [f"SET {PLANNED}"],
        ),
        (
            "filling",
            "is being filled: 40%, about 2 minutes left. X-Data-As-Of",
            [f"SET {PLANNED}, rebuild_done = 0.4", OLD.replace("100", "90")],
        ),
        ("feed_problem", "may not arrive: no worker", ["SET feed_problem = 'no worker'"]),
        ("not_filled", "Not built yet: histories. Requests that need it", [UNFILLED]),
        ("not_filled", "which has not begun", [UNFILLED]),
        ("not_filled", "which is 43% done", [f"{UNFILLED}, rebuild_done = 0.43"]),
        ("nothing_claimed", "as of no moment now", [OLD.replace("100 s", "-1 hour")]),
        ("late", "not updated since 20", ["SET late_after_seconds = 90", OLD]),
        ("filling", "mapping", ["SET late_after_seconds = 90", OLD, f"SET {PLANNED}"]),
        (None, None, ["SET late_after_seconds = 110", OLD]),
        ("late", "not updated since 20", [OLD]),
        (None, None, [OLD.replace("100 s", "50 s")]),
    ],
)
def test_ready_with_a_warning_while_it_can_answer(
    database: Database, make_app: MakeApp, code: str | None, message: str | None, changes: list[str]
) -> None:
    parts = {"parts": Jsonb({"history:1": {"name": "history", "what": "histories", "reads": []}})}
    with database.connect() as conn:
        for change in [WELL, YOUNG, *changes]:
            text = f"UPDATE read_model.projection {change}" if change.startswith("SET") else change
            conn.execute(text.encode(), parts if "%(" in change else None)
    answer = make_app(database).test_client().get("/health/ready")
    assert answer.status_code == 200
    warnings = answer.get_json().get("warnings", [])
    assert [warned["code"] for warned in warnings] == [code] * (code is not None)
    assert message is None or message in warnings[0]["message"]
    assert code is not None or answer.get_data() == b'{"status":"ready"}'


def test_no_table_with_data_is_read_before_the_first_build(
    make_database: MakeDatabase, template: Database, database: Database, make_app: MakeApp
) -> None:
    """A build holds every table that it fills. A read model that was installed anew is noticed."""
    process = make_app(database).test_client()
    assert process.get("/users/a/leads").status_code == 200
    with database.connect() as conn:
        conn.execute("DELETE FROM read_model.freshness")
        conn.execute("UPDATE read_model.projection SET built_at = NULL")
    assert check(process.get("/users/a/leads"), 503, "not_built") == NEVER_BUILT
    data = (
        "leads, lead_profiles, lead_conversations, lead_messages, lead_counts, lead_daily_counts, lead_totals"
    )
    for installed, client, held in (
        (make_database(template), None, f"freshness, tenants, {data}"),
        (database, process, data),
    ):
        with installed.connect() as build, build.transaction():
            build.execute("SET LOCAL search_path = read_model")
            build.execute(f"LOCK TABLE {held} IN ACCESS EXCLUSIVE MODE".encode())
            asking = client or make_app(installed).test_client()
            for path in ("", "/stats", "/1", "/1/messages"):
                answer = asking.get(f"/users/a/leads{path}")
                assert check(answer, 503, "not_built") == NEVER_BUILT
                assert answer.headers["Retry-After"] == "1"
                assert "X-Data-As-Of" not in answer.headers
