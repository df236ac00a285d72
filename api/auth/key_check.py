"""API keys: found by their prefix in the database, compared by their SHA-256."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hmac import compare_digest
from math import inf
from threading import Lock
from time import monotonic, time
from typing import NamedTuple

from limits import RateLimitItemPerSecond
from sqlalchemy import Boolean, DateTime, LargeBinary, Text, bindparam, column, func, select, true

from api.auth.access import NOTHING, Access, AccessCache, Checked, digest_of
from api.auth.key_format import KEPT_SECONDS, prefix_of
from api.database.errors import SUPERUSER_PART, TablesMissingError, UnavailableError
from api.database.pool import Database
from api.database.statement import BoundStatement
from api.limits.rate import counting_alone
from api.request.error_codes import ErrorCode

MAX_UNKNOWN_PER_SECOND = 50
"""How many unknown keys a process looks up in a second: strangers can invent any number of them."""

WAIT_SECONDS = 0.5
"""How long requests wait for a look-up that is under way: each of them holds a thread of the server."""

_ONE = select(func.count().label("rows")).subquery()
_key = func.leads_access.key_of(bindparam("prefix", type_=Text)).table_valued(
    column("key_hash", LargeBinary),
    column("user_id", Text),
    column("all_tenants", Boolean),
    column("expires_at", DateTime(timezone=True)),
    column("revoked_at", DateTime(timezone=True)),
    name="k",
)
_KEY = select(*_key.c).select_from(_ONE.outerjoin(_key, true()))


class KeyRow(NamedTuple):
    """A key in the database; `key_hash` is None if no key has this prefix."""

    key_hash: bytes | None
    user_id: bytes | None
    all_tenants: bool | None
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyCheck:
    """Looks API keys up, and keeps the result for KEPT_SECONDS, also that a key is refused."""

    def __init__(self, database: Database, cache: AccessCache) -> None:
        self._database = database
        self._cache = cache
        self._unknown = counting_alone()
        # Two queues, so that a key that was accepted before does not wait for invented ones.
        self._new, self._again = _Turns(), _Turns()

    def check(self, key: str, digest: bytes) -> Checked:
        """Return what a key allows, and until when this may be used; the result is kept under this digest.

        Raises UnavailableError if the database cannot answer now.
        """
        is_new = self._cache.last_allowed(digest) is None
        if is_new and not self._unknown.hit(RateLimitItemPerSecond(MAX_UNKNOWN_PER_SECOND)):
            raise UnavailableError("Too many unknown API keys are sent now: try again in a second")
        with (self._new if is_new else self._again).turn():
            # Another request with the same key may have had its turn before.
            return self._cache.find(digest) or self._cache.keep(digest, self._look_up(key))

    def _look_up(self, key: str) -> Checked:
        """Return what the database says about a key."""
        prefix = prefix_of(key) or ""
        row = self.fetch(prefix)
        now = time()
        ends = now + KEPT_SECONDS if row.expires_at is None else row.expires_at.timestamp()
        is_known = row.key_hash is not None and compare_digest(row.key_hash, digest_of(key))
        if not is_known or row.revoked_at is not None or ends <= now:
            return Checked(NOTHING, now + KEPT_SECONDS)
        tenant = None if row.user_id is None else row.user_id.decode()
        return Checked(Access(tenant, bool(row.all_tenants), prefix), min(ends, now + KEPT_SECONDS))

    def fetch(self, prefix: str) -> KeyRow:
        """Return the key with a prefix. Raises UnavailableError if keys cannot be looked up."""
        try:
            return self._database.fetch(BoundStatement(_KEY, KeyRow, {"prefix": prefix}))
        except TablesMissingError as error:
            raise UnavailableError(
                f"API keys cannot be looked up: {SUPERUSER_PART}, of the API's version",
                ErrorCode.KEYS_UNAVAILABLE,
            ) from error


class _Turns:
    """Runs look-ups one after another, so that they take a single connection, however slow they are."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._begun = inf

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn. Raises UnavailableError if the look-up that is under way takes long."""
        left = min(WAIT_SECONDS, self._begun + WAIT_SECONDS - monotonic())
        if not self._lock.acquire(timeout=max(0.0, left)):
            raise UnavailableError("The API keys cannot be looked up soon enough: try again in a second")
        self._begun = monotonic()
        try:
            yield
        finally:
            self._begun = inf
            self._lock.release()
