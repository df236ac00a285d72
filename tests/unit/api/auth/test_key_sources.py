"""Keys from an address: a real server with TLS, which changes its keys, goes away and misbehaves."""

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
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
from tests.support.patience import PATIENCE
from tests.support.running import wait_for
from tests.unit.api.auth.tokens import EC, OTHER_RSA, RSA, claims, signed
from tests.unit.api.conftest import Library, MakeApp


class Issuer:
    """An https server with a set of keys. Its answers are set by the test; it notes what is asked."""

    def __init__(self, port: int) -> None:
        self.url = f"https://localhost:{port}/jwks.json"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"{}"
        self.asked: list[str] = []

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
            found.asked.append(self.path)
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        found = Issuer(server.server_address[1])
        found.publish(a=RSA)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(key_sources, "monotonic", lambda: found.now)
    return found


def ids(source: FetchedKeys, key_id: str | None = None) -> set[str | None]:
    return {key.key_id for key in source.keys(key_id)}


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
    for wanted in ("a", *(f"invented {number}" for number in range(100))):
        assert ids(source, wanted) == {"a", "b"}
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


def test_without_any_keys_nothing_can_be_checked(issuer: Issuer, clock: SimpleNamespace) -> None:
    issuer.status = 500
    source = FetchedKeys(issuer.url, "")
    for _ in range(5):
        with pytest.raises(UnavailableError):
            source.keys("a")
    # Requests do not wait for it one after another.
    assert len(issuer.asked) == 1
    issuer.publish(a=RSA)
    clock.now += key_sources.FIRST_PAUSE_SECONDS
    assert ids(source) == {"a"}


@cases(
    ("status", "headers", "body"),
    [
        (200, {}, b""),
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {}, b'{"keys": []}'),
        (200, {}, b'{"keys": {}}'),
        (200, {}, b"[" * 100_000),
        (200, {}, b"\xff"),
        (200, {}, b'{"keys": [{"kty": "oct", "k": "' + b"YWFh" * 20 + b'"}]}'),
        (200, {}, b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}'),
        (200, {}, json.dumps({"keys": [RSA.as_dict(private=True)]}).encode()),
        (200, {}, json.dumps({"keys": [{**RSA.as_dict(private=False), "use": "enc"}]}).encode()),
        (200, {}, b" " * (key_sources.MAX_BYTES + 1)),
        (301, {"Location": "/other.json"}, b""),
        (302, {"Location": "https://127.0.0.1:1/other.json"}, b""),
        (307, {"Location": "http://127.0.0.1:1/other.json"}, b""),
        (308, {"Location": "file:///etc/passwd"}, b""),
        (404, {}, b"{}"),
        (503, {}, b"{}"),
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


def test_one_request_looks_for_a_new_key_and_the_others_do_not_wait(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = Event(), Event()
    sets: list[VerificationKeys] = [read_keys(json.dumps({**RSA.as_dict(private=False), "kid": "a"}), "")]

    def fetch() -> VerificationKeys:
        if len(sets) == 1:
            sets.append(sets[0])
            return sets[0]
        begun.set()
        assert go_on.wait(PATIENCE)
        return sets[0]

    monkeypatch.setattr(FetchedKeys, "_fetch", lambda _: fetch())
    source = FetchedKeys("https://issuer.example", "")
    assert ids(source) == {"a"}
    clock.now += PAUSE_SECONDS
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ids, source, "b")
        assert begun.wait(PATIENCE)
        with pytest.raises(UnavailableError, match="being fetched"):
            source.keys("b")
        # Tokens of known keys go on meanwhile.
        assert ids(source, "a") == {"a"}
        go_on.set()
        assert waiting.result(PATIENCE) == {"a"}


def test_a_rotation_and_an_outage_as_callers_see_them(
    issuer: Issuer, clock: SimpleNamespace, library: Library, make_app: MakeApp
) -> None:
    auth = AuthConfig(("jwt",), jwks_url=issuer.url)
    client = make_app(library.database, auth=auth).test_client()

    def status(key: Any, kid: str, **said: object) -> int:  # noqa: ANN401
        token = signed(claims(sub=library.tenant, **said), key, "RS256", kid=kid)
        return client.get(library.base, headers={"Authorization": f"Bearer {token}"}).status_code

    assert status(RSA, "a") == 200
    assert status(OTHER_RSA, "a") == 401
    issuer.publish(b=OTHER_RSA)
    clock.now += PAUSE_SECONDS
    assert status(OTHER_RSA, "b") == 200
    # The key is gone, and tokens that it signed are not accepted any more; one that is kept is, for a minute.
    assert status(RSA, "a", jti="new") == 401
    issuer.status = 500
    clock.now += MAX_AGE_SECONDS
    assert status(OTHER_RSA, "b", jti="another") == 200
    # 503 while the set is being fetched.
    assert status(OTHER_RSA, "c") in {401, 503}
