"""Phones that are near one that has no lead: found by their index, not by reading the leads of the tenant."""

from collections.abc import Iterator

from projector.core.pipeline import Connection
from projector.database.sql import query
from projector.operate.explain.read import canonical_phone

MOST = 5
"""So many near leads are named."""

_LONGEST_COUNTRY_CODE = 3
_LONGEST_PHONE = 20
_DIFFERENT_END = 4


def find_nearest(conn: Connection, user_id: str, phone: str) -> list[str]:
    """Return phones of leads of the tenant that differ little from this one, the nearest first."""
    parameters = {"user_id": user_id, "phones": list(dict.fromkeys(_variants(phone))), "size": MOST}
    read_model = conn
    found = [row[0] for row in read_model.execute(query("explain", "find_nearest"), parameters).fetchall()]
    lead = {"user_id": user_id, "customer_phone": phone}
    neighbours = [row[0] for row in read_model.execute(query("explain", "find_neighbours"), lead).fetchall()]
    shared = max(len(phone) - _DIFFERENT_END, len(phone) // 2, 1)
    found += [one for one in neighbours if one not in found and one[:shared] == phone[:shared]]
    return found[:MOST]


def spellings(conn: Connection, given: str) -> tuple[str | None, set[str]]:
    """Return the canonical form of a phone, and forms in which the platform may have it."""
    phone = canonical_phone(conn, given)
    return phone, set() if phone is None else {given, given.strip(), phone, f"+{phone}"}


def _variants(phone: str) -> Iterator[str]:
    """Other phones that may be meant: with or without a country code or leading zeros, or one slip away."""
    if not (phone.isascii() and phone.isdigit()):
        yield from (phone.lower(), phone.upper())
        return
    for count in range(1, _LONGEST_COUNTRY_CODE + 1):
        yield phone[count:]
    yield phone.lstrip("0")
    if len(phone) > _LONGEST_PHONE:
        return
    for code in range(1, 10**_LONGEST_COUNTRY_CODE):
        yield f"{code}{phone}"
        yield f"{code}{phone.lstrip('0')}"
    yield from _slips(phone)


def _slips(phone: str) -> Iterator[str]:
    """One digit wrong, missing or too many, or two neighbours exchanged."""
    for place in range(len(phone)):
        before, after = phone[:place], phone[place + 1 :]
        yield before + after
        yield before + after[:1] + phone[place] + after[1:]
        for digit in "0123456789":
            yield before + digit + after
            yield before + digit + phone[place] + after
    for digit in "0123456789":
        yield phone + digit
