"""Identifiers of demo rows, in the forms that the platforms give them."""

from binascii import b2a_base64
from collections.abc import Callable
from random import Random

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
# Three letters at a time: 15 random bits choose one of 32,768 triples.
_TRIPLES = tuple(a + b + c for a in _ALPHABET for b in _ALPHABET for c in _ALPHABET)[: 1 << 15]
_TRIPLE = (1 << 15) - 1

# Coprime to 10⁹, so that its multiples run through all nine-digit numbers before one comes again.
_STRIDE = 618_033_989
_NUMBERS = 1_000_000_000


def random_uuid(rng: Random) -> str:
    """Return a version 4 UUID."""
    bits = f"{rng.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-{'89ab'[int(bits[16], 16) & 3]}{bits[17:20]}-{bits[20:]}"


def letters(rng: Random, triples: int) -> str:
    """Return random digits and small letters, three for each triple."""
    return "".join(_TRIPLES[rng.getrandbits(15)] for _ in range(triples))


def nine_digits(number: int, start: int) -> str:
    """Return nine digits that look random and differ for every number below 10⁹."""
    return f"{(number * _STRIDE + start) % _NUMBERS:09}"


def web_session(rng: Random) -> str:
    """Return a webchat visitor's session id."""
    return f"web-{letters(rng, 2)}-{letters(rng, 2)}"


def outgoing_message_id(rng: Random, sent_at: int) -> str:
    """Return the id of a message that an agent sent: when, and nine random characters."""
    bits = rng.getrandbits(45)
    return f"out-{sent_at}-{_TRIPLES[bits >> 30]}{_TRIPLES[bits >> 15 & _TRIPLE]}{_TRIPLES[bits & _TRIPLE]}"


def incoming_message_ids(rng: Random, customer_phone: str) -> Callable[[], str]:
    """Return a source of ids of messages that a customer sent: base64 of who, and ten random bytes in hex."""
    who = customer_phone.encode()
    head = b"\x1c\x18" + bytes([len(who)]) + who + b"\x15\x02\x00\x12\x18\x14"

    def next_id() -> str:
        return "wamid." + b2a_base64(head + b"%020X\x00" % rng.getrandbits(80), newline=False).decode()

    return next_id
