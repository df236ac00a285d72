"""Tokens of the change feeds: a position among the changes of a tenant, and the history that it belongs to."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as EncodingError
from hashlib import blake2b
from typing import NamedTuple

from api.request.text import read_moment

_DIGEST_BYTES = 8
# The version, the digest of the history and that of the tenant and the feed. A key follows.
_HEAD = struct.Struct(f">q{_DIGEST_BYTES}s{_DIGEST_BYTES}s")
_MAX_LENGTH = 2048

EXAMPLE = "AAAAAAAAAAgAwv2sIPkF7gWLO1cKzWAu"


LEADS, STATUSES = "", "statuses"
"""The feeds. A feed refuses the tokens of the other."""


class Position(NamedTuple):
    """The position after the change with this key in a version; without a key, before all changes of the version.

    The key is the phone of the lead, or for a change of a status the text of a StatusKey.
    """

    version: int
    key: str = ""


class StatusKey(NamedTuple):
    """The position in a feed of statuses within a version: lead, whether the change stands or was withdrawn, and time.

    Without a time, the position is before all changes of the lead.
    """

    customer_phone: str = ""
    is_standing: bool = False
    changed_at: str = ""

    def written(self) -> str:
        """Return the key as the text in a position."""
        return "\n".join((self.customer_phone, "1" if self.is_standing else "0", self.changed_at))


def status_key(text: str) -> StatusKey:
    """Return the key in a position. Raises TokenError if the text is not a key."""
    if not text:
        return StatusKey()
    phone, *others = text.rsplit("\n", 2)
    try:
        standing, changed_at = others
        if changed_at in ("0", "1"):
            # An older version sent the changes of a lead by time. All of them are sent again, so that none is lost.
            return StatusKey(phone)
        read_moment(changed_at)
    except ValueError as error:
        raise TokenError from error
    return StatusKey(phone, standing == "1", changed_at)


class Token(NamedTuple):
    """A position, and the digest of the history that it belongs to."""

    position: Position
    history: bytes


class TokenError(ValueError):
    """The text is not a token of this tenant."""


def history_of(place: bytes | None, epoch: bytes | None) -> bytes:
    """Return the digest of the history of a tenant: of the database that counts its versions, and of its epoch."""
    return blake2b(b"%b\0%b" % (place or b"", epoch or b""), digest_size=_DIGEST_BYTES).digest()


def write(user_id: str, token: Token, feed: str = LEADS) -> str:
    """Return a token as a text that can be part of a URL."""
    position, history = token
    head = _HEAD.pack(position.version, history, _tenant(user_id, feed))
    return urlsafe_b64encode(head + position.key.encode()).rstrip(b"=").decode()


def read(user_id: str, text: str, feed: str = LEADS) -> Token:
    """Return the token in a text. Raises TokenError if the text is not a token of this tenant and feed."""
    try:
        # The decoder also takes other spellings of the same bytes; the comparison below refuses them.
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        version, history, _ = _HEAD.unpack_from(raw)
        key = raw[_HEAD.size :].decode()
    except (EncodingError, UnicodeError, struct.error) as error:
        raise TokenError from error
    token = Token(Position(version, key), history)
    if version < 0 or "\0" in key or len(text) > _MAX_LENGTH or write(user_id, token, feed) != text:
        raise TokenError
    if feed == STATUSES:
        status_key(key)
    return token


def _tenant(user_id: str, feed: str) -> bytes:
    named = f"{user_id}\0{feed}" if feed else user_id
    return blake2b(named.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()
