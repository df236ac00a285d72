"""What a browser may do for a page of this API: run and load what the API serves itself, and nothing else."""

from base64 import b64encode
from functools import cache
from hashlib import sha256


@cache
def content_policy(*inline_scripts: bytes, more: tuple[str, ...] = ()) -> str:
    """Returns the Content-Security-Policy of a page with these scripts in it, and with further directives."""
    hashes = [f"'sha256-{b64encode(sha256(script).digest()).decode()}'" for script in inline_scripts]
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *hashes]),
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            *more,
        ]
    )
