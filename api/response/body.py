"""The body and the headers of every answer."""

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

# Texts of customers are for the caller alone. A browser may neither take them for HTML, nor send on their address.
_ALWAYS = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

After = Callable[[Response, Record], Response]

Headers = list[tuple[bytes, bytes]]
"""The headers of an answer in the form of ASGI."""


def encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return headers of WSGI in the form of ASGI."""
    return [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers]


class JsonResponse(Response):
    """An answer with the headers of its record; its body is JSON unless another type is given.

    Werkzeug checks each header of an answer, and copies it once more for WSGI. The headers of the record need neither,
    and are added at the end.
    """

    default_mimetype = "application/json"

    def get_wsgi_response(
        self, environ: WSGIEnvironment
    ) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return body, status and headers for WSGI. A header of the record replaces one of the answer."""
        body, status, headers = super().get_wsgi_response(environ)
        own = record().headers
        return body, status, [*(pair for pair in headers if pair[0] not in own), *own.items()]


def closing(now: datetime, name: str) -> bytes:
    """Return the end of a body: timestamp and correlationId."""
    return f'"timestamp":"{format_time(now)}","correlationId":"{name}"}}'.encode()


def closed(opening: bytes) -> bytes:
    """Return a body with its end."""
    record_ = record()
    return opening + closing(record_.now, record_.correlation_id)


def note_freshness(record_: Record, row: Freshness) -> None:
    """Put the freshness of a row into the headers of the answer."""
    record_.row = row
    # Remove the headers of an earlier row.
    for name in KNOWN:
        record_.headers.pop(name, None)
    record_.headers.update(freshness_headers(row))


def freshness_headers(row: Freshness) -> dict[str, str]:
    """Return the headers of a row about a tenant: its freshness, and the name of the tenant."""
    headers = {} if row.as_of in (None, NOTHING_CLAIMED) else {"X-Data-As-Of": format_time(row.as_of)}
    if row.dead_letters:
        headers["X-Data-Dead-Letters"] = str(row.dead_letters)
    if row.tenant_name is not None:
        headers["X-Tenant-Name"] = _encoded(row.tenant_name)
    return headers


# A header can only contain ASCII.
_encoded = lru_cache(maxsize=1024)(quote_from_bytes)


def constant_headers(varies_by: Iterable[str]) -> dict[str, str]:
    """Return the headers that are the same in every answer.

    `varies_by` names the headers of a request on which its answer depends, besides its address.
    """
    names = ", ".join(varies_by)
    return {**_ALWAYS, "Vary": names} if names else _ALWAYS
