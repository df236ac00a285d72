"""One caller without a credential stops nobody: what it may not ask is refused early, and what waits is shared out."""

import json
from contextlib import ExitStack
from pathlib import Path
from socket import socket
from threading import Event
from typing import Any
from unittest.mock import Mock

import pytest

from api.config import Config
from api.config.values import networks
from api.limits.caller import caller_address
from api.limits.room import Line, Room
from api.server import callers
from api.server.app import create_app
from api.server.callers import Callers
from api.server.front import environ_of
from tests.support.cases import cases
from tests.support.patience import PATIENCE
from tests.support.running import wait_for
from tests.support.server import Database
from tests.unit.api.auth.tokens import add_key
from tests.unit.api.conftest import Library
from tests.unit.api.serving import Asking, Served, locked, served

LOOKUP = b'{"customer_phones": ["49151000001"]}'


def post(path: str, sent: bytes, *headers: str) -> bytes:
    """A request that announces the body of a look-up, and sends this."""
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(LOOKUP)}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + sent


def answer_of(connection: socket) -> tuple[int, dict[str, str], dict[str, Any]]:
    """The status, headers and body of an answer, whose connection the server has closed then."""
    text = b""
    while data := connection.recv(65536):
        text += data
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().lower().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), json.loads(body)


def test_a_body_is_read_last_and_not_for_long(filled: Database, tmp_path: Path) -> None:
    key = add_key(filled, "u")
    shown, path = f"Authorization: Bearer {key}", "/users/u/leads/lookup"
    with (
        served(
            filled,
            tmp_path,
            "import api.server.front as f; f.BODY_SECONDS = 0.5",
            LEADS_AUTH="key",
            LEADS_RATE_LIMIT="20 per hour",
        ) as server,
        ExitStack() as stack,
    ):

        def ask(*request: Any) -> tuple[int, dict[str, str], dict[str, Any]]:  # noqa: ANN401
            return answer_of(stack.enter_context(server.connect(post(*request))))

        # None of these waits for the rest of a body, and each ends its connection.
        assert ask("/x", b"{")[0] == 404
        assert ask(path, b"{")[0] == 401
        assert ask("/users/v/leads/lookup", b"{", shown)[0] == 403
        assert ask("/users/u/leads", b"{", shown)[0] == 405
        # Several at once, of which each has to end, whichever thread lets go of its body first.
        halves = [stack.enter_context(server.connect(post(path, b"{", shown))) for _ in range(8)]
        for status, headers, body in map(answer_of, halves):
            assert (status, headers["connection"]) == (408, "close")
            assert body.keys() == {"error", "message", "timestamp", "correlationId"}
        # Each has counted, and a whole one counts once.
        status, headers, body = ask(path, LOOKUP, shown, "Connection: close")
        assert (status, headers["x-ratelimit-remaining"]) == (200, "10")
        assert body["data"][0]["customer_phone"] == "49151000001"
        # Beyond 64 KiB it is refused, whatever the first of them say.
        chunk = LOOKUP + b" " * 65_536
        chunked = post(path, b"%x\r\n%b\r\n0\r\n\r\n" % (len(chunk), chunk), shown, "Connection: close")
        chunked = chunked.replace(f"Content-Length: {len(LOOKUP)}".encode(), b"Transfer-Encoding: chunked")
        assert answer_of(stack.enter_context(server.connect(chunked)))[0] == 413
        # Werkzeug takes several slashes for one, so this is a path of the tenant.
        begun = f"GET /{path.removesuffix('/lookup')} HTTP/1.1\r\nHost: localhost\r\n{shown}\r\n"
        listed = stack.enter_context(server.connect(f"{begun}Connection: close\r\n\r\n".encode()))
        assert answer_of(listed)[0] == 200
        # The body comes later than the head.
        late = stack.enter_context(server.connect(post(path, LOOKUP[:9], shown, "Connection: close")))
        late.sendall(LOOKUP[9:])
        assert answer_of(late)[0] == 200


