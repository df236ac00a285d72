"""Makes large answers smaller for callers that take them so (`Accept-Encoding`)."""

import sys
import zlib
from functools import lru_cache
from http import HTTPStatus
from struct import Struct
from typing import NamedTuple

from flask import Response
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from api.limits.exports import ExportStream
from api.request.record import Record

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
# The one that the API likes best comes first.
ENCODINGS = ("zstd", "gzip")
# zlib's own constant for gzip's format.
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
# RFC 1951, 3.2.4: the last block, of bytes as they are. RFC 1952, 2.3.1: checksum and length.
_LAST_DEFLATE_BLOCK = Struct("<BHH")
_GZIP_END = Struct("<II")
_MAX_CACHED_HEADERS = 256
_TEXTS = frozenset({"application/json", "application/javascript", "image/svg+xml"})


class OpenBody(NamedTuple):
    """The beginning of a body in some encoding, which may get any end without being compressed again."""

    encoding: str | None
    start: bytes
    # Of what was compressed: gzip ends with the checksum and the length of all.
    checksum: int
    length: int

    def ended(self, end: bytes) -> bytes:
        """Return the body with an end of some bytes, which stands there as it is, in a block of its own."""
        if self.encoding == "zstd":
            # RFC 8878, 3.1.1.2: the last block, of bytes as they are.
            return self.start + (len(end) << 3 | 1).to_bytes(3, "little") + end
        if self.encoding == "gzip":
            checksum, length = zlib.crc32(end, self.checksum), self.length + len(end)
            block = _LAST_DEFLATE_BLOCK.pack(1, len(end), 0xFFFF - len(end))
            return self.start + block + end + _GZIP_END.pack(checksum, length % 2**32)
        return self.start + end


def opened(encoding: str | None, data: bytes) -> OpenBody:
    """Return the beginning of a body."""
    if encoding == "zstd":
        maker = zstd.ZstdCompressor(LEVEL)
        return OpenBody(encoding, maker.compress(data, maker.FLUSH_BLOCK), 0, 0)
    if encoding == "gzip":
        deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP_WINDOW_BITS)
        start = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
        return OpenBody(encoding, start, zlib.crc32(data), len(data))
    return OpenBody(None, data, 0, 0)


def compress(response: Response, record: Record) -> Response:
    """Return the answer in the encoding that the caller likes best, of those that this API knows."""
    header = record.request.environ.get("HTTP_ACCEPT_ENCODING")
    if header is None:
        return response
    encoding = chosen_encoding(header)
    # An export has announced its length.
    if encoding is None or isinstance(response.response, ExportStream) or not _is_worth_it(response):
        return response
    is_file, response.direct_passthrough = response.direct_passthrough, False
    data = response.get_data()
    if is_file:
        response.close()
    # What may be given again is kept without its end.
    opening = record.opening or len(data)
    record.body = opened(encoding, data[:opening])
    response.set_data(record.body.ended(data[opening:]))
    response.headers["Content-Encoding"] = encoding
    # A range is one of the bytes as they are stored.
    response.headers.pop("Accept-Ranges", None)
    tag, is_weak = response.get_etag()
    if tag is not None and not is_weak:
        # Its bytes are others now.
        response.set_etag(tag, weak=True)
    return response


def _is_worth_it(response: Response) -> bool:
    """Return whether an answer is a text of some length, as a whole, and not compressed yet."""
    return (
        response.status_code not in _UNTOUCHED
        and (response.content_length or response.calculate_content_length() or 0) >= MIN_BYTES
        and ((kind := response.mimetype or "") in _TEXTS or kind.startswith("text/"))
        and "Content-Encoding" not in response.headers
    )


@lru_cache(maxsize=_MAX_CACHED_HEADERS)
def chosen_encoding(header: str) -> str | None:
    """Return the encoding that a caller likes best; None if that is the plain answer."""
    # x-gzip is its old name.
    accepted = parse_accept_header(header.lower().replace("x-gzip", "gzip"), Accept)
    best = accepted.best_match([*ENCODINGS, "identity"])
    return None if best == "identity" else best
