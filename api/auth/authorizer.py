"""Lets a request through only if its caller may read the tenant."""

import re
from time import time

from api.auth.access import (
    NOTHING,
    Access,
    AccessCache,
    Checked,
    CredentialsMissingError,
    CredentialsRefusedError,
    OtherTenantError,
    digest_of_header,
)
from api.auth.key_check import KeyCheck
from api.auth.key_format import is_key
from api.auth.key_sources import FetchedKeys
from api.auth.token_check import TokenCheck
from api.config.auth import JWT, KEY, AuthConfig
from api.database.pool import Database
from api.request.record import CREDENTIAL, REFUSAL, Record

MAX_CREDENTIAL_BYTES = 8 * 1024
MAX_KEPT = 4096
"""How many accepted credentials a process remembers, and how many refused keys."""

KEPT_SECONDS = 60
"""How long the result for a token is used, unless the token expires before; for a key it is shorter: see KeyCheck."""

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_IS_BEARER = re.compile(r"bearer( |$)", re.IGNORECASE)


class Authorizer:
    """Authenticates the callers of all endpoints that are not open, and checks that they may read the tenant."""

    def __init__(self, config: AuthConfig, database: Database) -> None:
        self._tokens: TokenCheck | None = None
        self._keys: KeyCheck | None = None
        self._cache = AccessCache(MAX_KEPT)
        if JWT in config.methods:
            fetched = FetchedKeys(config.jwks_url, config.algorithm) if config.jwks_url else None
            self._tokens = TokenCheck(config, fetched.keys if fetched else lambda _key_id: config.jwt_keys)
        if KEY in config.methods:
            self._keys = KeyCheck(database, self._cache)
        kinds = {JWT: "a bearer token", KEY: "an API key"}
        self._credentials = " or ".join(kind for method, kind in kinds.items() if method in config.methods)

    def check(self, record: Record) -> None:
        """Raise CredentialsMissingError, CredentialsRefusedError, OtherTenantError or UnavailableError."""
        if not record.is_of_tenant:
            return
        environ = record.request.environ
        if REFUSAL in environ:
            # It was checked in front of Flask.
            raise environ[REFUSAL]
        access = self._checked(environ.get(CREDENTIAL, "")).access
        record.caller = access.name
        # The path was decoded when it was routed; the endpoint gets this very value.
        if not access.reads(record.user_id):
            raise OtherTenantError

    def require_access(self, header: str, tenant: str) -> None:
        """Raise an error as `check` does if a caller with this header Authorization may not read a tenant."""
        if not self._checked(header).access.reads(tenant):
            raise OtherTenantError

    def cached_access(self, header: str, tenant: str) -> Access | None:
        """Return the kept access of a caller who may read this tenant; None if it has to be checked.

        `header` is the header Authorization.
        """
        checked = self._cache.find(digest_of_header(header))
        return checked.access if checked is not None and checked.access.reads(tenant) else None

    def was_allowed(self, header: str, tenant: str) -> bool:
        """Return whether the last check, however long ago, allowed a caller to read this tenant."""
        checked = self._cache.last_allowed(digest_of_header(header))
        return checked is not None and checked.access.reads(tenant)

    def require_ready(self) -> None:
        """Raise UnavailableError unless API keys can be looked up, if they are accepted."""
        if self._keys is not None:
            self._keys.fetch("")

    def _checked(self, header: str) -> Checked:
        if len(header) > MAX_CREDENTIAL_BYTES:
            raise CredentialsRefusedError("The header Authorization is longer than 8 KiB")
        digest = digest_of_header(header)
        checked = self._cache.find(digest) or self._check(header, digest)
        if checked.access is NOTHING:
            raise CredentialsRefusedError("The API key is not known, has expired or was revoked")
        return checked

    def _check(self, header: str, digest: bytes) -> Checked:
        shown = _BEARER.fullmatch(header)
        if shown is None:
            if _IS_BEARER.match(header):
                raise CredentialsRefusedError("The header Authorization has no credential that could be read")
            raise CredentialsMissingError(self._credentials)
        credential = shown[1]
        if is_key(credential):
            if self._keys is None:
                raise CredentialsRefusedError("This API accepts no API keys")
            return self._keys.check(credential, digest)
        if self._tokens is None:
            raise CredentialsRefusedError("This is not an API key, and this API accepts nothing else")
        checked = self._tokens.check(credential)
        until = min(checked.until, time() + KEPT_SECONDS)
        return self._cache.keep(digest, checked._replace(until=until))
