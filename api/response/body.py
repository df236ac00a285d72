"""The body and the headers that every answer has."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote_from_bytes
from wsgiref.types import WSGIEnvironment

from flask import Response

from api.database.statement import NOTHING_CLAIMED, Freshness
from api.request.record import Record, record
from api.request.text import format_time
from api.response.openapi import KNOWN

# What customers wrote is for the caller alone. A browser neither guesses that it is HTML, nor tells its address.
_ALWAYS = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

After = Callable[[Response, Record], Response]

Headers = list[tuple[bytes, bytes]]
"""The headers of an answer as ASGI has them."""


def encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return headers of WSGI as ASGI has them."""
    return [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers]


class JsonResponse(Response):
    """An answer, whose body is JSON unless it says otherwise, with the headers that its record has.

    Werkzeug checks each header that an answer is given, and copies it once more for WSGI. Those of the record need
    neither, and join the others at the end.
    """

    default_mimetype = "application/json"

    def get_wsgi_response(
        self, environ: WSGIEnvironment
    ) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return body, status and headers as WSGI has them; a header of the record stands in place of its own."""
        body, status, headers = super().get_wsgi_response(environ)
        own = record().headers
        return body, status, [*(pair for pair in headers if pair[0] not in own), *own.items()]


def closing(now: datetime, name: str) -> bytes:
    """Return the end of every body: timestamp and correlationId."""
    return f'"timestamp":"{format_time(now)}","correlationId":"{name}"}}'.encode()


def closed(opening: bytes) -> bytes:
    """Return a body that begins so, with its end."""
    record_ = record()
    return opening + closing(record_.now, record_.correlation_id)


def note_freshness(record_: Record, row: Freshness) -> None:
    """Have the headers of the answer say how fresh the row is."""
    record_.row = row
    # Of an earlier row.
    for name in KNOWN:
        record_.headers.pop(name, None)
    record_.headers.update(freshness_headers(row))


def freshness_headers(row: Freshness) -> dict[str, str]:
    """Return the headers of a row about a tenant: how fresh it is, and what the tenant is called."""
    headers = {} if row.as_of in (None, NOTHING_CLAIMED) else {"X-Data-As-Of": format_time(row.as_of)}
    if row.dead_letters:
        headers["X-Data-Dead-Letters"] = str(row.dead_letters)
    if row.tenant_name is not None:
        headers["X-Tenant-Name"] = _encoded(row.tenant_name)
    return headers


# A header has no other letters than those of ASCII.
_encoded = lru_cache(maxsize=1024)(quote_from_bytes)


def constant_headers(varies_by: Iterable[str]) -> dict[str, str]:
    """Return the headers that are the same on every answer.

    `varies_by` names the headers of a request that decide on its answer, beside its address.
    """
    names = ", ".join(varies_by)
    return {**_ALWAYS, "Vary": names} if names else _ALWAYS
