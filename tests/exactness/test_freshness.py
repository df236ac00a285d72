"""What a check promises by X-Data-As-Of: never a change that the read model lacks."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.request import record
from projector.database import locks
from projector.database.rows import Connection
from projector.report.errors import CaptureGapError, NotInstalledError
from projector.scheduler.refresh import look
from tests.exactness.feed_copy import serving
from tests.exactness.interleaving import Stepped
from tests.exactness.platform import Platform, refresh_now, texts, value
from tests.support.running import wait_until

AT_ONCE = timedelta(0)
LEAD = "/users/one/leads/4915"
ENDPOINTS = (
    "leads", "leads/stats", "leads/stats/series?date=2025-01-01", "leads/4915", "leads/4915/messages", "lead-changes",
    "leads.csv", "leads.ndjson", "messages.ndjson",
)  # fmt: skip
WINDOWS = (
    "leads?days=7",
    "leads?days=7&has_email=false&platform=whatsapp",
    "leads/stats",
    "leads.ndjson?days=7",
)
SET_SHARDS = "UPDATE read_model.freshness SET shards"
SET_LATE = "UPDATE read_model.tenants SET late_as_of"
IN_AN_HOUR = "clock_timestamp() + interval '1 hour'"
ONE_AHEAD = f"{SET_SHARDS}[3] = {IN_AN_HOUR}"
NEWEST_AHEAD = f"UPDATE read_model.freshness SET newest_clock = {IN_AN_HOUR}"
ALL_AHEAD = f"{SET_SHARDS} = array_fill({IN_AN_HOUR}, ARRAY[4])"


def as_of(conn: Connection) -> datetime:
    oldest: datetime = value(conn, "SELECT min(s) FROM read_model.freshness, unnest(shards) AS s")
    # For the API of the previous version, which has no late tenants.
    assert value(conn, "SELECT as_of FROM read_model.freshness") <= oldest
    return oldest


def clock(conn: Connection) -> datetime:
    now: datetime = value(conn, "SELECT clock_timestamp()")
    return now


def test_a_look_moves_freshness_while_nothing_waits(filled: Platform) -> None:
    conn, before = filled.conn, clock(filled.conn)
    looked = look(conn, AT_ONCE)
    assert not looked.has_changes
    assert not looked.has_dead_letters
    moved = as_of(conn)
    assert before <= moved <= clock(conn)
    assert value(conn, "SELECT shards = array_fill(as_of, ARRAY[4]) FROM read_model.freshness")
    # It stays while it is young enough.
    look(conn, timedelta(hours=1))
    assert as_of(conn) == moved
    # A moment from before the clock was set back is replaced, whatever its age.
    conn.execute(f"{SET_SHARDS} = array_fill({IN_AN_HOUR}, ARRAY[4]), as_of = {IN_AN_HOUR}".encode())
    look(conn, timedelta(days=1))
    assert as_of(conn) <= clock(conn)
    # A read model that was never built has no moment.
    conn.execute("TRUNCATE read_model.freshness")
    assert not look(conn, AT_ONCE).has_changes
    assert value(conn, "SELECT count(*) FROM read_model.freshness") == 0


def test_what_is_committed_while_a_look_waits_is_not_promised(filled: Platform, other: Connection) -> None:
    """The look has its snapshot, and waits for the row of freshness."""
    other.execute("BEGIN")
    other.execute("UPDATE read_model.freshness SET as_of = as_of")
    with Stepped(filled.database, lambda conn: look(conn, AT_ONCE)) as looking:
        looking.waits(filled.conn)
        filled.message("c", "second")
        committed = clock(filled.conn)
        other.execute("COMMIT")
        looking.finish()
    assert texts(filled.conn, "one", "4915") == ["first"]
    assert as_of(filled.conn) < committed


def disable_a_trigger(conn: Connection) -> None:
    conn.execute("ALTER TABLE messages DISABLE TRIGGER USER")


def replace_the_program(conn: Connection) -> None:
    conn.execute("UPDATE projector.settings SET value = 'another' WHERE name = 'installed_version'")


@pytest.mark.parametrize(
    ("spoil", "error"), [(disable_a_trigger, CaptureGapError), (replace_the_program, NotInstalledError)]
)
def test_a_look_that_fails_promises_nothing(
    filled: Platform, spoil: Callable[[Connection], None], error: type[Exception]
) -> None:
    before = as_of(filled.conn)
    spoil(filled.conn)
    with pytest.raises(error):
        look(filled.conn, AT_ONCE)
    assert as_of(filled.conn) == before


def test_an_open_gap_freezes_freshness(filled: Platform) -> None:
    """So does a first build, which owns the shards."""
    before = as_of(filled.conn)
    with filled.database.connect() as building:
        building.execute("SELECT pg_advisory_lock(%s, %s)", (locks.SHARD, locks.SHARDS[-1]))
        look(filled.conn, AT_ONCE)
        assert as_of(filled.conn) == before
    wait_until(filled.conn, "count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    filled.conn.execute("INSERT INTO projector.capture_gaps (reason) VALUES ('a trigger was missing')")
    assert look(filled.conn, AT_ONCE).freshness_frozen
    assert as_of(filled.conn) == before


def test_an_answer_is_never_older_than_min_as_of(filled: Platform) -> None:
    """Who has written asks with the time of the commit, by the database's clock.

    The probe finds the data fresh enough, and between it and the answer another state comes back: Flask compares, and
    does not wait.
    """
    filled.message("c", "second")
    committed = value(filled.conn, "SELECT clock_timestamp()")
    asked = f"min_as_of={quote(committed.isoformat())}"
    with serving(filled.database) as app:
        client = app.test_client()
        for expected in (503, 200):
            for path in ("/users/one/leads", "/users/one/leads/stats", LEAD, f"{LEAD}/messages"):
                assert client.get(f"{path}?{asked}").status_code == expected
            refresh_now(filled.conn)


def ask(client: FlaskClient, path: str, asked: str = "") -> TestResponse:
    """Ask an endpoint, which may have a parameter already."""
    return client.get(f"{path}{'&' if '?' in path else '?'}{asked}", buffered=True)


def test_a_tenant_that_is_late_is_told_its_own_moment(filled: Platform) -> None:
    filled.message(filled.conversation(filled.agent(filled.tenant("two")), "4915"), "hello")
    refresh_now(filled.conn)
    filled.conn.execute(f"{SET_LATE} = '2025-06-01' WHERE user_id = 'one'".encode())
    of_all = as_of(filled.conn).isoformat(timespec="milliseconds")[:-6] + "Z"
    moments = {"one": "2025-06-01T00:00:00.000Z", "two": of_all}
    with serving(filled.database) as app:
        client = app.test_client()
        for path in ENDPOINTS:
            for tenant, moment in moments.items():
                answer = ask(client, f"/users/{tenant}/{path}")
                assert answer.headers["X-Data-As-Of"] == moment, (tenant, path)
                # It does not wait for a name that is written in another way: the answer itself is compared.
                for name in ("min_as_of", "min%5Fas_of"):
                    status = [
                        ask(client, f"/users/{tenant}/{path}", f"{name}={at}").status_code
                        for at in (moment, "2025-06-02")
                    ]
                    assert status == [200, 503 if tenant == "one" else 200], (tenant, path)
        tag = client.get(LEAD).headers["ETag"]
        assert client.get(LEAD, headers={"If-None-Match": tag}).headers["X-Data-As-Of"] == moments["one"]
        assert client.get("/health/ready").status_code == 200
        metrics = client.get("/metrics").get_data(as_text=True)
    assert "leads_api_late_tenants 1.0" in metrics
    ages = dict(re.findall(r"^leads_api_(\w+)_age_seconds (\S+)$", metrics, re.MULTILINE))
    assert float(ages["data"]) < 86400 < float(ages["late_data"])


@pytest.mark.parametrize(
    ("spoil", "warns"),
    [
        (ONE_AHEAD, True),
        (ALL_AHEAD, True),
        (NEWEST_AHEAD, True),
        (f"{SET_SHARDS}[3] = 'epoch'", True),
        (f"{SET_LATE} = {IN_AN_HOUR}", False),
        (f"{SET_LATE} = 'epoch'", False),
    ],
)
def test_a_moment_that_the_clock_has_not_reached_is_not_claimed(
    filled: Platform, spoil: str, *, warns: bool
) -> None:
    """Nor is 1970, which the projector stores in its place."""
    filled.conn.execute(spoil.encode())
    with serving(filled.database) as app:
        client = app.test_client()
        for path in ENDPOINTS:
            answer = ask(client, f"/users/one/{path}")
            assert answer.status_code == 200
            assert "X-Data-As-Of" not in answer.headers
            assert re.search(r"-\d{8}T", answer.headers.get("Content-Disposition", "")) is None
            # Whether it waits first, or the answer itself is compared.
            for name in ("min_as_of", "min%5Fas_of"):
                refused = ask(client, f"/users/one/{path}", f"{name}=1969-01-01")
                assert refused.status_code == 503
                assert "as of no moment now" in refused.get_json()["message"]
                assert "X-Data-As-Of" not in refused.headers
        ready = client.get("/health/ready")
        codes = {warned["code"] for warned in ready.get_json().get("warnings", [])}
        assert (ready.status_code, "nothing_claimed" in codes) == (200, warns)


def test_the_clock_of_the_database_decides_what_a_window_has(
    filled: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in (-100, -1, 1, 100):
        conversation = filled.conversation(filled.agent("one"), f"49{200 + hours}")
        at = value(filled.conn, "SELECT now() - interval '7 days' + %s * interval '1 hour'", hours)
        filled.insert("messages", message_id=f"at-{hours}", conversation_id=conversation, timestamp=at)
    refresh_now(filled.conn)
    printed = []
    for hours in (0, -24, 24):
        now = SimpleNamespace(now=lambda zone, hours=hours: datetime.now(zone) + timedelta(hours=hours))
        monkeypatch.setattr(record, "datetime", now)
        with serving(filled.database) as app:
            client = app.test_client()
            answers = [client.get(f"/users/one/{path}", buffered=True) for path in WINDOWS]
            printed.append(
                [answer.get_json()["data"] if answer.is_json else answer.data for answer in answers]
                + [answer.headers.get("ETag") for answer in answers]
            )
            tag = {"If-None-Match": printed[0][len(WINDOWS) + 2]}
            assert client.get("/users/one/leads/stats", headers=tag).status_code == 304
    assert printed[0][2]["leads_last_7_days"] == len(printed[0][0]) == 2
    assert printed[0] == printed[1] == printed[2]
