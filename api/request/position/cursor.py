"""Cursors: the end of a page, as the request for the next page gives it.

A cursor has a digest of the query that it was made for, and the position of the last result of the page: the value that
orders the results, and the key. Both are printed on that page, so a cursor reveals nothing. It permits nothing either:
a made-up cursor selects part of a list that its caller may read anyway. So it needs no secret, every process reads the
cursors of every other, and it is checked like any other parameter.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import crc32
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson
from marshmallow import ValidationError
from marshmallow.fields import AwareDateTime, Field, Function, Integer, String
from marshmallow.validate import Range, Regexp

from api.request.kinds import NO_NUL, Kind
from api.request.text import format_time

# A cursor of leads by last_message_at.
EXAMPLE = "S0KzAZhf1kBbIjIwMjYtMDMtMjhUMTI6MDA6MDAuMDAwWiIsIjEiXfXyNZ8"
# Longer than any cursor of ids and names of 255 characters.
MAX_CURSOR_LENGTH = 8192

# The version of the format of cursors, so that an older format is not misread.
_FORM = b"1"
_SCOPE_BYTES = 8
_CHECK_BYTES = 4
_LETTERS = re.compile(r"[A-Za-z0-9_-]+")

# The values by which a result is ordered; a time among them is a datetime.
Position = tuple[object, ...]
Fields = Mapping[str, Field[Any]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A decoded cursor: the digest of the query that it was made for, and the values of its position."""

    scope: bytes
    values: tuple[object, ...]


def scope_of(asked: bytes, path: Sequence[str]) -> bytes:
    """Return the digest of a query: its parameters, its tenant, and its lead."""
    parts = [part.encode(errors="surrogatepass") for part in path]
    return blake2b(b"\0".join([_FORM, *parts, asked]), digest_size=_SCOPE_BYTES).digest()


def encode(scope: bytes, values: Sequence[object]) -> str:
    """Return the cursor of a position, whose values are JSON."""
    content = scope + orjson.dumps(values)
    return urlsafe_b64encode(content + _check(content)).rstrip(b"=").decode()


def decode(text: str) -> Cursor:
    """Return the decoded cursor. Raises ValueError if it was cut or changed."""
    if len(text) > MAX_CURSOR_LENGTH or _LETTERS.fullmatch(text) is None:
        raise ValueError(text)
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    content, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if check != _check(content) or urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise ValueError(text)
    values = orjson.loads(content[_SCOPE_BYTES:])
    if not isinstance(values, list):
        raise ValueError(text)  # noqa: TRY004  # As for any other bad cursor.
    return Cursor(content[:_SCOPE_BYTES], tuple(values))


CURSOR = Kind(
    "the cursor of a Link header, whole and unchanged",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": MAX_CURSOR_LENGTH},
    decode,
)


def _check(content: bytes) -> bytes:
    """Return a checksum, which detects lost characters but protects nothing."""
    return crc32(content).to_bytes(_CHECK_BYTES, "big")


def _time(value: str) -> datetime:
    """Return a time. Raises ValidationError unless it has the printed form."""
    time: datetime = AwareDateTime().deserialize(value)
    if format_time(time) != value:
        raise ValidationError("It is printed otherwise.")
    return time


def read_position(fields: Fields, values: Sequence[object]) -> Position:
    """Return a position with its times as datetimes. Raises ValidationError for values that no result can have."""
    if len(fields) != len(values):
        raise ValidationError("It has another number of values.")
    return tuple(field.deserialize(value) for field, value in zip(fields.values(), values, strict=True))


_TIME = Function(deserialize=_time)
_TIME_OR_NULL = Function(deserialize=_time, allow_none=True)
_INTEGERS = Range(-(2**31), 2**31 - 1)
_NUMBER = Integer(strict=True, validate=_INTEGERS)
_NUMBER_OR_NULL = Integer(strict=True, validate=_INTEGERS, allow_none=True)
_TEXT = String(validate=Regexp(NO_NUL))

_OF_SORTS: Mapping[str, Field[Any]] = {
    "last_message_at": _TIME_OR_NULL,
    "first_contact_at": _TIME,
    "total_messages": _NUMBER,
    "total_score": _NUMBER_OR_NULL,
    "waiting_since": _TIME_OR_NULL,
    "reply_window_ends_at": _TIME_OR_NULL,
    "status_since": _TIME_OR_NULL,
    "name": String(validate=Regexp(NO_NUL), allow_none=True),
}
_OF_OTHERS: Mapping[str, Fields] = {
    "getLeadMessages": {
        "timestamp": _TIME, "conversation_id": _TEXT, "sequence_no": _NUMBER_OR_NULL, "message_id": _TEXT
    },
    "getLeadHistory": {"changed_at": _TIME},
}  # fmt: skip


def position_fields(operation: str, sort_by: str) -> Fields:
    """Return the keys whose values are the position of a printed result, each with the field that reads the value."""
    if operation == "listLeads":
        return {sort_by: _OF_SORTS[sort_by], "customer_phone": _TEXT}
    return _OF_OTHERS.get(operation, {})


def position_of(printed: bytes, fields: Fields) -> list[object]:
    """Return the position of a printed result."""
    result = orjson.loads(printed)
    return [result[key] for key in fields]
