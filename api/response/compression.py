"""Makes large answers smaller for callers that take them so (`Accept-Encoding`)."""

import sys
import zlib
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from api.config import Config
from api.limits.exports import ExportStream
from api.request import current

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Below, the header and the work cost more than the bytes that are saved.
MIN_BYTES = 1024
# The first level of gzip takes a fifth of the time of the usual one, and makes a page of leads an eighth larger. That
# of zstd takes half of that time, and makes the page smaller.
LEVEL = 1
# A range is one of the bytes as they are, and the other has no body, whatever its file is.
_UNTOUCHED = frozenset({HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED})
# zlib's own constant for gzip's format.
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
_MAX_CACHED_HEADERS = 256
_MAX_CACHED_LENGTH = 200
_TEXTS = frozenset({"application/json", "application/javascript", "image/svg+xml"})


def install(app: Flask, config: Config) -> None:
    """Compress answers, unless the settings leave that to a proxy."""
    if config.compression:
        app.after_request(compress)


def compress(response: Response) -> Response:
    """Returns the answer in the encoding that the caller likes best, of those that this API knows."""
    header = current.request().environ.get("HTTP_ACCEPT_ENCODING")
    if header is None:
        return response
    encoding = _chosen_cached(header) if len(header) <= _MAX_CACHED_LENGTH else chosen_encoding(header)
    # An export has announced its length.
    if encoding is None or isinstance(response.response, ExportStream) or not _is_worth_it(response):
        return response
    is_file, response.direct_passthrough = response.direct_passthrough, False
    data = response.get_data()
    if is_file:
        response.close()
    response.set_data(COMPRESS[encoding](data))
    response.headers["Content-Encoding"] = encoding
    # A range is one of the bytes as they are stored.
    response.headers.pop("Accept-Ranges", None)
    tag, is_weak = response.get_etag()
    if tag is not None and not is_weak:
        # Its bytes are others now.
        response.set_etag(tag, weak=True)
    return response


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: zstd.compress(data, LEVEL),
    "gzip": lambda data: zlib.compress(data, LEVEL, _GZIP_WINDOW_BITS),
}
"""What makes data smaller, for each encoding; the one that the API likes best comes first."""


def _is_worth_it(response: Response) -> bool:
    """Returns whether an answer is a text of some length, as a whole, and not compressed yet."""
    return (
        response.status_code not in _UNTOUCHED
        and (response.content_length or response.calculate_content_length() or 0) >= MIN_BYTES
        and ((kind := response.mimetype or "") in _TEXTS or kind.startswith("text/"))
        and "Content-Encoding" not in response.headers
    )


def chosen_encoding(header: str) -> str | None:
    """Returns the encoding that a caller likes best; None if that is the plain answer."""
    accepted = parse_accept_header(header, Accept)
    named = {name.lower() for name in accepted.values()}
    qualities = {encoding: accepted.quality(encoding) for encoding in COMPRESS}
    # Its old name.
    if "x-gzip" in named:
        qualities["gzip"] = max(qualities["gzip"], accepted.quality("x-gzip"))
    best = max(qualities, key=lambda encoding: qualities[encoding])
    # `*` is what is not named. The plain answer may be had without that, unless it is refused.
    plain = accepted.quality("identity") if "identity" in named else 0
    return best if qualities[best] > 0 and qualities[best] >= plain else None


_chosen_cached = lru_cache(maxsize=_MAX_CACHED_HEADERS)(chosen_encoding)
