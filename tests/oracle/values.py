"""Texts and times as the specification compares and prints them."""

import unicodedata
from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
WHITE_SPACE = " \t\n\v\f\r\N{NO-BREAK SPACE}"
DIGITS = "0123456789"


class Infinite(datetime):
    """The first or the last moment for -infinity or infinity: a time, and no value of an attribute."""


def trim(text: str) -> str:
    return text.strip(WHITE_SPACE)


def digits_of_phone(text: str) -> str | None:
    """Give the digits of a text that is a phone, None for any other text."""
    rest = trim(text).removeprefix("+")
    if any(character not in DIGITS + " ().-" for character in rest):
        return None
    return "".join(character for character in rest if character in DIGITS) or None


def canonical_phone(text: str | None) -> str | None:
    if text is None:
        return None
    return digits_of_phone(text) or trim(text) or None


def cut(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def cut_or_epoch(moment: datetime | None) -> datetime:
    return EPOCH if moment is None else cut(moment)


def printed_time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def without_accents(text: str) -> str:
    """Remove the marks that Unicode can separate from letters."""
    apart = unicodedata.normalize("NFD", text)
    kept = [character for character in apart if not 0x300 <= ord(character) <= 0x36F]
    return unicodedata.normalize("NFC", "".join(kept))


def bytewise(text: str) -> bytes:
    return text.encode()


def cut_text(text: str | None, size: int = 65_536) -> str | None:
    """Cut a text of more bytes, 64 KiB by default, at the end of a character; the mark at its end counts."""
    # JSON may have half a surrogate pair, which has no bytes of its own.
    if text is None or len(text.encode(errors="surrogatepass")) <= size:
        return text
    mark = "… [cut]"
    whole = text.encode(errors="surrogatepass")
    return whole[: size - len(mark.encode())].decode(errors="ignore") + mark


def shorten(text: str) -> str:
    """Cut a name, an email or a company to 255 characters, the last of which is an ellipsis."""
    return text if len(text) <= 255 else f"{text[:254]}…"
