"""Keys from an address: a real server with TLS, which changes its keys, goes away and misbehaves."""

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import sleep
from types import SimpleNamespace
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from werkzeug.serving import make_ssl_devcert

from api.auth import key_sources
from api.auth.key_sources import MAX_AGE_SECONDS, PAUSE_SECONDS, FetchedKeys
from api.config.auth import AuthConfig
from api.config.jwt_keys import VerificationKeys, read_keys
from api.database.errors import UnavailableError
from tests.support.cases import cases
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.running import wait_for
from tests.unit.api.auth.tokens import EC, OTHER_RSA, RSA, bearer, claims, signed
from tests.unit.api.conftest import Library, MakeApp


class Issuer:
    """An https server with a set of keys. Its answers are set by the test; it notes what is asked."""

    def __init__(self, port: int) -> None:
        self.url = f"https://localhost:{port}/jwks.json"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"{}"
        self.asked: list[str] = []
        # After what it sends a byte from time to time, and whether its caller has hung up.
        self.drip = b""
        self.was_left = Event()

    def publish(self, **keys: RSAKey | ECKey) -> None:
        """Have the set hold these keys, each under its id."""
        self.status, self.headers = 200, {}
        self.body = json.dumps(
            {"keys": [{**key.as_dict(private=False), "kid": kid} for kid, key in keys.items()]}
        ).encode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of a certificate for localhost that has signed itself, and of its key."""
    return make_ssl_devcert(str(tmp_path_factory.mktemp("issuer") / "issuer"), cn="localhost")


@pytest.fixture
def issuer(certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.setenv("NO_PROXY", "localhost")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.asked.append(self.path)
            if endpoint.drip:
                self.wfile.write(endpoint.drip)
                try:
                    for _ in range(int(UNREACHED * 50)):
                        self.wfile.write(b"a")
                        sleep(0.02)
                except OSError:
                    endpoint.was_left.set()
                return
            self.send_response(endpoint.status)
            for name, value in endpoint.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(endpoint.body)))
            self.end_headers()
            self.wfile.write(endpoint.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        endpoint = Issuer(server.server_address[1])
        endpoint.publish(a=RSA)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(key_sources, "monotonic", lambda: clock.now)
    return clock


def ids(source: FetchedKeys, key_id: str | None = None) -> set[str | None]:
    return {key.kid for key in source.keys(key_id)}


def test_when_the_set_is_fetched_again(issuer: Issuer, clock: SimpleNamespace) -> None:
    source = FetchedKeys(issuer.url, "")
    assert [ids(source, "a") for _ in range(3)] == [{"a"}] * 3
    clock.now += MAX_AGE_SECONDS - 1
    assert ids(source) == {"a"}
    assert len(issuer.asked) == 1
    issuer.publish(b=EC)
    clock.now += 1
    # After five minutes; no request waits for it.
    assert ids(source) == {"a"}
    wait_for(lambda: ids(source) == {"b"}, "the new set is there")
    assert len(issuer.asked) == 2
    issuer.publish(a=RSA, b=OTHER_RSA)
    clock.now += PAUSE_SECONDS
    # At once for a new key, and strangers cannot have it asked often.
    for key_id in ("a", *(f"invented {number}" for number in range(100))):
        assert ids(source, key_id) == {"a", "b"}
    assert len(issuer.asked) == 3
    issuer.publish(c=EC)
    clock.now += MAX_AGE_SECONDS + PAUSE_SECONDS
    # At once after a time without requests: the key a was taken back meanwhile.
    assert ids(source, "a") == {"c"}
    # While the issuer is away, that is tried once, and no further request waits.
    issuer.status = 500
    clock.now += MAX_AGE_SECONDS + PAUSE_SECONDS
    assert [ids(source, "c") for _ in range(3)] == [{"c"}] * 3
    assert len(issuer.asked) == 5


@cases(
    ("status", "headers", "body"),
    [
        (200, {}, b"<html>"),
        (200, {}, b'{"keys": []}'),
        (200, {}, b"[" * 100_000),
        (200, {}, b"\xff"),
        (200, {}, b'{"keys": [{"kty": "oct", "k": "' + b"YWFh" * 20 + b'"}]}'),
        (200, {}, b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}'),
        (200, {}, json.dumps({"keys": [RSA.as_dict(private=True)]}).encode()),
        (200, {}, json.dumps({"keys": [{**RSA.as_dict(private=False), "use": "enc"}]}).encode()),
        (200, {}, b" " * (key_sources.MAX_BYTES + 1)),
        (301, {"Location": "/other.json"}, b""),
        (308, {"Location": "file:///etc/passwd"}, b""),
    ],
)
def test_an_answer_that_is_no_set_of_public_keys(
    issuer: Issuer, clock: SimpleNamespace, status: int, headers: dict[str, str], body: bytes
) -> None:
    issuer.asked.clear()
    issuer.publish(a=RSA)
    source = FetchedKeys(issuer.url, "")
    assert ids(source) == {"a"}
    issuer.status, issuer.headers, issuer.body = status, headers, body
    clock.now += PAUSE_SECONDS
    # Those fetched before stay.
    assert ids(source, "b") == {"a"}
    assert issuer.asked == ["/jwks.json"] * 2
    with pytest.raises(UnavailableError):
        FetchedKeys(issuer.url, "").keys(None)


def test_a_certificate_that_nobody_vouches_for(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(UnavailableError):
        FetchedKeys(issuer.url, "").keys(None)
    assert issuer.asked == []


@cases("drip", [b"HTTP/1.0 200 OK\r\nX-Slow: ", b"HTTP/1.0 200 OK\r\nContent-Length: 200000\r\n\r\n"])
def test_a_set_that_drips_is_left_when_its_time_is_over(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, drip: bytes
) -> None:
    monkeypatch.setattr(key_sources, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(key_sources, "FIRST_PAUSE_SECONDS", 0)
    source = FetchedKeys(issuer.url, "")
    issuer.drip = drip
    issuer.was_left.clear()
    with pytest.raises(UnavailableError):
        source.keys("a")
    assert issuer.was_left.wait(PATIENCE)
    issuer.drip = b""
    monkeypatch.setattr(key_sources, "TIMEOUT_SECONDS", UNREACHED)
    wait_for(source._fetching.done, "the fetch has ended")  # noqa: SLF001
    assert ids(source) == {"a"}


class Hanging:
    """Stands for the fetch of a set, which takes as long as the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.may_go_on = 0, Event()
        self.set: VerificationKeys = read_keys(json.dumps({**RSA.as_dict(private=False), "kid": "a"}), "")
        monkeypatch.setattr(FetchedKeys, "_fetch", lambda _: self.fetch())

    def fetch(self) -> VerificationKeys:
        self.begun += 1
        assert self.may_go_on.wait(PATIENCE)
        return self.set