def test_beyond_the_places_of_a_caller_others_are_answered(library: Library, tmp_path: Path) -> None:
    messages = f"{library.base}/{library.phone}/messages"
    # As many requests of one tenant as may run hold all of the threads, and a few wait.
    patches = (
        "import api.server.callers as c; c.PLACES_OF_THREAD = 1; c.MAX_WAITING = 0\n"
        "c.server_threads = lambda _: 5"
    )
    settings = {"LEADS_ANSWERS_MB": "0", "LEADS_API_THREADS": "9", "LEADS_CORS_ORIGINS": "https://a.example"}
    with (
        served(library.database, tmp_path, patches, **settings) as server,
        locked(library.database, "lead_messages") as wait_for_readers,
    ):
        dear = Asking(server, messages, 5)
        wait_for_readers(5)
        waiting = Asking(server, messages, 5)
        wait_for(lambda: len(waiting.answers) == 2, "two of the tenant are refused", PATIENCE)
        status, headers, body = waiting.answers[0]
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(body).keys() == {"error", "message", "timestamp", "correlationId"}
        assert json.loads(body)["correlationId"] == headers["x-correlation-id"]
        assert headers["vary"] == "Accept-Encoding, Origin"
        assert headers["x-error-code"] == "busy"
        other = Asking(server, "/users/another/leads/stats", 1)
        # No thread is free, and these need none, or have their own.
        assert server.get("/health/live")[0] == 200
        assert server.get("/openapi.json")[0] == 200
        assert server.get("/nothing")[0] == 404
        assert not other.answers
    assert dear.finish() == [200] * 5
    assert waiting.finish() == [200] * 3 + [503] * 2
    assert other.finish() == [200]


def test_readiness_and_metrics_are_given_again_for_a_moment(library: Library, tmp_path: Path) -> None:
    patches = f"import api.server.front as f; f.REPEAT_SECONDS = {PATIENCE}"
    with served(library.database, tmp_path, patches) as server, library.database.connect() as conn:
        metrics = [server.get("/metrics") for _ in "12"]
        assert metrics[0][2] == metrics[1][2]
        assert metrics[0][1]["x-correlation-id"] != metrics[1][1]["x-correlation-id"]
        with conn.transaction(force_rollback=True):
            conn.execute("LOCK TABLE read_model.projection")
            # Nothing is read.
            assert server.get("/metrics")[2] == metrics[0][2]
        # A HEAD is another request.
        assert server.get("/metrics", "HEAD")[2] == b""
    folder = tmp_path / "old"
    folder.mkdir()
    with served(library.database, folder, patches, LEADS_READY_MAX_AGE="0.000001") as server:
        errors = [json.loads(server.get("/health/ready")[2]) for _ in "12"]
        assert errors[0]["message"] == errors[1]["message"]
        assert errors[0]["correlationId"] != errors[1]["correlationId"]


def test_callers_have_their_turn_one_by_one() -> None:
    room, order, may_end = Room("room", 1, 5), list[str](), Event()
    blocked = Line(room, ("first",)).submit(may_end.wait, PATIENCE)
    wait_for(lambda: not room._all_waiting, "a thread takes the first")  # noqa: SLF001
    # Nothing has waited for hours.
    room._moved_at -= 7200  # noqa: SLF001
    for caller in ("a", "a", "a", "b"):
        line = room.line(caller)
        assert line is not None
        last = line.submit(order.append, caller)
    assert not room.stands_still(3600)
    wait_for(lambda: room.stands_still(0), "nobody has taken a call")
    # One place is left, and who has four of five gets none.
    assert room.line("c") is not None
    assert Room("room", 1, 5).line("a") is not None
    line = room.line("a")
    assert line is not None
    line.submit(order.append, "a")
    assert (room.line("a"), room.line("c")) == (None, None)
    may_end.set()
    last.result(PATIENCE)
    assert order[:2] == ["a", "b"]
    assert blocked.result() is True
    wait_for(lambda: len(order) == 5, "all have had their turn")
    assert not room.stands_still(0)


def test_a_thread_that_cannot_start_is_none_of_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    line, done = Line(Room("room", 1), ("a",)), Event()
    with monkeypatch.context() as patched:
        patched.setattr("threading.Thread.start", Mock(side_effect=RuntimeError("can't start new thread")))
        with pytest.raises(RuntimeError):
            line.run(done.set)
    line.run(lambda: None)
    assert done.wait(PATIENCE)


def environ(path: str, address: str, **more: str) -> dict[str, Any]:
    return {"PATH_INFO": path, "REMOTE_ADDR": address, "REQUEST_METHOD": "GET", "QUERY_STRING": "", **more}


def test_an_address_with_many_tenants_leaves_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "server_threads", lambda _: 1)
    monkeypatch.setattr(callers, "MAX_WAITING", 0)
    monkeypatch.setattr(callers, "PLACES_OF_THREAD", 5)
    open_to_all, may_end = Callers(Config(""), None), Event()
    for number in range(6):
        asked = environ(f"/users/{number}/leads", "192.0.2.1")
        line = open_to_all.line(asked)
        if number < 5:
            assert line is not None
            line.submit(may_end.wait, PATIENCE)
            wait_for(lambda: open_to_all._tenants._waiting.total() == 2 * number, "a thread takes the first")  # noqa: B023, SLF001
    assert line is None
    assert open_to_all.line(environ("/users/5/leads", "192.0.2.2")) is not None
    assert open_to_all.line(environ("/nothing", "192.0.2.1")) is not None
    assert not open_to_all.problem()
    monkeypatch.setattr(callers, "STILL_SECONDS", 0)
    assert "No thread has taken a request" in open_to_all.problem()
    may_end.set()
    wait_for(lambda: not open_to_all.problem(), "all are taken")


