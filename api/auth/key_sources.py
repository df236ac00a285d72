"""Where the keys that check tokens come from: a setting, or an address that is asked again from time to time."""

import json
import ssl
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from threading import Lock, Thread
from time import monotonic
from typing import Any
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import structlog

from api.config.jwt_keys import VerificationKeys, read_set
from api.database.errors import UnavailableError

MAX_AGE_SECONDS = 300
"""How old the set may be before it is fetched again."""

PAUSE_SECONDS = 30
"""How long after an attempt an unknown key, or an old set, does not make this process fetch again."""

FIRST_PAUSE_SECONDS = 2
"""The same while no set was fetched yet, and no token can be checked."""

TIMEOUT_SECONDS = 3
MAX_BYTES = 256 * 1024

# Each line of the log asks for its logger, because create_app configures structlog after this import.
log = structlog.get_logger


KeySource = Callable[[str | None], VerificationKeys]
"""Returns all keys that may have signed a token with this key id. Raises UnavailableError while none is known."""


class FetchedKeys:
    """The keys of an address. The last good set stays in use while the address does not answer.

    A request waits for the address only where this process has no keys yet or has not asked for long, and for a key id
    that it does not know: the issuer may have a new key. Strangers can invent key ids, so that happens once in
    PAUSE_SECONDS, for one request at a time.
    """

    def __init__(self, url: str, algorithm: str) -> None:
        self._url = url
        self._algorithm = algorithm
        self._opener = build_opener(_NoRedirect, HTTPSHandler(context=ssl.create_default_context()))
        self._keys: VerificationKeys = ()
        self._fetched_at = 0.0
        self._may_try_at = 0.0
        self._lock = Lock()

    def keys(self, key_id: str | None) -> VerificationKeys:
        """Returns all keys. Raises UnavailableError while none is known, or another request looks for a new one."""
        if not self._keys:
            with self._lock:
                if not self._keys:
                    self._try()
            if not self._keys:
                raise UnavailableError("The keys that tokens are checked with cannot be fetched now")
        elif (
            (key_id is not None and key_id not in {key.key_id for key in self._keys})
            # After a time without requests the set may be of any age, and hold keys that were taken back.
            or monotonic() >= self._may_try_at + MAX_AGE_SECONDS
        ):
            if monotonic() >= self._may_try_at and not self._try_alone():
                raise UnavailableError("The keys that tokens are checked with are being fetched")
        elif (
            monotonic() >= max(self._fetched_at + MAX_AGE_SECONDS, self._may_try_at)
            and not self._lock.locked()
        ):
            # In a thread of its own, so that no request waits. Where none can be started, another request tries.
            with suppress(RuntimeError):
                Thread(target=self._try_alone, name="jwks", daemon=True).start()
        return self._keys

    def _try_alone(self) -> bool:
        """Fetch the set, unless somebody does. Returns whether it was not being fetched."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._try()
        finally:
            self._lock.release()
        return True

    def _try(self) -> None:
        """Fetch the set if it is time, and keep the one before if that fails. The caller holds the lock."""
        if monotonic() < self._may_try_at:
            return
        try:
            self._keys = self._fetch()
            self._fetched_at = monotonic()
        except (OSError, ValueError, HTTPException, RecursionError) as error:
            log().warning(
                "the keys of LEADS_JWKS_URL cannot be fetched"
                + (": those fetched before stay in use" if self._keys else ""),
                cause=str(error),
            )
        finally:
            self._may_try_at = monotonic() + (PAUSE_SECONDS if self._keys else FIRST_PAUSE_SECONDS)

    def _fetch(self) -> VerificationKeys:
        """Returns the keys of a bounded answer. Raises OSError, HTTPException or ValueError without a usable one."""
        asked = {"Accept": "application/json", "User-Agent": "leads-api"}
        request = Request(self._url, headers=asked)  # noqa: S310  # Config admits https only.
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"the answer is longer than {MAX_BYTES // 1024} KiB")
        return read_set(json.loads(content), self._algorithm, with_secrets=False)


class _NoRedirect(HTTPRedirectHandler):
    """Has a redirect fail: the operator has named the address that is to be trusted."""

    def redirect_request(self, *_arguments: Any, **_keywords: Any) -> None:  # noqa: ANN401  # As inherited.
        return None
