"""What an API key looks like, and how long it is believed."""

import re
import secrets

# Scanners for secrets find keys by this pattern; docs/authentication.md prints it.
PATTERN = r"leads_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"

KEPT_SECONDS = 30
"""How long what the database said of a key is believed, and so how long a revoked key may still be accepted."""

_KEY = re.compile(PATTERN)
_PREFIX = re.compile(r"leads_[0-9a-f]{12}")


def new_key() -> str:
    """Return a key with 256 random bits behind a prefix of 48, which is no secret."""
    return f"leads_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"


def is_key(credential: str) -> bool:
    """Return whether a credential looks like an API key."""
    return _KEY.fullmatch(credential) is not None


def prefix_of(text: str) -> str | None:
    """Return the prefix of a key, which may be given itself; None if the text is neither."""
    match = _PREFIX.match(text)
    return match[0] if match is not None and (is_key(text) or match[0] == text) else None
