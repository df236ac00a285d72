"""The source of the keys that verify tokens: a setting, or a URL from which they are fetched again and again."""

import json
import ssl
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from http.client import HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR, socket
from threading import BoundedSemaphore, Lock, Timer
from time import monotonic
from typing import Any
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import structlog

from api.config.jwt_keys import VerificationKeys, read_set
from api.database.errors import UnavailableError
from api.request.error_codes import ErrorCode

MAX_AGE_SECONDS = 300
"""How old the set may be before it is fetched again."""

PAUSE_SECONDS = 30
"""How long after an attempt this process does not fetch again for an unknown key or an old set."""

FIRST_PAUSE_SECONDS = 2
"""The same pause while this process has no set of keys yet, and so cannot verify any token."""

TIMEOUT_SECONDS = 3
"""How long a whole fetch may take."""

MAX_WAITING = 6
"""How many requests wait for the first set: each of them holds a thread of the server."""

MAX_BYTES = 256 * 1024

log = structlog.get_logger()


KeySource = Callable[[str | None], VerificationKeys]
"""Return all keys that may have signed a token with this key id. Raises UnavailableError while none is known."""


class FetchedKeys:
    """The keys of a URL. The last good set stays in use while the URL does not answer.

    A separate thread fetches the set. A request waits for it only if this process has no keys yet or has not fetched
    for a long time, or if it does not know the key id: the issuer may have a new key. Because strangers can invent key
    ids, that happens once in PAUSE_SECONDS, for one request at a time.
    """

    def __init__(self, url: str, algorithm: str) -> None:
        self._url = url
        self._algorithm = algorithm
        self._opener = build_opener(_NoRedirect, _BoundedHandler)
        self._keys: VerificationKeys = ()
        self._fetched_at = 0.0
        self._may_try_at = 0.0
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, "jwks")
        # The last fetch; a finished one before the first.
        self._fetching: Future[None] = Future()
        self._fetching.set_result(None)
        self._waiting = BoundedSemaphore(MAX_WAITING)

    def keys(self, key_id: str | None) -> VerificationKeys:
        """Return all keys. Raises UnavailableError while none is known, or another request looks for a new one."""
        now, is_first = monotonic(), not self._keys
        is_unknown = is_first or (key_id is not None and key_id not in {key.kid for key in self._keys})
        # After a long time without requests the set may be old, and hold revoked keys.
        is_wanted = is_unknown or now >= self._may_try_at + MAX_AGE_SECONDS
        has_begun = (is_wanted or now >= self._fetched_at + MAX_AGE_SECONDS) and self._begin()
        if is_wanted and (has_begun or is_first) and self._waiting.acquire(blocking=False):
            wait([self._fetching], TIMEOUT_SECONDS)
            self._waiting.release()
        if is_unknown and not self._fetching.done():
            raise UnavailableError(
                "The keys that tokens are checked with are being fetched", ErrorCode.KEYS_UNAVAILABLE
            )
        if not self._keys:
            raise UnavailableError(
                "The keys that tokens are checked with cannot be fetched now", ErrorCode.KEYS_UNAVAILABLE
            )
        return self._keys

    def _begin(self) -> bool:
        """Begin to fetch the set, unless a fetch is under way or was lately. Returns whether a fetch has begun."""
        with self._lock:
            if not self._fetching.done() or monotonic() < self._may_try_at:
                return False
            self._fetching = self._thread.submit(self._try)
        return True

    def _try(self) -> None:
        """Fetch the set, and keep the previous one if that fails."""
        ends = monotonic() + TIMEOUT_SECONDS
        try:
            self._keys = self._fetch()
            self._fetched_at = monotonic()
        except Exception as error:  # noqa: BLE001  # Whatever the answer makes the libraries raise.
            is_late = monotonic() >= ends
            problem = "the keys of LEADS_JWKS_URL cannot be fetched"
            if self._keys:
                problem += ": those fetched before stay in use"
            log.warning(
                problem,
                cause=f"the answer takes longer than {TIMEOUT_SECONDS} seconds" if is_late else str(error),
            )
        self._may_try_at = monotonic() + (PAUSE_SECONDS if self._keys else FIRST_PAUSE_SECONDS)

    def _fetch(self) -> VerificationKeys:
        """Return the keys of an answer of bounded size. Raises an error of any kind if there are none."""
        asked = {"Accept": "application/json", "User-Agent": "leads-api"}
        request = Request(self._url, headers=asked)  # noqa: S310  # Config admits https only.
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"the answer is longer than {MAX_BYTES // 1024} KiB")
        return read_set(json.loads(content), self._algorithm, with_secrets=False)


class _BoundedConnection(HTTPSConnection):
    """A connection that ends after TIMEOUT_SECONDS, because Python's own timeout begins anew at each read."""

    def connect(self) -> None:
        begun = monotonic()
        super().connect()
        end = Timer(max(0.0, begun + TIMEOUT_SECONDS - monotonic()), _end, [self.sock])
        end.daemon = True
        end.start()


def _end(connection: socket) -> None:
    # It may be closed already. The shutdown of the TLS socket would let the reading thread take encrypted bytes for
    # plain text, so this calls that of the plain socket.
    with suppress(OSError):
        socket.shutdown(connection, SHUT_RDWR)


class _BoundedHandler(HTTPSHandler):
    """Lets urllib open such connections."""

    def https_open(self, request: Request) -> HTTPResponse:
        """Return the answer to a request."""
        return self.do_open(_BoundedConnection, request, context=ssl.create_default_context())


class _NoRedirect(HTTPRedirectHandler):
    """Makes a redirect fail: the operator trusts the URL of the setting, and no other."""

    def redirect_request(self, *_arguments: Any, **_keywords: Any) -> None:  # noqa: ANN401  # As inherited.
        return None
