"""Cursors survive every value, and are refused when a letter of them was lost or changed."""

from base64 import urlsafe_b64encode
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.request.cursor import (
    LEAD_POSITIONS,
    MAX_CURSOR_LENGTH,
    decode,
    encode,
    read_position,
    scope_of,
)
from tests.support.cases import cases

SCOPE = scope_of(b"{}", ("u",))
TIME = "2026-03-29T13:07:11.123Z"


@given(st.data())
def test_a_cursor_that_was_cut_or_changed_is_refused(data: st.DataObject) -> None:
    text = encode(SCOPE, [TIME, "918979556941"])
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("".join(sorted({*text, "A", "_", "-", "=", " ", "é"} - {text[at]}))))
    for broken in (text[:at], text[:at] + letter + text[at + 1 :], text[:at] + text[at + 1 :], text + letter):
        with pytest.raises(ValueError):  # noqa: PT011  # The text of a parameter is quoted by no error.
            decode(broken)


def made_up(content: bytes) -> str:
    """A cursor with the right check of whatever content."""
    return urlsafe_b64encode(content + crc32(content).to_bytes(4, "big")).rstrip(b"=").decode()


@cases(
    "content",
    [b"", SCOPE, SCOPE + b"{}", SCOPE + b"1", SCOPE + b"[", SCOPE + b"[1e999]x", SCOPE + b'["\xff"]'],
)
def test_what_somebody_made_up_is_refused_if_it_is_none(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode(made_up(content))


def test_a_cursor_is_bounded() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode(encode(SCOPE, ["x" * MAX_CURSOR_LENGTH]))


@cases(
    ("sort_by", "made_up"),
    [
        ("last_message_at", ["2026-03-29", "1"]),
        ("last_message_at", ["2026-02-30T13:07:11.123Z", "1"]),
        ("last_message_at", ["0000-01-01T00:00:00.000Z", "1"]),
        ("last_message_at", [7, "1"]),
        ("first_contact_at", [None, "1"]),
        ("total_messages", [2**31, "1"]),
        ("total_messages", [-(2**31) - 1, "1"]),
        ("total_messages", [1.5, "1"]),
        ("total_messages", [True, "1"]),
        ("total_messages", [None, "1"]),
        ("total_score", ["7", "1"]),
        ("name", ["a\0b", "1"]),
        ("name", [["a"], "1"]),
        ("name", ["a", None]),
        ("name", ["a", "1\0"]),
        ("name", ["a"]),
        ("name", ["a", "1", "2"]),
    ],
)
def test_a_position_that_no_lead_can_have_is_refused(sort_by: str, made_up: list[object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_position(LEAD_POSITIONS[sort_by], made_up)
