"""The change feed and its event streams: what they send, what ends them, and what they cost."""

import asyncio
import http.client
import json
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from api.config import Config
from api.database.errors import UnavailableError
from api.database.listen import name_of
from api.plan.changes import ChangesRow
from api.request.parameters import Parameters
from api.request.position.change_token import LEADS, Position, Token, history_of
from api.request.query import QUERIES
from api.response.events import AWAY, EventStream
from api.server import streams
from api.server.streams import LiveStreams, _Viewer
from projector.operate import erase as erasure
from projector.operate.erase.ledger import Target
from projector.report.progress import QUIET
from tests.exactness.platform import refresh_now
from tests.support.cases import cases
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.points import at_points
from tests.support.running import value, wait_for, wait_until, write_conversations, write_message
from tests.support.server import Database
from tests.unit.api.auth.tokens import add_key, revoke_key
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.limits.test_connections import ask_and_never_read
from tests.unit.api.response.test_errors import check
from tests.unit.api.serving import served

FEED = "/users/u/lead-changes"
SHORT_KEYS = (
    "import api.auth.key_check as k, api.auth.authorizer as a; k.KEPT_SECONDS = a.KEPT_SECONDS = 0.05"
)
QUICK = "import api.server.streams as s; s.BEAT_SECONDS = s.POLL_SECONDS = s.RETRY_SECONDS = 0.05"

# That a stream has looked for changes since a moment.
HAS_LOOKED = (
    "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'leads-api'"
    " AND state = 'idle' AND query LIKE '%%AS place, CAST%%' AND query_start > %s)"
)
OPEN = ExitStack()


@pytest.fixture(autouse=True)
def _close_streams() -> Iterator[None]:
    yield
    OPEN.close()


