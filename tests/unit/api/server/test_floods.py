"""One caller without a credential stops nobody: what it may not ask is refused early, and what waits is shared out."""

import json
from contextlib import ExitStack
from pathlib import Path
from socket import socket
from typing import Any

import pytest

from api.config import Config
from api.config.values import networks
from api.limits import caller
from api.limits.caller import Haste, caller_address
from api.server.front import environ_of
from tests.support.cases import cases
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.running import wait_for
from tests.support.server import Database
from tests.unit.api.auth.tokens import add_key
from tests.unit.api.conftest import Library
from tests.unit.api.serving import Asking, Served, environ, locked, served

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
    # As many requests of one tenant as may run hold their slots, and a few wait.
    patches = f"import api.limits.admission as a; a.ANSWERS_OF_THREAD = 1; a.WAIT_SECONDS = {UNREACHED}"
    settings = {"LEADS_ANSWERS_MB": "0", "LEADS_API_THREADS": "5", "LEADS_CORS_ORIGINS": "https://a.example"}
    with (
        served(library.database, tmp_path, patches, **settings) as server,
        locked(library.database, "lead_messages") as wait_for_readers,
    ):
        dear = Asking(server, messages, 4)
        wait_for_readers(4)
        waiting = Asking(server, messages, 5)
        wait_for(lambda: len(waiting.answers) == 2, "two of the tenant are refused", PATIENCE)
        status, headers, body = waiting.answers[0]
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(body).keys() == {"error", "message", "timestamp", "correlationId"}
        assert json.loads(body)["correlationId"] == headers["x-correlation-id"]
        assert headers["vary"] == "Accept-Encoding, Origin"
        assert headers["x-error-code"] == "busy"
        # These need no slot, or have another one.
        for path in ("/health/live", "/openapi.json", "/users/another/leads/stats"):
            assert server.get(path)[0] == 200
        assert server.get("/nothing")[0] == 404
    assert dear.finish() == [200] * 4
    assert waiting.finish() == [200] * 3 + [503] * 2


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


def test_an_address_that_asks_again_and_again_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "AT_ONCE_PER_SECOND", 2)
    monkeypatch.setattr(caller, "monotonic", lambda: 7.5)
    haste = Haste((), frozenset({"/metrics", "/health/live"}))
    assert [haste.is_hasty(environ("/metrics", "192.0.2.1")) for _ in "123"] == [False, False, True]
    assert not haste.is_hasty(environ("/health/live", "192.0.2.1"))
    assert not haste.is_hasty(environ("/metrics", "192.0.2.2"))
    # Who writes another path each time is held back too.
    assert [haste.is_hasty(environ(f"/{number}", "192.0.2.1")) for number in range(3)] == [False, False, True]
    monkeypatch.setattr(caller, "monotonic", lambda: 8.0)
    assert not haste.is_hasty(environ("/metrics", "192.0.2.1"))


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
