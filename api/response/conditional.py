"""Conditional requests: `ETag`, and `If-None-Match` with 304.

A tag stands for data and pagination, but not for the timestamp and the correlation id, so it is weak. It is made from
the tenant's version: as long as that stays the same, so does every row of the tenant. If the answer depends on the
clock, the tag is also made from what the clock has decided.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from http import HTTPStatus
from types import MappingProxyType
from wsgiref.types import WSGIEnvironment

from flask import Response

from api import __version__
from api.request.record import record
from api.response.body import JsonResponse, closing

_DIGEST_BYTES = 12
# The first letter says what a tag is made from.
_OF_VERSION = 'W/"v'
_OF_MOMENT = 'W/"m'
_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_IF_NONE_MATCH = "HTTP_IF_NONE_MATCH"


def answer(
    data: bytes,
    pagination: bytes | None = None,
    *,
    moving: bytes = b"",
    stands_until: datetime | None = None,
    more: Mapping[str, str | None] = MappingProxyType({}),
) -> Response:
    """Return the answer with these data, or 304 if the caller has it. It may be given again from memory.

    Data and pagination are JSON. `moving` is what the clock decides of the answer: it determines the answer
    together with the version of the tenant. `stands_until` is the moment after which the clock may change the
    answer; None for never. `more` has further headers, such as the link to the next page.
    """
    record_ = record()
    tag = tag_of(record_.request.environ, record_.row.state, moving)
    tags = known_tags(record_.request.environ)
    if tags is not None and ("*" in tags or tag in tags):
        return not_modified(tag)
    paged = b"" if pagination is None else b'"pagination":%b,' % pagination
    opening = b'{"success":true,"data":%b,%b' % (data, paged)
    record_.opening, record_.tag, record_.stands_until = len(opening), tag, stands_until
    headers = {"ETag": tag} | {name: text for name, text in more.items() if text is not None}
    return JsonResponse(opening + closing(record_.now, record_.correlation_id), headers=headers)


def not_modified(tag: str) -> Response:
    """Return the answer that the caller has the present one, by this tag."""
    record().rows = 0
    return JsonResponse(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})


def known_tags(environ: WSGIEnvironment) -> set[str] | None:
    """Return the tags that the caller has, all of them as weak ones; `*` for any, and None without the header."""
    header: str | None = environ.get(_IF_NONE_MATCH)
    if header is None:
        return None
    if header.strip() == "*":
        return {"*"}
    return {f'W/"{tag}"' for tag in _TAG.findall(header)}


def is_of_version(tag: str) -> bool:
    """Return whether a tag is made from a tenant's version alone."""
    return tag.startswith(_OF_VERSION)


def tag_of(environ: WSGIEnvironment, state: bytes | None, moving: bytes = b"") -> str:
    """Return the tag of an answer, from the `state` of its row and from what the clock has decided (`moving`).

    The tag includes the address, so that the tag of a lead that exists does not match at the address of one that may
    not. It includes the version of this program, because another version may print the same rows differently.
    """
    parts = (environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""), __version__)
    address = "\0".join(parts).encode(errors="surrogatepass")
    digest = blake2b(b"%b\0%b\0%b" % (state or b"", address, moving), digest_size=_DIGEST_BYTES).hexdigest()
    return f'{_OF_MOMENT if moving else _OF_VERSION}{digest}"'