@pytest.mark.usefixtures("clock")
def test_few_wait_for_the_first_set_and_all_others_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sources, "TIMEOUT_SECONDS", UNREACHED)
    hanging, source = Hanging(monkeypatch), FetchedKeys("https://issuer.example", "")
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(ids, source, f"invented {number}") for number in range(40)]
        answered = 40 - key_sources.MAX_WAITING
        wait_for(lambda: sum(future.done() for future in asked) == answered, "the others are answered")
        assert {type(future.exception()) for future in asked if future.done()} == {UnavailableError}
        hanging.may_go_on.set()
        assert sum(future.exception(PATIENCE) is None for future in asked) == key_sources.MAX_WAITING
    assert hanging.begun == 1
    # No place is lost.
    assert all(source._waiting.acquire(blocking=False) for _ in range(key_sources.MAX_WAITING))  # noqa: SLF001


def test_nobody_waits_longer_than_for_a_fetch_and_known_keys_go_on_however_long_it_hangs(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sources, "TIMEOUT_SECONDS", 0.05)
    hanging, source = Hanging(monkeypatch), FetchedKeys("https://issuer.example", "")
    with pytest.raises(UnavailableError, match="being fetched"):
        source.keys("a")
    hanging.may_go_on.set()
    wait_for(source._fetching.done, "the set is there")  # noqa: SLF001
    hanging.may_go_on.clear()
    # The next fetch hangs, as while a name server does not answer.
    for seconds in (PAUSE_SECONDS, MAX_AGE_SECONDS, 10 * MAX_AGE_SECONDS):
        clock.now += seconds
        assert ids(source, "a") == ids(source) == {"a"}
        with pytest.raises(UnavailableError, match="being fetched"):
            source.keys("b")
    assert hanging.begun == 2
    hanging.may_go_on.set()


def test_one_request_looks_for_a_new_key_and_the_others_do_not_wait(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sources, "TIMEOUT_SECONDS", UNREACHED)
    hanging, source = Hanging(monkeypatch), FetchedKeys("https://issuer.example", "")
    hanging.may_go_on.set()
    assert ids(source) == {"a"}
    hanging.may_go_on.clear()
    clock.now += PAUSE_SECONDS
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ids, source, "b")
        wait_for(lambda: hanging.begun == 2, "a request looks for a new key")
        with pytest.raises(UnavailableError, match="being fetched"):
            source.keys("b")
        # Tokens of known keys go on meanwhile.
        assert ids(source, "a") == {"a"}
        hanging.may_go_on.set()
        assert waiting.result(PATIENCE) == {"a"}


def test_a_rotation_as_callers_see_it(
    issuer: Issuer, clock: SimpleNamespace, library: Library, make_app: MakeApp
) -> None:
    auth = AuthConfig(("jwt",), jwks_url=issuer.url)
    client = make_app(library.database, auth=auth).test_client()

    def status(key: Any, kid: str, **said: object) -> int:  # noqa: ANN401
        # Of a fixed end, so that the same call makes the same token in each second.
        token = signed(claims(sub=library.tenant, exp=4_000_000_000, **said), key, "RS256", kid=kid)
        return client.get(library.base, headers=bearer(token)).status_code

    assert [status(RSA, "a"), status(OTHER_RSA, "a")] == [200, 401]
    issuer.publish(b=OTHER_RSA)
    clock.now += PAUSE_SECONDS
    # The key is gone, and tokens that it signed are not accepted any more; one that is kept is, for a minute.
    assert [status(OTHER_RSA, "b"), status(RSA, "a", jti="new"), status(RSA, "a")] == [200, 401, 200]
