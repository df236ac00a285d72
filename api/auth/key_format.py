"""The form of API keys, and how long the result of a look-up is used."""

import re
import secrets

# Scanners for secrets find keys by this pattern; docs/authentication.md prints it.
PATTERN = r"leads_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"

KEPT_SECONDS = 30
"""How long the result of a look-up is used, and so how long a revoked key may still be accepted."""

_KEY = re.compile(PATTERN)
_PREFIX = re.compile(r"leads_[0-9a-f]{12}")


def new_key() -> str:
    """Return a key of 256 random bits after a prefix of 48 bits, which is not secret."""
    return f"leads_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"


def is_key(credential: str) -> bool:
    """Return whether a credential looks like an API key."""
    return _KEY.fullmatch(credential) is not None


def prefix_of(text: str) -> str | None:
    """Return the prefix of a text that is a key or a prefix; None for any other text."""
    match = _PREFIX.match(text)
    return match[0] if match is not None and (is_key(text) or match[0] == text) else None
