"""How a lead came to its status, and what the feed of these changes reports, after each step of stories."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from api.request.position import change_token
from api.request.position.change_token import STATUSES, Position
from projector.operate import erase as erasure
from projector.operate.erase.ledger import Target
from projector.report.progress import QUIET
from projector.scheduler.jobs import prune_tombstones
from projector.sweep.verify import verify
from tests.exactness.feed_copy import serving
from tests.exactness.platform import Platform, assert_exact, assert_verified, rebuild_now, refresh_now, value

Identity = tuple[str, str, str | None]


def extraction_of(name: str) -> str:
    return str(UUID(int=ord(name)))


def read(name: str, status: str | None, at: str | None, *, of: str = "c", is_latest: bool = False) -> str:
    """Return the command that inserts an extraction, at so many hours or so."""
    tag = "NULL" if status is None else f"'{status}'"
    return (
        "INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag, extracted_at, is_latest)"
        f" VALUES ('{extraction_of(name)}', '{of}', {tag}, {_time(at)}, {is_latest})"
    )


def edited(name: str, columns: str) -> str:
    return f"UPDATE extractions SET {columns} WHERE extraction_id = '{extraction_of(name)}'"


def moved(name: str, at: str | None) -> str:
    return edited(name, f"extracted_at = {_time(at)}")


def gone(name: str) -> str:
    return f"DELETE FROM extractions WHERE extraction_id = '{extraction_of(name)}'"


def _time(at: str | None) -> str:
    return "NULL" if at is None else f"'2025-01-01 {at}'"


@dataclass(frozen=True)
class Step:
    """A change of source rows; the history of the lead after it, oldest first, and what the feed tells of it.

    A change is the name of its extraction and the first letter of the status, `-` for none. What is withdrawn has a `!`
    before it.
    """

    command: str
    history: str
    told: str


# The lead 4915 has the conversations `c` and `d`, and 4916 has `e`.
STORIES = {
    "it becomes Hot, and what is said again is no change": [
        Step(read("a", "cold", "10:00"), "aC", "aC"),
        Step(read("b", "hot", "12:00"), "aC bH", "bH"),
        Step(read("f", "Hot", "13:00", of="d"), "aC bH", ""),
        Step("INSERT INTO messages (message_id, conversation_id, sender) VALUES ('x', 'c', 'user')", "aC bH", ""),
        Step(read("g", "warm", "11:00"), "aC gW bH", "gW"),
        # A late one of the same status moves the change.
        Step(read("h", "hot", "11:30"), "aC gW hH", "!bH hH"),
    ],
    "the winner is the last": [
        Step(read("a", "cold", "10:00", is_latest=True), "aC", "aC"),
        Step(read("b", "hot", "12:00"), "aC", ""),
        Step(edited("b", "is_latest = true"), "aC bH", "bH"),
        Step(edited("b", "is_latest = false"), "aC", "!bH"),
        Step(edited("b", "is_latest = true"), "aC bH", "bH"),
    ],
    "of one millisecond the last counts": [
        Step(read("a", "cold", "10:00:00.0004"), "aC", "aC"),
        Step(read("b", "hot", "10:00:00.0008"), "bH", "!aC bH"),
        Step(read("f", "warm", "10:00:00.0008"), "fW", "!bH fW"),
        Step(moved("f", "10:00:00.001"), "bH fW", "!fW bH fW"),
    ],
    "of equal times the latest one counts": [
        Step(read("a", "hot", "10:00", is_latest=True), "aH", "aH"),
        Step(read("f", "warm", "10:00"), "aH", ""),
        Step(read("b", "cold", "11:00", is_latest=True), "aH bC", "bC"),
        Step(edited("a", "is_latest = false"), "fW bC", "!aH fW"),
    ],
    "without a time": [
        Step(read("b", "hot", None), "bH", "bH"),
        Step(read("a", "cold", None), "bH", ""),
        Step(read("f", "warm", "10:00"), "bH fW", "fW"),
        Step(moved("a", "11:00"), "bH fW aC", "aC"),
    ],
    "no status is one, but not at first": [
        Step(read("a", None, "10:00"), "", ""),
        Step(read("b", "hot", "11:00"), "bH", "bH"),
        Step(read("f", "unknown", "12:00"), "bH f-", "f-"),
        Step(read("g", None, "13:00"), "bH f-", ""),
        Step(read("h", "Hot", "14:00"), "bH f- hH", "hH"),
        Step(edited("a", "lead_status_tag = 'warm'"), "aW bH f- hH", "aW"),
        Step(edited("f", "lead_status_tag = 'hot'"), "aW bH g- hH", "!f- g-"),
    ],
    "an extraction is edited, moves in time, and goes": [
        Step(read("a", "cold", "10:00"), "aC", "aC"),
        Step(read("b", "hot", "11:00"), "aC bH", "bH"),
        Step(edited("b", "lead_status_tag = 'warm'"), "aC bW", "!bH bW"),
        Step(edited("b", "total_score = 9"), "aC bW", "!bW bW"),
        # It is the same change at another time.
        Step(moved("b", "12:00"), "aC bW", "!bW bW"),
        Step(moved("b", "09:00"), "bW aC", "!bW bW"),
        Step(edited("a", "total_score = 7"), "bW aC", "!aC aC"),
        Step(edited("b", "total_score = 8"), "bW aC", "!bW bW"),
        Step(gone("a"), "bW", "!aC"),
        Step(read("a", "cold", "10:00"), "bW aC", "aC"),
        Step("DELETE FROM extractions", "", "!bW !aC"),
    ],
    "the table is emptied": [
        Step(read("a", "cold", "10:00"), "aC", "aC"),
        Step(read("b", "hot", "11:00"), "aC bH", "bH"),
        Step(read("f", "hot", "11:00", of="e"), "aC bH", "fH"),
        Step("TRUNCATE extractions", "", "!aC !bH !fH"),
        Step(read("b", "hot", "12:00"), "bH", "bH"),
    ],
    "a conversation comes and goes": [
        Step(read("a", "cold", "10:00"), "aC", "aC"),
        Step(read("b", "hot", "11:00", of="e"), "aC", "bH"),
        Step("UPDATE conversations SET customer_phone = '4915' WHERE conversation_id = 'e'", "aC bH", "!bH bH"),
        Step("UPDATE conversations SET customer_phone = '4916' WHERE conversation_id = 'e'", "aC", "!bH bH"),
        Step("DELETE FROM conversations WHERE conversation_id = 'e'", "aC", "!bH"),
    ],
}  # fmt: skip


@dataclass
class Watch:
    """Who follows the feed, a change a page, and knows what stands by what identifies a change.

    What stands is told again only after it was withdrawn.
    """

    client: FlaskClient
    token: str = ""
    standing: set[Identity] = field(default_factory=set)

    def ask(self, query: str = "") -> tuple[int, dict[str, Any]]:
        answer = self.client.get(f"/users/one/status-changes?{query}")
        return answer.status_code, answer.get_json()

    def begin(self) -> None:
        status, body = self.ask()
        assert (status, body["data"], body["hasMore"]) == (200, [], False)
        self.token = body["next"]
        self.standing = self.stored()

    def follow(self) -> str:
        told: list[str] = []
        while True:
            status, body = self.ask(f"since={self.token}&limit=1")
            assert status == 200, body
            # A client that lost the answer gets it again.
            assert self.ask(f"since={self.token}&limit=1")[1]["data"] == body["data"]
            for change in body["data"]:
                told.append("!" * change["withdrawn"] + _short(change))
                if change["withdrawn"]:
                    # It may have come and gone since.
                    self.standing.discard(_identity(change))
                else:
                    assert _identity(change) not in self.standing, change
                    self.standing.add(_identity(change))
            self.token = body["next"]
            if not body["hasMore"]:
                return " ".join(told)
            assert len(told) < 9, told

    def history(self, phone: str = "4915") -> str:
        body = self.client.get(f"/users/one/leads/{phone}/history").get_json()
        return " ".join(map(_short, reversed(body["data"]["transitions"])))

    def stored(self) -> set[Identity]:
        lines = self.client.get("/users/one/leads/status-history.ndjson").get_data(as_text=True)
        return {_identity(change) for change in map(json.loads, lines.splitlines())}


def _identity(change: dict[str, Any]) -> Identity:
    return change["customer_phone"], change["extraction_id"], change["lead_status"]


def _short(change: dict[str, Any]) -> str:
    return chr(UUID(change["extraction_id"]).int) + (change["lead_status"] or "-")[0]


@pytest.fixture
def watch(filled: Platform) -> Iterator[Watch]:
    """Who follows a tenant with three conversations of two leads, and no extraction."""
    conn = filled.conn
    for name, phone in (("d", "4915"), ("e", "4916")):
        agent = filled.agent("one")
        filled.insert("conversations", conversation_id=name, agent_id=agent, customer_phone=phone)
    conn.execute("DELETE FROM extractions")
    refresh_now(conn)
    with serving(filled.database) as app:
        made = Watch(app.test_client())
        made.begin()
        yield made


@pytest.mark.parametrize("story", STORIES)
def test_history_and_feed_follow_each_step(filled: Platform, watch: Watch, story: str) -> None:
    conn = filled.conn
    for step in STORIES[story]:
        conn.execute(step.command.encode())
        refresh_now(conn)
        assert_exact(conn)
        assert watch.history() == step.history, step
        assert sorted(watch.follow().split()) == sorted(step.told.split()), step
        assert watch.standing == watch.stored()
        assert watch.follow() == ""
    assert_verified(conn)
    for first in (False, True):
        rebuild_now(conn, first=first)
        assert_exact(conn)
        assert watch.history() == STORIES[story][-1].history
        # A rebuild tells nothing; after a first build, one begins anew.
        if first:
            assert watch.ask(f"since={watch.token}")[0] == 410
            watch.begin()
        assert watch.follow() == ""


# Each with what the feed then tells of each lead.
MASS_CHANGES = {
    "INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag, extracted_at)"
    " SELECT md5(c.conversation_id || n.tag)::uuid, c.conversation_id, n.tag, n.at FROM conversations AS c,"
    " (VALUES ('cold', timestamp '2025-01-01'), ('hot', timestamp '2025-01-02')) AS n (tag, at)":
        ["Cold", "Hot"],
    "UPDATE extractions SET lead_status_tag = 'warm' WHERE lead_status_tag = 'hot'": ["!Hot", "Warm"],
    "UPDATE extractions SET extracted_at = '2025-01-03' WHERE lead_status_tag = 'cold'": ["!Cold", "Cold"],
    "DELETE FROM extractions WHERE lead_status_tag = 'warm'": ["!Warm"],
    "TRUNCATE extractions": ["!Cold"],
}  # fmt: skip


def test_a_mass_change_moves_the_history_of_each_lead(filled: Platform, watch: Watch) -> None:
    conn = filled.conn
    conn.execute(
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone)"
        " SELECT 'many-' || n, %s, 49170000000 + n FROM generate_series(1, 120) AS n",
        (filled.agent("one"),),
    )
    refresh_now(conn)
    watch.begin()
    for command, told in MASS_CHANGES.items():
        conn.execute(command.encode())
        refresh_now(conn)
        assert_exact(conn)
        of_leads: dict[str, list[str]] = {}
        body: dict[str, Any] = {"hasMore": True}
        while body["hasMore"]:
            _, body = watch.ask(f"since={watch.token}&limit=100")
            watch.token = body["next"]
            for change in body["data"]:
                # The lead 4915 has two conversations.
                if change["customer_phone"] != "4915":
                    mark = "!" * change["withdrawn"] + change["lead_status"]
                    of_leads.setdefault(change["customer_phone"], []).append(mark)
        assert len(of_leads) == 121
        assert {tuple(sorted(marks)) for marks in of_leads.values()} == {tuple(sorted(told))}, command


def test_what_fills_the_history_tells_nothing(filled: Platform, watch: Watch) -> None:
    """As after an upgrade from a version that had none."""
    conn = filled.conn
    conn.execute(read("a", "cold", "10:00").encode())
    refresh_now(conn)
    assert watch.follow() == "aC"
    conn.execute("DELETE FROM read_model.lead_status_changes")
    conn.execute("UPDATE read_model.projection SET is_history_built = false, filled = '{}'")
    conn.execute(read("b", "hot", "11:00").encode())
    refresh_now(conn)
    # Until everything is filled nothing is told, nor withdrawn.
    conn.execute(gone("b").encode())
    conn.execute(read("f", "warm", "12:00").encode())
    refresh_now(conn)
    for query in ("", f"since={watch.token}"):
        status, body = watch.ask(query)
        assert (status, "Not built yet" in body.get("message", "")) == (503, True)
    stream = watch.client.get("/users/one/status-changes", headers={"Accept": "text/event-stream"})
    assert stream.status_code == 503
    rebuild_now(conn)
    assert_exact(conn)
    assert watch.follow() == ""
    assert watch.history() == "aC fW"
    conn.execute(read("g", "hot", "13:00").encode())
    refresh_now(conn)
    assert watch.follow() == "gH"


WRONG = {
    "DELETE FROM read_model.lead_status_changes WHERE lead_status = 'Hot'": "bH",
    "UPDATE read_model.lead_status_changes SET total_score = 99 WHERE lead_status = 'Hot'": "!bH bH",
    "UPDATE read_model.lead_status_changes SET lead_status = 'Warm' WHERE lead_status = 'Hot'": "bH !bW",
    "UPDATE read_model.lead_status_changes SET changed_at = '2025-01-01 13:00Z' WHERE lead_status = 'Hot'": "!bH bH",
    "INSERT INTO read_model.lead_status_changes (user_id, customer_phone, changed_at, extraction_id, conversation_id)"
    f" VALUES ('one', '4915', '2025-01-01 13:00Z', '{extraction_of('z')}', 'c')": "!z-",
}  # fmt: skip
"""What spoils the table, and what the feed tells once it is healed."""


def test_what_is_wrong_in_the_table_is_found_healed_and_told(filled: Platform, watch: Watch) -> None:
    conn = filled.conn
    for command in (read("a", "cold", "10:00"), read("b", "hot", "12:00")):
        conn.execute(command.encode())
    refresh_now(conn)
    watch.follow()
    for by_heal, (command, told) in product((True, False), WRONG.items()):
        conn.execute(command.encode())
        watch.standing = watch.stored()
        report = verify(conn, tenants=None, sample=None, heal=by_heal, progress=QUIET)
        assert {drift.customer_phone for drift in report.drifts} == {"4915"}, command
        if not by_heal:
            rebuild_now(conn)
        assert_exact(conn)
        assert watch.history() == "aC bH"
        assert sorted(watch.follow().split()) == sorted(told.split()), command


def test_what_was_withdrawn_is_told_so_before_it_is_told_again(filled: Platform, watch: Watch) -> None:
    """As if the platform extracts again: the old extraction is no longer the latest, and then there is another."""
    conn = filled.conn
    for command in (
        read("b", "cold", "10:00", of="d", is_latest=True),
        read("a", "hot", "11:00", is_latest=True),
    ):
        conn.execute(command.encode())
    refresh_now(conn)
    assert watch.follow() == "bC aH"
    for name, at in (("f", "12:00"), ("g", "13:00")):
        for command in ("UPDATE extractions SET is_latest = false", read(name, "hot", at, is_latest=True)):
            conn.execute(command.encode())
            conn.execute(edited("b", "is_latest = true").encode())
            refresh_now(conn)
        assert watch.history() == "bC aH"
        assert watch.follow() == "!aH aH"


EDITS = {
    # Both move to an earlier moment, b before a.
    f"UPDATE extractions SET extracted_at = extracted_at - CASE extraction_id WHEN '{extraction_of('b')}'"
    " THEN interval '4 hours' ELSE interval '1 hour' END": "!aC !bH bH aC",
    "UPDATE extractions SET total_score = 9": "!bH !aC bH aC",
}
"""Edits of a at 10:00 and b at 12:00, one after the other, each with what the feed then tells, in this order."""


def test_within_a_version_all_that_is_withdrawn_comes_first(filled: Platform, watch: Watch) -> None:
    conn = filled.conn
    for command in (read("a", "cold", "10:00"), read("b", "hot", "12:00")):
        conn.execute(command.encode())
    refresh_now(conn)
    assert watch.follow() == "aC bH"
    for command, told in EDITS.items():
        conn.execute(command.encode())
        refresh_now(conn)
        assert_exact(conn)
        assert watch.follow() == told


def test_a_token_of_the_order_by_time_loses_nothing(filled: Platform, watch: Watch) -> None:
    """As an older version gave it in the middle of a lead: that lead is told from its first change in that version."""
    conn = filled.conn
    for command in (
        read("a", "cold", "10:00"),
        edited("a", "extracted_at = '-infinity'"),
        read("b", "hot", "12:00"),
    ):
        conn.execute(command.encode())
    refresh_now(conn)
    begin = change_token.read("one", watch.token, STATUSES)
    watch.follow()
    conn.execute(b"UPDATE extractions SET extracted_at = extracted_at - interval '1 hour', total_score = 9")
    refresh_now(conn)
    for moment, mark in product(("0001-01-01T00:00:00.000Z", "2025-01-01T11:00:00.000Z"), "01"):
        key = f"4915\n{moment}\n{mark}"
        position = Position(begin.position.version + 1, key)
        old = change_token.write("one", begin._replace(position=position), STATUSES)
        body = watch.ask(f"since={old}")[1]
        assert [("!" * told["withdrawn"]) + _short(told) for told in body["data"]] == [
            "!aC",
            "!bH",
            "aC",
            "bH",
        ]


def test_a_token_that_is_older_than_a_withdrawn_change_is_gone(filled: Platform, watch: Watch) -> None:
    conn = filled.conn
    conn.execute(read("a", "hot", "10:00").encode())
    refresh_now(conn)
    watch.follow()
    old = watch.token
    conn.execute(gone("a").encode())
    refresh_now(conn)
    assert watch.follow() == "!aH"
    newest, of_leads = watch.token, watch.client.get("/users/one/lead-changes").get_json()["next"]
    conn.execute("UPDATE read_model.status_change_tombstones SET deleted_at = now() - interval '31 days'")
    prune_tombstones(conn, 30)
    assert value(conn, "SELECT count(*) FROM read_model.status_change_tombstones") == 0
    assert watch.follow() == ""
    assert watch.ask(f"since={old}")[0] == 410
    # Each feed ends only its own tokens.
    filled.insert("conversations", conversation_id="f", agent_id=filled.agent("one"), customer_phone="77")
    refresh_now(conn)
    conn.execute("DELETE FROM conversations WHERE conversation_id = 'f'")
    refresh_now(conn)
    conn.execute("UPDATE read_model.lead_tombstones SET deleted_at = now() - interval '31 days'")
    for status in (200, 410):
        answer = watch.client.get(f"/users/one/lead-changes?since={of_leads}")
        assert (answer.status_code, watch.ask(f"since={newest}")[0]) == (status, 200)
        prune_tombstones(conn, 30)


def test_an_erasure_leaves_no_change_and_ends_the_tokens(filled: Platform, watch: Watch) -> None:
    conn = filled.conn
    for command in (read("a", "cold", "10:00", of="e"), read("b", "hot", "11:00", of="e")):
        conn.execute(command.encode())
    refresh_now(conn)
    conn.execute(gone("b").encode())
    refresh_now(conn)
    assert watch.follow() == "aC !bH"
    # It comes again, and its tombstone stays.
    conn.execute(read("b", "hot", "11:00", of="e").encode())
    refresh_now(conn)
    assert watch.follow() == "bH"
    conn.execute(
        "DELETE FROM extractions WHERE conversation_id = 'e'; DELETE FROM conversations WHERE conversation_id = 'e'",
        prepare=False,
    )
    erasure.erase(conn, Target("one", "4916"), progress=QUIET)
    for table in ("lead_status_changes", "status_change_tombstones"):
        left = f"SELECT count(*) FROM read_model.{table} WHERE customer_phone = '4916'"
        assert value(conn, left) == 0
    assert watch.ask(f"since={watch.token}")[0] == 410


def test_each_feed_refuses_the_tokens_of_the_other(watch: Watch) -> None:
    other = watch.client.get("/users/one/lead-changes").get_json()["next"]
    assert watch.ask(f"since={other}")[0] == 400
    assert watch.client.get(f"/users/one/lead-changes?since={watch.token}").status_code == 400
