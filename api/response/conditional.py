"""Whether the answer that a caller has is still right: `ETag`, and `If-None-Match` with 304.

A tag stands for data and pagination, and not for the timestamp and the correlation id, so it is a weak one. It is made
of the tenant's version: as long as the tenant has it, every row of the tenant is the same. Where the clock moves what
an address answers, it is made of what the clock has decided too.
"""

import re
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Response

from api.observe.version import installed_version
from api.request import current
from api.response.body import JsonResponse, success

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_DIGEST_BYTES = 12
# The first letter says what a tag is of.
_OF_VERSION = 'W/"v'
_OF_MOMENT = 'W/"m'
_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_IF_NONE_MATCH = "HTTP_IF_NONE_MATCH"


def answer(
    data: bytes, pagination: bytes | None = None, *, moving: bytes = b"", link: str | None = None
) -> Response:
    """Returns the answer with these data, or 304 if the caller has it.

    `moving` is what the clock decides of the answer: with the version of the tenant it tells the whole. `link` is the
    Link header of a page, which its last result tells.
    """
    environ = current.request().environ
    version = current.values().freshness.version
    tag = _tag(environ, version, moving)
    known = known_tags(environ)
    if known is not None and ("*" in known or tag in known):
        return not_modified(tag)
    return success(data, pagination, [("ETag", tag)] if link is None else [("ETag", tag), ("Link", link)])


def not_modified(tag: str) -> Response:
    """Returns the answer that the caller has the present one, by this tag."""
    current.values().rows = 0
    return JsonResponse(status=HTTPStatus.NOT_MODIFIED, headers=[("ETag", tag)])


def known_tags(environ: "WSGIEnvironment") -> set[str] | None:
    """Returns the tags that the caller has, all of them as weak ones; `*` for any, and None without the header."""
    header: str | None = environ.get(_IF_NONE_MATCH)
    if header is None:
        return None
    if header.strip() == "*":
        return {"*"}
    return {f'W/"{found}"' for found in _TAG.findall(header)}


def may_be_decided_by_version(known: AbstractSet[str]) -> bool:
    """Returns whether one of these tags may be of a tenant's version."""
    return any(tag.startswith(_OF_VERSION) for tag in known)


def may_be_of_a_moment(known: AbstractSet[str]) -> bool:
    """Returns whether one of these tags may be of what the clock decides too."""
    return any(tag.startswith(_OF_MOMENT) for tag in known)


def present_tag(
    environ: "WSGIEnvironment", version: bytes | None, known: AbstractSet[str], *, moving: bytes = b""
) -> str | None:
    """Returns the one of these tags that stands for the present answer, by what decides it; None if none does."""
    tag = _tag(environ, version, moving)
    return tag if tag in known else None


def _tag(environ: "WSGIEnvironment", version: bytes | None, moving: bytes) -> str:
    """Returns a tag.

    The address is a part of it: a tag that was given for another address of the tenant, where there is a lead, does not
    match here, where there may be none. So is the version of this program, which may print the same rows otherwise.
    """
    parts = (environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""), installed_version())
    address = "\0".join(parts).encode(errors="surrogatepass")
    digest = blake2b(b"%b\0%b\0%b" % (version or b"", address, moving), digest_size=_DIGEST_BYTES).hexdigest()
    return f'{_OF_MOMENT if moving else _OF_VERSION}{digest}"'