class Stream:
    """An open stream, read event by event, and closed after the test."""

    def __init__(self, port: int, path: str = FEED, method: str = "GET", **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        self.connection.request(method, path, headers={"Accept": "text/event-stream", **sent})
        self.answer = self.connection.getresponse()
        OPEN.callback(self.close)
        self.status = self.answer.status

    def close(self) -> None:
        self.answer.close()
        self.connection.close()

    def event(self) -> dict[str, str]:
        """The next event that is none of a comment alone; empty at the end of the stream."""
        fields: dict[str, str] = {}
        until = time.monotonic() + PATIENCE
        while line := self.answer.readline().decode():
            assert time.monotonic() < until, "nothing but comments"
            name, _, text = line.rstrip("\n").partition(": ")
            if name.strip(":"):
                fields[name] = text
            elif fields and not line.strip():
                return fields
        return fields

    def change(self) -> tuple[str, Any]:
        """The token and the object of the next change."""
        while "data" not in (event := self.event()):
            assert event, "the stream has ended"
        return event["id"], json.loads(event["data"])

    def is_ended(self) -> bool:
        while event := self.event():
            assert "data" not in event
        return True


def change(database: Database, first: int, count: int = 1) -> None:
    with database.connect() as conn:
        write_conversations(conn, count, first=first)
        refresh_now(conn)


def test_a_stream_sends_what_the_feed_has_by_its_filters_and_goes_on_from_its_token(
    filled: Database, tmp_path: Path
) -> None:
    with served(filled, tmp_path, QUICK) as server:
        since = json.loads(server.get(FEED)[2])["next"]
        stream = Stream(server.port)
        assert (stream.status, stream.answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert stream.answer.headers["X-Data-As-Of"]
        opening = stream.event()
        assert (opening["id"], opening["retry"]) == (since, "1000")
        change(filled, first=2, count=3)
        seen = [stream.change() for _ in range(3)]
        assert [change for _, change in seen] == json.loads(server.get(f"{FEED}?since={since}")[2])["data"]
        # Each token goes on behind its own change, though one version has all of them.
        again = Stream(server.port, Last_Event_ID=seen[0][0])
        assert [again.change(), again.change()] == seen[1:]
        # And behind what was said of no change.
        assert [Stream(server.port, f"{FEED}?since={opening['id']}").change() for _ in "12"] == [seen[0]] * 2
        with filled.connect() as conn:
            conn.execute("DELETE FROM conversations")
            refresh_now(conn)
        assert again.change()[1]["deleted"] is True
        filtered = [Stream(server.port, f"{FEED}?platform={name}") for name in ("whatsapp", "instagram")]
        for opened in filtered:
            opened.event()
        change(filled, first=5)
        assert {stream.change()[1]["deleted"] for stream in filtered} == {True, False}
        plain, more = (
            Stream(server.port, f"{FEED}?attributes[tags]=vip{asked}")
            for asked in ("", "&include=attributes")
        )
        for opened in (plain, more):
            opened.event()
        with filled.connect() as conn:
            conn.execute(
                "INSERT INTO contacts (contact_id, user_id, phone, tags) VALUES ('k', 'u', '49151000005', '{vip}')"
            )
            refresh_now(conn)
        lead = plain.change()[1]["lead"]
        assert more.change()[1]["lead"] == {**lead, "attributes": {"tags": ["vip"]}}
        check = Stream(server.port, f"{FEED}?days=3")
        assert (check.status, json.loads(check.answer.read())["error"]) == (400, "Bad Request")
        assert Stream(server.port, Last_Event_ID="x").status == 400


def test_who_polls_misses_nothing(filled: Database, tmp_path: Path) -> None:
    """As behind a pooler, where no session can be told."""
    with served(filled, tmp_path, QUICK, LEADS_TENANT_SETTING="transaction") as server:
        stream = Stream(server.port)
        stream.event()
        server.wait_for_line("looked for every")
        change(filled, first=2)
        assert stream.change()[1]["customer_phone"] == "49151000002"


def test_who_listens_and_is_not_told_looks_too(filled: Database, tmp_path: Path) -> None:
    """As while the NOTIFY queue of the server is nearly full."""
    told_of_nobody = "s.read_told = lambda listener, read=s.read_told: (read(listener), ())[1]"
    with served(filled, tmp_path, f"{QUICK}; {told_of_nobody}") as server:
        stream = Stream(server.port)
        stream.event()
        server.wait_for_line("changes are told")
        for number in (2, 3):
            change(filled, first=number)
            assert stream.change()[1]["customer_phone"] == f"4915100000{number}"


def test_a_lost_session_is_opened_again(filled: Database, tmp_path: Path) -> None:
    with served(filled, tmp_path, QUICK) as server, filled.connect() as conn:
        stream = Stream(server.port)
        server.wait_for_line("changes are told")
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'leads-api' AND datname = current_database()"
        )
        change(filled, first=2)
        assert stream.change()[1]["customer_phone"] == "49151000002"
        wait_for(lambda: server.log.read_text().count("changes are told") > 1, "it listens again", PATIENCE)
        change(filled, first=3)
        assert stream.change()[1]["customer_phone"] == "49151000003"


def test_a_stream_ends_with_its_tenant(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "ROWS_PER_TRANSACTION", 1)
    with served(filled, tmp_path, QUICK) as server, filled.connect() as conn, filled.connect() as other:
        streams, exports = [Stream(server.port), Stream(server.port, "/users/u/status-changes")], list[str]()
        token = streams[0].event()["id"]
        conn.execute("DELETE FROM conversations")
        conn.execute("DELETE FROM users")
        refresh_now(conn)
        assert streams[0].change()[1]["deleted"] is True

        def begin_another(point: str) -> None:
            # A row that goes without a tombstone ends the tokens; this stream begins behind it.
            if point == "rows":
                began = value(other, "SELECT clock_timestamp()")
                streams.append(Stream(server.port))
                wait_until(other, HAS_LOOKED, began)

        with at_points(begin_another):
            erasure.erase(conn, Target("u"), progress=QUIET)
        for stream in (*streams, Stream(server.port, Last_Event_ID=token)):
            while (event := stream.event()).get("event") != "gone":
                assert event
            error = json.loads(event["data"])
            assert error["error"] == "Gone"
            exports += re.findall(r"export \((.*?)\)", error["message"])
            assert stream.is_ended()
        assert len(streams) > 2
        assert exports[:3] == ["leads.ndjson", "leads/status-history.ndjson", "leads.ndjson"]


def test_a_stream_ends_with_its_key(filled: Database, tmp_path: Path) -> None:
    patches = f"{QUICK}\n{SHORT_KEYS}"
    with served(filled, tmp_path, patches, LEADS_AUTH="key") as server:
        keys = [add_key(filled, "u") for _ in "12"]
        assert Stream(server.port).status == 401
        assert Stream(server.port, "/users/x/lead-changes", Authorization=f"Bearer {keys[0]}").status == 403
        ended, stays = (Stream(server.port, Authorization=f"Bearer {key}") for key in keys)
        revoke_key(filled, keys[0])
        assert ended.is_ended()
        change(filled, first=2)
        assert stays.change()


def test_a_stream_whose_key_was_revoked_has_no_further_change(filled: Database, tmp_path: Path) -> None:
    """It is looked at before each change, and not with the next beat alone."""
    patches = f"import api.server.streams as s; s.BEAT_SECONDS = 3600\n{SHORT_KEYS}"
    with served(filled, tmp_path, patches, LEADS_AUTH="key") as server, filled.connect() as conn:
        key = add_key(filled, "u")
        began = value(conn, "SELECT clock_timestamp()")
        stream = Stream(server.port, Authorization=f"Bearer {key}")
        wait_until(conn, HAS_LOOKED, began)
        revoke_key(filled, key)
        shown = f"Bearer {key}"
        wait_for(
            lambda: Stream(server.port, Authorization=shown).status == 401, "the key is refused", PATIENCE
        )
        change(filled, first=2)
        assert stream.is_ended()


def test_opening_counts_once_and_a_place_is_given_back(filled: Database, tmp_path: Path) -> None:
    settings = {"LEADS_RATE_LIMIT": "100 per hour", "LEADS_STREAMS": "3"}
    with served(filled, tmp_path, QUICK, **settings) as server:
        # Flask takes the second method for the first.
        streams = [Stream(server.port, method=method) for method in ("GET", "get")]
        assert all("id" in stream.event() for stream in streams)
        assert streams[1].answer.headers["X-RateLimit-Remaining"] == "98"
        beyond = Stream(server.port)
        assert (beyond.status, beyond.answer.headers["Retry-After"]) == (503, "1")
        # One place is left to the others.
        assert Stream(server.port, "/users/v/lead-changes").status == 200
        streams[0].close()
        wait_for(lambda: Stream(server.port).status == 200, "the place of one that left is free", PATIENCE)


def test_a_server_that_ends_sends_its_streams_away(filled: Database, tmp_path: Path) -> None:
    patches = f"{QUICK}\nimport api.__main__; api.__main__.STOP_SECONDS = {PATIENCE:.0f}"
    with served(filled, tmp_path, patches) as server:
        streams = [Stream(server.port) for _ in range(5)]
        tokens = [stream.event()["id"] for stream in streams]
        server.process.send_signal(signal.SIGTERM)
        for stream in streams:
            assert 500 <= int(stream.event()["retry"]) <= 5000
            assert stream.is_ended()
        assert server.process.wait(PATIENCE) == 0
    change(filled, first=2)
    with served(filled, tmp_path, QUICK) as server:
        assert Stream(server.port, Last_Event_ID=tokens[0]).change()[1]["customer_phone"] == "49151000002"


def test_who_does_not_read_is_ended_and_the_others_go_on(filled: Database, tmp_path: Path) -> None:
    patches = f"{QUICK}; s.UNREAD_SECONDS = 2"
    with served(filled, tmp_path, patches) as server, filled.connect() as conn:
        request = f"GET {FEED} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        reader = Stream(server.port)
        with ask_and_never_read(server, request.encode()):
            # As many as fill the buffers of the connection: some changes are one event for whoever lags.
            ends, written = time.monotonic() + PATIENCE, 0
            while "does not read it" not in server.log.read_text():
                assert time.monotonic() < ends
                write_message(conn, f"long-{written}", "long" * 15_000)
                refresh_now(conn)
                written += 1
                assert reader.change()[1]["lead"]["total_messages"] >= written


class Feed:
    """Stands for the read model: a reading sees the changes up to its beginning, and ends when it may."""

    def __init__(self) -> None:
        self.newest, self.begun, self.may_end = 1, 0, threading.Event()
        self.asked: list[Any] = []
        self.page: list[bytes] = []

    def resolved(self, parameters: Parameters) -> Parameters:
        return parameters

    def look(self, bound: object, _: Parameters) -> ChangesRow:
        newest = self.newest
        self.asked.append(bound)
        self.begun += 1
        assert self.may_end.wait(PATIENCE)
        return ChangesRow(None, None, None, None, None, b"", newest, None, None, b"", page=self.page)


def test_streams_at_one_token_share_a_reading_but_none_that_began_before_the_last_change() -> None:
    feed, live = Feed(), LiveStreams(Config("postgresql://nobody@127.0.0.1:1/nothing"), None)
    live._model = feed  # type: ignore[assignment]  # noqa: SLF001
    at = Token(Position(1), history_of(b"", b""))
    stream = EventStream("u", LEADS, QUERIES["listLeadChanges"].read(""), at, "", is_gone=False)

    async def newest_of(count: int) -> list[int]:
        """What so many streams reach that begin to read while another one is read."""
        feed.begun = 0
        task: asyncio.Task[object] = asyncio.create_task(asyncio.sleep(0))
        viewers = [_Viewer(stream, asks_for, name_of("u"), task) for asks_for in "x" * count]
        first = asyncio.create_task(live._page(viewers[0], at))  # noqa: SLF001
        await asyncio.to_thread(wait_for, lambda: feed.begun > 0, "it is read")
        if count > 2:
            feed.newest += 1
            live._changed({name_of("u")})  # noqa: SLF001
        others = [asyncio.create_task(live._page(viewer, at)) for viewer in viewers[1:]]  # noqa: SLF001
        await asyncio.sleep(0)
        feed.may_end.set()
        return [page.following.position.version for page in await asyncio.gather(first, *others)]

    assert asyncio.run(newest_of(2)) == [2, 2]
    assert feed.begun == 1
    feed.may_end.clear()
    assert asyncio.run(newest_of(3)) == [2, 3, 3]
    assert feed.begun == 2


def test_a_tenant_with_many_filters_keeps_no_other_waiting() -> None:
    feed, live = Feed(), LiveStreams(Config("postgresql://nobody@127.0.0.1:1/nothing"), None)
    live._model = feed  # type: ignore[assignment]  # noqa: SLF001
    at = Token(Position(1), history_of(b"", b""))

    def viewer_of(tenant: str, number: int) -> _Viewer:
        task: asyncio.Task[object] = asyncio.create_task(asyncio.sleep(0))
        stream = EventStream(tenant, LEADS, QUERIES["listLeadChanges"].read(""), at, "", is_gone=False)
        return _Viewer(stream, (tenant, number), tenant, task)

    async def read() -> int:
        """How many readings have begun while those of a tenant with many filters do not end."""
        tasks = [
            asyncio.create_task(live._page(viewer_of(tenant, number), at))  # noqa: SLF001
            for tenant in ("many", "other")
            for number in range(streams.READERS + 2)
        ]
        await asyncio.to_thread(wait_for, lambda: feed.begun >= streams.READERS, "all readers read")
        tenants = {call.values["user_id"] for call in feed.asked}
        feed.may_end.set()
        await asyncio.gather(*tasks)
        return len(tenants)

    assert asyncio.run(read()) == streams.READERS
    assert feed.begun == 2 * (streams.READERS + 2)
    assert not live._turns  # noqa: SLF001


def test_a_page_waits_for_the_first_change_and_is_not_kept_from_saying_what_is_wrong() -> None:
    feed, live = Feed(), LiveStreams(Config("postgresql://nobody@127.0.0.1:1/nothing"), None)
    live._model = feed  # type: ignore[assignment]  # noqa: SLF001
    feed.may_end.set()
    at = Token(Position(1), history_of(b"", b""))
    change = b'2 {"customer_phone":"1"}'

    async def wait(since: Token, seconds: float, page: Iterable[bytes] = ()) -> int:
        """How often it was read until the wait was over; after the first time there is a page."""
        feed.begun, feed.page = 0, []
        stream = EventStream("u", LEADS, QUERIES["listLeadChanges"].read(""), since, "", is_gone=False)
        waiting = asyncio.create_task(live.wait_for_change(stream, seconds, asyncio.Event()))
        await asyncio.to_thread(wait_for, lambda: feed.begun > 0 or waiting.done(), "it is read")
        feed.page = [*page]
        while page and not waiting.done():
            live._changed({name_of("u")})  # noqa: SLF001
            await asyncio.sleep(0.01)
        await asyncio.wait_for(waiting, PATIENCE)
        assert not live._viewers  # noqa: SLF001
        return feed.begun

    assert asyncio.run(wait(at, UNREACHED, [change])) > 1
    assert asyncio.run(wait(at, 0.05)) >= 1
    # A token of another history, and a database that is away.
    assert asyncio.run(wait(Token(Position(1), b"x" * 8), UNREACHED)) == 1
    feed.look = Mock(side_effect=UnavailableError("away"))  # type: ignore[method-assign]
    assert asyncio.run(wait(at, UNREACHED)) == 0


def test_a_stream_says_that_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RETRY_SECONDS", 0.01)
    live, at = LiveStreams(Config("postgresql://nobody@127.0.0.1:1/nothing"), None), Token(Position(1), b"")
    stream, sent = (
        EventStream("u", LEADS, QUERIES["listLeadChanges"].read(""), at, "", is_gone=False),
        asyncio.Event(),
    )

    async def send(data: bytes) -> None:
        assert data == AWAY or sent.is_set()
        sent.set()

    async def follow() -> None:
        task: asyncio.Task[object] = asyncio.create_task(asyncio.sleep(0))
        viewer = _Viewer(stream, "x", name_of("u"), task)
        following = asyncio.create_task(live._send_changes(viewer, send, sent))  # noqa: SLF001
        await asyncio.wait_for(following, PATIENCE)

    asyncio.run(follow())


@cases("since", ["x", "AAAA", "=", "%00"])
def test_what_is_no_token_is_refused(filled: Database, make_app: MakeApp, since: str) -> None:
    answer = make_app(filled).test_client().get(f"{FEED}?since={since}&wait=20")
    check(answer, 400)
    assert "since" in answer.get_json()["message"]


def test_a_token_is_of_one_tenant(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database).test_client()
    token = client.get(f"/users/{library.tenant}/lead-changes").get_json()["next"]
    other = next(user_id for user_id in library.model.leads if user_id != library.tenant)
    check(client.get(f"/users/{other}/lead-changes?since={token}"), 400)