def test_exports_and_long_queries_take_no_thread_from_other_requests() -> None:
    some, may_end = Callers(Config(""), None), Event()
    of_exports = [
        rule for rule in create_app(Config("")).url_map.iter_rules() if rule.endpoint.startswith("exports.")
    ]
    costly = [environ(rule.rule.replace("<user_id>", "u"), "192.0.2.1") for rule in of_exports]
    costly += [environ("/users/u/leads.csv/", "192.0.2.1")]
    costly += [environ("/users/u/leads", "192.0.2.1", QUERY_STRING="x" * 30_000)]
    assert len(costly) > 6
    for number in range(60):
        line = some.line(costly[number % len(costly)])
        assert line is not None
        line.run(may_end.wait)
    threads = some._tenants._threads  # noqa: SLF001
    may_end.set()
    assert threads == 0
    line = some.line(environ("/users/u/leads", "192.0.2.1", QUERY_STRING="search=x"))
    assert line is not None
    assert line.submit(lambda: "answer").result(PATIENCE) == "answer"
    assert some._tenants._threads == 1  # noqa: SLF001


def test_an_address_that_asks_again_and_again_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "AT_ONCE_PER_SECOND", 2)
    monkeypatch.setattr(callers, "monotonic", lambda: 7.5)
    some = Callers(Config(""), None)
    assert [some.is_hasty(environ("/metrics", "192.0.2.1")) for _ in "123"] == [False, False, True]
    assert not some.is_hasty(environ("/health/live", "192.0.2.1"))
    assert not some.is_hasty(environ("/metrics", "192.0.2.2"))
    # Who writes another path each time is held back too.
    assert [some.is_hasty(environ(f"/{number}", "192.0.2.1")) for number in range(3)] == [False, False, True]
    monkeypatch.setattr(callers, "monotonic", lambda: 8.0)
    assert not some.is_hasty(environ("/metrics", "192.0.2.1"))


PROXIES = Config("", proxies=networks("10.0.0.5, 10.1.0.0/16")).proxies


@cases(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.5", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", "10.1.0.1", "10.1.0.1"),
        ("10.0.0.5", "203.0.113.9:50000, 10.1.2.3:443", "203.0.113.9"),
        ("10.0.0.5", "[2001:db8:1:2:3::4]:50000", "2001:db8:1:2::/64"),
        ("10.0.0.5", "[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
        ("10.0.0.5", "not an address", "not an address"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
    ],
)
def test_a_caller_is_known_by_its_own_address(peer: str, forwarded: str, expected: str) -> None:
    assert caller_address(environ("/", peer, HTTP_X_FORWARDED_FOR=forwarded), PROXIES) == expected


def test_a_header_with_an_underscore_is_none_of_a_proxy() -> None:
    names = (b"x-forwarded-for", b"x_forwarded_for", b"content_length")
    environ = environ_of(
        {
            "method": "GET",
            "raw_path": b"/",
            "query_string": b"",
            "headers": [(name, b"192.0.2.7") for name in names],
            "server": ("127.0.0.1", "4000"),
            "client": ("10.0.0.5", 50_000),
            "http_version": "1.1",
            "scheme": "http",
        }
    )
    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.7"
    assert "CONTENT_LENGTH" not in environ


def test_connections_of_an_address_beyond_its_share_are_ended(library: Library, tmp_path: Path) -> None:
    patches = "api.limits.connections.MAX_CONNECTIONS = 30; api.limits.connections.LOOK_SECONDS = 0.1"
    proxied = tmp_path / "proxied"
    proxied.mkdir()
    with served(library.database, tmp_path, patches) as server, ExitStack() as stack:
        _fill(server, stack, 29)
        server.wait_for_line("connections of one address were ended")
    with (
        served(library.database, proxied, patches, LEADS_PROXIES="127.0.0.0/8") as server,
        ExitStack() as stack,
    ):
        _fill(server, stack, 29)
        server.wait_for_line("nearly as many open connections")
        assert "were ended" not in server.log.read_text()


def _fill(server: Served, stack: ExitStack, count: int) -> None:
    """Open connections that say half a head."""
    for _ in range(count):
        stack.enter_context(server.connect(b"GET / HTTP/1.1\r\n"))
