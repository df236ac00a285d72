"""A token is a position, bound to a tenant and a history; whatever else is given as one is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.request import change_token
from api.request.change_token import Position, Token, TokenError, history_of

PLACE = history_of(b"place", b"epoch")
TOKEN = Token(Position(7, "49151"), PLACE)
PHONES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=255)


@given(version=st.integers(0, 2**63 - 1), phone=PHONES)
def test_a_token_comes_back(version: int, phone: str) -> None:
    token = Token(Position(version, phone), PLACE)
    text = change_token.write("u", token)
    assert change_token.read("u", text) == token
    assert not set(text) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(place=st.integers(0, 42), letter=st.sampled_from("AB-_=+/ "))
def test_a_changed_token_is_none_or_another(place: int, letter: str) -> None:
    text = change_token.write("u", TOKEN)
    changed = text[:place] + letter + text[place + 1 :]
    try:
        found = change_token.read("u", changed)
    except TokenError:
        return
    # No two texts are the same token.
    assert (found == TOKEN) is (changed == text)


def test_what_is_too_long_or_too_large_is_none() -> None:
    raw = base64.urlsafe_b64decode(change_token.write("u", TOKEN) + "==")
    for wrong in (raw[:23], b"\xff" * 8 + raw[8:], raw + b"\xff", raw + b"\0", raw + b"x" * 4096):
        with pytest.raises(TokenError):
            change_token.read("u", base64.urlsafe_b64encode(wrong).rstrip(b"=").decode())


def test_histories_differ_by_place_and_epoch() -> None:
    kinds = [(b"a", b"b"), (b"a", b"c"), (b"b", b"b"), (b"a", None), (None, None), (b"", b"a\0b")]
    assert len({history_of(*kind) for kind in kinds}) == len(kinds)
