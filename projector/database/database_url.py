"""The address of a database, as operators write it and as a message may show it."""

import re
from urllib.parse import unquote


def normalize(url: str) -> str:
    """Return a URL in the form that libpq takes, also where it is written for SQLAlchemy."""
    return re.sub(r"^\s*postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url).strip()


def redact(text: str, url: str) -> str:
    """Return the text with `***` in place of the password of the URL, and of each part of it."""
    pieces: set[str] = set()
    for pattern in (r"//[^:/@]*:(.*)@", r"password\s*=\s*('[^']*'|[^\s&]+)"):
        for password in re.findall(pattern, url):
            # libpq cuts a password that is not percent-encoded at these characters, and shows a piece of it as the
            # host or the port.
            pieces |= {password.strip("'"), unquote(password), *re.split(r"[@/:?#]", password)}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) > 2:  # noqa: PLR2004  # A shorter one is part of ordinary words.
            text = text.replace(piece, "***")
    return text


def first_line(text: str) -> str:
    """Return the first line of libpq's message, without the prefixes of psycopg and libpq."""
    line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    return re.sub(r"^(connection failed|connection is bad): ", "", line).rstrip(". ")
