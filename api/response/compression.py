"""Compresses large answers for callers that accept it (`Accept-Encoding`)."""

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

# Below this size, the header and the work cost more than the saved bytes.
MIN_BYTES = 1024
# Level 1 of gzip takes a fifth of the time of the default level, and makes a page of leads an eighth larger. Level 1 of
# zstd takes half of that time, and makes the page smaller than gzip does.
LEVEL = 1
# A range refers to the stored bytes, and 304 has no body.
_UNTOUCHED = frozenset({HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED})
# In the order in which the API prefers them.
ENCODINGS = ("zstd", "gzip")
# zlib's own constant for gzip's format.
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
# RFC 1951, 3.2.4: the last block, of uncompressed bytes. RFC 1952, 2.3.1: checksum and length.
_LAST_DEFLATE_BLOCK = Struct("<BHH")
_GZIP_END = Struct("<II")
_MAX_CACHED_HEADERS = 256
_TEXTS = frozenset({"application/json", "application/javascript", "image/svg+xml"})


class OpenBody(NamedTuple):
    """The beginning of a body in some encoding, to which any end can be added without compressing it again."""

    encoding: str | None
    start: bytes
    # Checksum and length of the uncompressed bytes, with which gzip ends.
    checksum: int
    length: int

    def ended(self, end: bytes) -> bytes:
        """Return the body with an end, which is an uncompressed block of its own."""
        if self.encoding == "zstd":
            # RFC 8878, 3.1.1.2: the last block, of uncompressed bytes.
            return self.start + (len(end) << 3 | 1).to_bytes(3, "little") + end
        if self.encoding == "gzip":
            checksum, length = zlib.crc32(end, self.checksum), self.length + len(end)
            block = _LAST_DEFLATE_BLOCK.pack(1, len(end), 0xFFFF - len(end))
            return self.start + block + end + _GZIP_END.pack(checksum, length % 2**32)
        return self.start + end


def opened(encoding: str | None, data: bytes) -> OpenBody:
    """Return the beginning of a body in an encoding."""
    if encoding == "zstd":
        maker = zstd.ZstdCompressor(LEVEL)
        return OpenBody(encoding, maker.compress(data, maker.FLUSH_BLOCK), 0, 0)
    if encoding == "gzip":
        deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP_WINDOW_BITS)
        start = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
        return OpenBody(encoding, start, zlib.crc32(data), len(data))
    return OpenBody(None, data, 0, 0)


def compress(response: Response, record: Record) -> Response:
    """Return the answer in the encoding that the caller prefers, among those of this API."""
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
    # An answer for the memory is kept without its end.
    opening = record.opening or len(data)
    record.body = opened(encoding, data[:opening])
    response.set_data(record.body.ended(data[opening:]))
    response.headers["Content-Encoding"] = encoding
    # A range refers to the stored bytes.
    response.headers.pop("Accept-Ranges", None)
    tag, is_weak = response.get_etag()
    if tag is not None and not is_weak:
        # A strong tag would promise the uncompressed bytes.
        response.set_etag(tag, weak=True)
    return response


def _is_worth_it(response: Response) -> bool:
    """Return whether an answer is a whole text of some length, and not compressed yet."""
    return (
        response.status_code not in _UNTOUCHED
        and (response.content_length or response.calculate_content_length() or 0) >= MIN_BYTES
        and ((kind := response.mimetype or "") in _TEXTS or kind.startswith("text/"))
        and "Content-Encoding" not in response.headers
    )


@lru_cache(maxsize=_MAX_CACHED_HEADERS)
def chosen_encoding(header: str) -> str | None:
    """Return the encoding that a caller prefers; None if that is no encoding."""
    # x-gzip is its old name.
    accepted = parse_accept_header(header.lower().replace("x-gzip", "gzip"), Accept)
    best = accepted.best_match([*ENCODINGS, "identity"])
    return None if best == "identity" else best
