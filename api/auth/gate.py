"""Lets a request through to a tenant only if its caller may read that tenant."""

import re
from functools import lru_cache
from time import time

from flask import Flask
from flask.globals import app_ctx, request_ctx

from api.addresses import find_address
from api.auth.access import Access, KeptAccess, digest_of
from api.auth.errors import CredentialsMissingError, CredentialsRefusedError, OtherTenantError
from api.auth.key_check import KeyCheck
from api.auth.key_format import is_key
from api.auth.key_sources import FetchedKeys, FixedKeys, fetcher
from api.auth.token_check import TokenCheck
from api.auth_settings import AuthConfig
from api.database.pool import Database

MAX_CREDENTIAL_BYTES = 8 * 1024
MAX_KEPT_TOKENS = 4096
KEPT_SECONDS = 60
"""How long a token that was verified is believed, unless it expires before."""

# What holds no data of a tenant. Whatever else there is, and is still to come, asks who calls.
OPEN_BLUEPRINTS = frozenset({"health", "metrics", "docs"})

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_IS_BEARER = re.compile(r"bearer( |$)", re.IGNORECASE)


def install(app: Flask, config: AuthConfig, database: Database) -> None:
    """Ask every caller of what is not open who it is, if the settings want that."""
    if config.is_on:
        gate = Gate(config, database)
        app.extensions["leads_gate"] = gate
        app.before_request(gate.check)


class Gate:
    """Finds out who calls, and compares the tenant of the path with what that caller may read."""

    def __init__(self, config: AuthConfig, database: Database) -> None:
        self._tokens: TokenCheck | None = None
        self._keys: KeyCheck | None = None
        wanted = []
        if config.takes_tokens:
            source = (
                FetchedKeys(fetcher(config.jwks_url, config.algorithm))
                if config.jwks_url
                else FixedKeys(config.jwt_keys)
            )
            self._tokens = TokenCheck(config, source)
            wanted.append("a bearer token")
        if config.takes_keys:
            self._keys = KeyCheck(database)
            wanted.append("an API key")
        self._wanted = " or ".join(wanted)
        self._kept = KeptAccess(MAX_KEPT_TOKENS)

    def check(self) -> None:
        """Raises CredentialsMissingError, CredentialsRefusedError, OtherTenantError or UnavailableError."""
        # Each attribute of flask.request and flask.g would be looked up through the context of the request.
        request = request_ctx.request
        if request.method == "OPTIONS":
            # What a browser sends before a request has no credentials, and the answer no data.
            return
        rule = find_address(request)
        if rule is None or _is_open(rule.endpoint):
            return
        access = self._access_of(request.environ.get("HTTP_AUTHORIZATION", ""))
        app_ctx.g.caller = access.name
        if access.reads_all:
            return
        # The path was decoded when it was routed; the endpoint gets this very value.
        tenant = (request.view_args or {}).get("user_id")
        if tenant is None or access.tenant != tenant:
            raise OtherTenantError

    def require_ready(self) -> None:
        """Raises UnavailableError unless API keys can be looked up, if they are accepted."""
        if self._keys is not None:
            self._keys.require_table()

    def _access_of(self, header: str) -> Access:
        if len(header) > MAX_CREDENTIAL_BYTES:
            raise CredentialsRefusedError("The header Authorization is longer than 8 KiB")
        found = _BEARER.fullmatch(header)
        if found is None:
            if _IS_BEARER.match(header):
                raise CredentialsRefusedError("The header Authorization has no credential that could be read")
            raise CredentialsMissingError(self._wanted)
        credential = found[1]
        if is_key(credential):
            if self._keys is None:
                raise CredentialsRefusedError("This API accepts no API keys")
            return self._keys.check(credential)
        if self._tokens is None:
            raise CredentialsRefusedError("This is not an API key, and this API accepts nothing else")
        return self._access_of_token(self._tokens, credential)

    def _access_of_token(self, tokens: TokenCheck, token: str) -> Access:
        digest = digest_of(token)
        _, known = self._kept.find(digest)
        if known is not None:
            return known
        access, expires_at = tokens.check(token)
        self._kept.keep(digest, access, min(expires_at, time() + KEPT_SECONDS))
        return access


@lru_cache(maxsize=256)
def _is_open(endpoint: str) -> bool:
    """Returns whether an endpoint belongs to an open blueprint, or to one within it."""
    return endpoint.partition(".")[0] in OPEN_BLUEPRINTS
