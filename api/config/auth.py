"""The settings that say who may read what, and which of them contradict each other."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from api.config.jwt_keys import ALGORITHMS, VerificationKeys
from api.config.values import off_or, one_of, setting

JWT = "jwt"
KEY = "key"
OPEN = "none"
CHOICES = (
    "jwt (bearer tokens), key (API keys), jwt,key (both), or none (everybody who reaches the port reads all)"
)


# Each of the following returns the value of a text, and raises ValueError with what is allowed.


def auth_methods(text: str) -> tuple[str, ...]:
    """Return the ways in which callers may authenticate."""
    words = tuple(word.strip() for word in text.lower().split(","))
    if words == (OPEN,) or (set(words) <= {JWT, KEY} and len(set(words)) == len(words)):
        return words
    raise ValueError(CHOICES)


def jwks_url(text: str) -> str:
    """Return the address of a set of keys."""
    allowed = "an address such as https://issuer.example/.well-known/jwks.json"
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # It raises ValueError if it is not a port.
    except ValueError:
        raise ValueError(allowed) from None
    if parts.scheme != "https" or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError(f"{allowed}; only https shows that the keys are the issuer's")
    if "@" in parts.netloc:
        raise ValueError(f"{allowed}, without a user or a password")
    return text


def claim_name(text: str) -> str:
    """Return the name of a claim."""
    if text in ("exp", "nbf", "iat", "aud", "iss", "scope"):
        raise ValueError("the claim that holds the tenant's user_id, such as sub or tenant_id")
    return text


def scope_name(text: str) -> str:
    """Return a scope."""
    # The characters of RFC 6749.
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", text):
        raise ValueError("one scope without blanks, such as leads:read:all")
    return text


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """The credentials that callers need. Without a method LEADS_AUTH is not set, and they need none."""

    methods: tuple[str, ...] = setting("LEADS_AUTH", auth_methods, ())
    jwt_keys: VerificationKeys = field(default=(), repr=False)
    jwks_url: str = setting("LEADS_JWKS_URL", jwks_url, "", is_secret=True)
    algorithm: str = setting("LEADS_JWT_ALGORITHM", one_of(ALGORITHMS), "")
    audience: str = setting("LEADS_JWT_AUDIENCE", str, "")
    issuer: str = setting("LEADS_JWT_ISSUER", str, "")
    tenant_claim: str = setting("LEADS_JWT_TENANT_CLAIM", claim_name, "sub")
    all_scope: str = setting("LEADS_JWT_ALL_SCOPE", off_or(scope_name, ""), "leads:read:all")

    @property
    def is_on(self) -> bool:
        """Whether callers need credentials."""
        return JWT in self.methods or KEY in self.methods


def auth_problems(methods: tuple[str, ...], settings: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each setting that contradicts the others."""
    sources = [name for name in ("LEADS_JWT_KEY", "LEADS_JWKS_URL") if settings.get(name)]
    if JWT in methods and not sources:
        yield (
            "LEADS_AUTH: jwt needs what tokens are checked with. Set LEADS_JWT_KEY (a secret, a public key or a file),"
            " or LEADS_JWKS_URL."
        )
    if len(sources) > 1:
        yield "LEADS_JWKS_URL: LEADS_JWT_KEY is set too. Set only one of them, so that it is clear which keys count."
    # Otherwise a system on loopback would look protected but be open.
    if sources and not settings.get("LEADS_AUTH"):
        yield (
            f"LEADS_AUTH: it is not set, although {sources[0]} is. Set LEADS_AUTH=jwt to ask for tokens, or"
            " LEADS_AUTH=none to ask for nothing."
        )
