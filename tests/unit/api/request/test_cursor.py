"""Cursors and tokens of the feed survive every value, and are refused when a letter was lost or changed."""

import base64
from base64 import urlsafe_b64encode
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.request.position import change_token
from api.request.position.change_token import Position, Token, TokenError, history_of
from api.request.position.cursor import (
    MAX_CURSOR_LENGTH,
    decode,
    encode,
    position_fields,
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
        ("last_message_at", ["2026-03-29T13:07:11.123456Z", "1"]),
        ("last_message_at", ["0000-01-01T00:00:00.000Z", "1"]),
        ("last_message_at", [7, "1"]),
        ("first_contact_at", [None, "1"]),
        ("waiting_since", ["2026-03-29", "1"]),
        ("reply_window_ends_at", [7, "1"]),
        ("total_messages", [2**31, "1"]),
        ("total_messages", [True, "1"]),
        ("total_score", ["7", "1"]),
        ("name", ["a\0b", "1"]),
        ("name", ["a", None]),
        ("name", ["a", "1\0"]),
        ("name", ["a"]),
        ("name", ["a", "1", "2"]),
    ],
)
def test_a_position_that_no_lead_can_have_is_refused(sort_by: str, made_up: list[object]) -> None:
    with pytest.raises(ValidationError):
        read_position(position_fields("listLeads", sort_by), made_up)


PLACE = history_of(b"place", b"epoch")
TOKEN = Token(Position(7, "49151"), PLACE)
PHONES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=255)


@given(version=st.integers(0, 2**63 - 1), phone=PHONES)
def test_a_token_comes_back(version: int, phone: str) -> None:
    token = Token(Position(version, phone), PLACE)
    text = change_token.write("u", token)
    assert change_token.read("u", text) == token
    assert not set(text) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_what_is_too_long_or_too_large_is_none() -> None:
    raw = base64.urlsafe_b64decode(change_token.write("u", TOKEN) + "==")
    for wrong in (raw[:23], b"\xff" * 8 + raw[8:], raw + b"\xff", raw + b"\0", raw + b"x" * 4096):
        with pytest.raises(TokenError):
            change_token.read("u", base64.urlsafe_b64encode(wrong).rstrip(b"=").decode())
