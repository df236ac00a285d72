"""Bearer tokens: JSON Web Tokens that an issuer has signed."""

import re
from time import time
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import (
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwt import JWTClaimsRegistry

from api.auth.access import Access, Checked, CredentialsRefusedError
from api.auth.key_sources import KeySource
from api.config.auth import AuthConfig
from api.request.error_codes import ErrorCode

# The clocks of the issuer and of this machine may differ by this much.
LEEWAY_SECONDS = 30
# A set may hold several keys without ids; a token is tried with at most this many.
MAX_TRIED_KEYS = 8

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_REASONS = {
    "aud": "The token is meant for another audience",
    "iss": "The token is from another issuer",
    "exp": "The token has an exp that is not a number",
    "nbf": "The token is not valid yet",
    "iat": "The token was issued in the future",
    "sub": "The token has a sub that is not a text",
}
# The library raises these errors for a token with bad bytes, bad JSON or values of the wrong type.
_BROKEN = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


class TokenCheck:
    """Checks the signature and the claims of a token."""

    def __init__(self, config: AuthConfig, source: KeySource) -> None:
        self._config = config
        self._source = source
        required: dict[str, Any] = {"exp": {"essential": True}}
        if config.audience:
            required["aud"] = {"essential": True, "value": config.audience}
        if config.issuer:
            required["iss"] = {"essential": True, "value": config.issuer}
        self._claims = JWTClaimsRegistry(now=lambda: int(time()), leeway=LEEWAY_SECONDS, **required)

    def check(self, token: str) -> Checked:
        """Return what a token allows, and when it expires.

        Raises CredentialsRefusedError if it is not accepted, and UnavailableError while no keys are known.
        """
        claims = self._verified(token)
        try:
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise CredentialsRefusedError("The token has expired", ErrorCode.TOKEN_EXPIRED) from None
        except MissingClaimError as error:
            raise CredentialsRefusedError(f"The token lacks the claim {error.claim}") from None
        except InvalidClaimError as error:
            raise CredentialsRefusedError(_REASONS.get(error.claim, "The token has a bad claim")) from None
        except _BROKEN:
            raise CredentialsRefusedError("The token has a claim of the wrong type") from None
        tenant, subject, scopes = (claims.get(name) for name in (self._config.tenant_claim, "sub", "scope"))
        # A text of words that blanks separate, as in RFC 6749, or a list.
        if isinstance(scopes, str):
            scopes = scopes.split(" ")
        access = Access(
            tenant if isinstance(tenant, str) and tenant else None,
            bool(self._config.all_scope) and isinstance(scopes, list) and self._config.all_scope in scopes,
            # The name in logs: the subject may be an email address, so only a UUID is shown.
            f"token:{subject}" if isinstance(subject, str) and _UUID.fullmatch(subject) else "token",
        )
        return Checked(access, float(min(claims["exp"], 2**53)))

    def _verified(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that one of the keys has signed."""
        # The header of the token, before its signature is verified.
        try:
            header: Any = jws.extract_compact(token.encode()).headers()
            algorithm, key_id = header.get("alg"), header.get("kid")
        except _BROKEN:
            raise CredentialsRefusedError("The token cannot be read") from None
        # This API supports no extension that a token could mark as critical.
        if "crit" in header or "b64" in header:
            raise CredentialsRefusedError("The token has a header that this API does not support")
        if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
            raise CredentialsRefusedError("The token cannot be read")
        # A key without an id fits any token, and a token without an id any key.
        fitting = [
            key
            for key in self._source(key_id)
            # The key decides the algorithm; that of the token only chooses among keys.
            if key.alg == algorithm and (key_id is None or key.kid in (None, key_id))
        ]
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        for key in fitting[:MAX_TRIED_KEYS]:
            try:
                return jwt.decode(token, key, registry=registry).claims
            except _BROKEN:
                continue
        raise CredentialsRefusedError("The token is not signed by a key that this API accepts")
