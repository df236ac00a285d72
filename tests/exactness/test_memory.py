"""An answer from memory equals what PostgreSQL would have found at the moment that it names."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from api.database.pool import Database
from api.routes import memory
from projector.operate.erase import erase
from projector.operate.erase.ledger import Target
from projector.report.progress import QUIET
from tests.exactness.feed_copy import serving
from tests.exactness.platform import Platform, rebuild_now, refresh_now, value
from tests.unit.api.observe.test_metrics import value as metric

LISTS = ("/users/one/leads", "/users/one/leads?search=ann", "/users/one/leads/stats", "/users/one/leads/4915")


Apps = Callable[..., FlaskClient]


@pytest.fixture
def apps(filled: Platform) -> Iterator[Apps]:
    """Gives clients of applications of one database, as its processes are: of some of them the memory is off."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(filled.database, **settings)).test_client()


def going_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes a check too old to be reused."""
    shift = [0.0]
    monkeypatch.setattr(memory, "monotonic", lambda: monotonic() + shift[0])

    def move() -> None:
        shift[0] += 0.011

    return move


def found(client: FlaskClient, address: str) -> Any:  # noqa: ANN401  # What it prints.
    answer = client.get(address)
    return answer.get_json().get("data"), answer.status_code, answer.headers.get("ETag")


def warm(client: FlaskClient, address: str) -> Any:  # noqa: ANN401  # What it prints.
    """Ask until the answer comes from memory."""
    client.get(address)
    before = metric("leads_api_answers_hits_total")
    again = found(client, address)
    assert metric("leads_api_answers_hits_total") == before + 1
    return again


def change(platform: Platform, name: str) -> None:
    platform.conn.execute("UPDATE agents SET name = %s", (name,))
    refresh_now(platform.conn)


def correct(platform: Platform) -> None:
    """Rebuild in place where there is drift."""
    platform.conn.execute("UPDATE agents SET name = 'Drifted'")
    platform.conn.execute("DELETE FROM projector.changes")
    rebuild_now(platform.conn)


def forget(platform: Platform) -> None:
    for table in ("messages", "template_sends", "extractions", "conversations", "contacts"):
        platform.conn.execute(f"DELETE FROM {table}".encode())
    refresh_now(platform.conn)
    erase(platform.conn, Target("one", "4915"), progress=QUIET)


CHANGES: dict[str, Callable[[Platform], None]] = {
    "a change": lambda platform: change(platform, "Zoe"),
    "a rebuild in place": correct,
    "a first build": lambda platform: rebuild_now(platform.conn, first=True),
    "an erasure": forget,
}


@pytest.mark.parametrize("how", CHANGES)
def test_an_answer_is_of_the_present_version(
    filled: Platform, apps: Apps, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    later = going_on(monkeypatch)
    first, other, without = apps(), apps(), apps(answers_mb=0)
    before = {address: [warm(client, address) for client in (first, other)] for address in LISTS}
    CHANGES[how](filled)
    later()
    for address in LISTS:
        expected = found(without, address)
        assert [found(client, address) for client in (first, other)] == [expected] * 2
        assert expected not in before[address] or how == "a first build"
        if expected[1] == 200:
            assert warm(first, address) == expected


def test_what_is_kept_was_read_at_the_version_that_it_is_kept_under(
    filled: Platform, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = going_on(monkeypatch)
    client, fetch, left = apps(), Database.fetch, ["Zoe"]
    client.get("/health/ready")

    def overtaken(self: Database, bound: Any) -> Any:  # noqa: ANN401
        row = fetch(self, bound)
        if left and "leads" in str(bound.statement):
            change(filled, left.pop())
        return row

    monkeypatch.setattr(Database, "fetch", overtaken)
    assert "Zoe" not in str(found(client, LISTS[0]))
    assert not left
    later()
    assert "Zoe" in str(found(client, LISTS[0]))


def test_a_window_ends_with_the_first_lead_that_leaves_it(filled: Platform, apps: Apps) -> None:
    now = [datetime.now(UTC)]
    conversation = filled.conversation(filled.agent("one"), "49200")
    at = now[0] - timedelta(days=7, hours=-1)
    filled.insert("messages", message_id="at", conversation_id=conversation, timestamp=at)
    refresh_now(filled.conn)
    client, without = (apps(answers_mb=size, clock=lambda: now[0]) for size in (64, 0))
    counts = []
    for hours in (0, 0.5, 1.5, 2):
        now[0] = at + timedelta(days=7, hours=hours - 1)
        for address in (f"{LISTS[0]}?days=7", LISTS[2], f"{LISTS[0]}/facets?days=7"):
            assert warm(client, address) == found(without, address)
        counts.append(len(found(client, f"{LISTS[0]}?days=7")[0]))
    assert counts[0] == counts[1] == counts[2] + 1 == counts[3] + 1


def test_who_waits_and_may_be_answered_moves_at_the_microsecond(filled: Platform, apps: Apps) -> None:
    at = datetime(2026, 3, 29, 12, tzinfo=UTC)
    conversation = filled.conversation(filled.agent("one"), "49200")
    filled.insert("messages", message_id="at", conversation_id=conversation, sender="user", timestamp=at)
    refresh_now(filled.conn)
    now = [at]
    client, without = (apps(answers_mb=size, clock=lambda: now[0]) for size in (64, 0))
    day, instant = timedelta(hours=24), timedelta(microseconds=1)
    for query, moves in (
        ("?waiting_minutes=90", (timedelta(minutes=90),)),
        ("?reply_window=open", (day,)),
        ("?reply_window=closed", (day,)),
        ("?reply_window_hours=2", (day - timedelta(hours=2), day)),
        ("/facets?facets=reply_window", (day,)),
    ):
        address = f"{LISTS[0]}{query}"
        for move in moves:
            seen = []
            for now[0] in (at + move - instant, at + move):
                seen.append(found(client, address))
                assert warm(client, address) == found(without, address) == seen[-1]
            # Nor does an earlier tag hold.
            assert seen[0][0] != seen[1][0]
            assert seen[0][2] != seen[1][2]


def test_no_caller_sees_a_tenant_go_back(
    filled: Platform, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if all of this came within the time for which a look is remembered.
    monkeypatch.setattr(memory, "PROBE_SECONDS", 3600.0)
    client = apps()
    warm(client, LISTS[0])
    change(filled, "Zoe")
    assert "Zoe" in client.get("/users/one/leads.ndjson").text
    assert "Zoe" in str(found(client, LISTS[0]))


def test_an_answer_from_memory_is_as_fresh_as_it_has_to_be(
    filled: Platform, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = going_on(monkeypatch)
    client = apps()
    asked = value(
        filled.conn,
        "SELECT least(shards[1], shards[2], shards[3], shards[4])::text FROM read_model.freshness",
    )
    address = f"{LISTS[0]}?min_as_of={quote(asked)}"
    warm(client, address)
    filled.conn.execute(
        "UPDATE read_model.freshness SET shards = ARRAY(SELECT one - interval '1 hour' FROM unnest(shards) AS one)"
    )
    later()
    assert client.get(LISTS[0]).status_code == 200
    assert client.get(address).status_code == 503
