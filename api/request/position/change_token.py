"""Tokens of the change feed: a position among the changes of one tenant, and in which history it means something."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as EncodingError
from hashlib import blake2b
from typing import NamedTuple

_DIGEST_BYTES = 8
# The version, the digest of the history and that of the tenant. A phone follows.
_HEAD = struct.Struct(f">q{_DIGEST_BYTES}s{_DIGEST_BYTES}s")
_MAX_LENGTH = 2048

EXAMPLE = "AAAAAAAAAAgAwv2sIPkF7gWLO1cKzWAu"


class Position(NamedTuple):
    """After the lead with this phone among those of a version. Without a phone, before all of that version."""

    version: int
    customer_phone: str = ""


class Token(NamedTuple):
    """A position, and the digest of the history that it is in."""

    position: Position
    history: bytes


class TokenError(ValueError):
    """A text that is no token of this tenant."""


def history_of(place: bytes | None, epoch: bytes | None) -> bytes:
    """Return the digest of the history of a tenant: of where its versions are counted, and of its epoch."""
    return blake2b(b"%b\0%b" % (place or b"", epoch or b""), digest_size=_DIGEST_BYTES).digest()


def write(user_id: str, token: Token) -> str:
    """Return a token as a text that can be part of an address."""
    position, history = token
    head = _HEAD.pack(position.version, history, _tenant(user_id))
    return urlsafe_b64encode(head + position.customer_phone.encode()).rstrip(b"=").decode()


def read(user_id: str, text: str) -> Token:
    """Return the token that a text is. Raises TokenError if it is none, or one of another tenant."""
    try:
        # Another alphabet, or another way to write the same bytes, would be taken otherwise.
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        version, history, _ = _HEAD.unpack_from(raw)
        phone = raw[_HEAD.size :].decode()
    except (EncodingError, UnicodeError, struct.error) as error:
        raise TokenError from error
    token = Token(Position(version, phone), history)
    if version < 0 or "\0" in phone or len(text) > _MAX_LENGTH or write(user_id, token) != text:
        raise TokenError
    return token


def _tenant(user_id: str) -> bytes:
    return blake2b(user_id.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()
