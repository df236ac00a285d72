"""Makes large answers smaller for callers that take them so (`Accept-Encoding`)."""

import zlib
from functools import lru_cache
from http import HTTPStatus

from flask import Flask, Response
from flask.globals import request_ctx
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from api.config import Config

# Below, the header and the work cost more than the bytes that are saved.
MIN_BYTES = 1024
# The first level takes a fifth of the time of the usual one, and makes a page of leads an eighth larger.
LEVEL = 1
# For files that are the same in each request: they are made smaller once.
FILE_LEVEL = 6
# A range is one of the bytes as they are, and the other has no body, whatever its file is.
_UNTOUCHED = frozenset({HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED})
_GZIP = "gzip"
# zlib's own constant for gzip's format.
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
_MAX_CACHED_HEADERS = 256
_MAX_CACHED_LENGTH = 200
_MAX_KEPT_FILES = 32
_TEXTS = frozenset({"application/json", "application/javascript", "image/svg+xml"})


def install(app: Flask, config: Config) -> None:
    """Compress answers, unless the settings leave that to a proxy."""
    if config.compression:
        app.after_request(Compression().compress)


class Compression:
    """Compresses answers, and keeps the files of `/docs/` as they were compressed."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str | None], bytes] = {}

    def compress(self, response: Response) -> Response:
        """Returns the answer in the encoding that the caller likes best, of those that this API knows."""
        # Each attribute of flask.request would be looked up through the context.
        header = request_ctx.request.environ.get("HTTP_ACCEPT_ENCODING")
        if header is None or not _wants_gzip(header) or not _is_worth_it(response):
            return response
        response.set_data(
            self._file(response) if response.direct_passthrough else gzipped(response.get_data())
        )
        response.headers["Content-Encoding"] = _GZIP
        # A range is one of the bytes as they are stored.
        response.headers.pop("Accept-Ranges", None)
        tag, is_weak = response.get_etag()
        if tag is not None and not is_weak:
            # Its bytes are others now.
            response.set_etag(tag, weak=True)
        return response

    def _file(self, response: Response) -> bytes:
        response.direct_passthrough = False
        key = request_ctx.request.path, response.get_etag()[0]
        kept = self._files.get(key)
        if kept is None:
            kept = gzipped(response.get_data(), FILE_LEVEL)
            if len(self._files) < _MAX_KEPT_FILES:
                self._files[key] = kept
        response.close()
        return kept


def gzipped(data: bytes, level: int = LEVEL) -> bytes:
    """Returns the data in gzip's format."""
    packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW_BITS)
    return packer.compress(data) + packer.flush()


def _is_worth_it(response: Response) -> bool:
    """Returns whether an answer is a text of some length, as a whole, and not compressed yet."""
    return (
        response.status_code not in _UNTOUCHED
        and (response.content_length or response.calculate_content_length() or 0) >= MIN_BYTES
        and ((kind := response.mimetype or "") in _TEXTS or kind.startswith("text/"))
        and "Content-Encoding" not in response.headers
    )


def _wants_gzip(header: str) -> bool:
    return _wants_gzip_cached(header) if len(header) <= _MAX_CACHED_LENGTH else wants_gzip(header)


def wants_gzip(header: str) -> bool:
    """Returns whether a caller takes gzip, and does not like the plain answer better."""
    accepted = parse_accept_header(header, Accept)
    # x-gzip is its old name. `*` is what is not named; the plain answer may be had unless it is refused.
    quality = max(accepted.quality(_GZIP), accepted.quality("x-gzip") if "x-gzip" in accepted.values() else 0)
    named = [value.lower() for value in accepted.values()]
    plain = accepted.quality("identity") if "identity" in named else 0
    return quality > 0 and quality >= plain


_wants_gzip_cached = lru_cache(maxsize=_MAX_CACHED_HEADERS)(wants_gzip)
