"""Answers 304 to a caller who has the present answer, by the version of the tenant alone.

A tag that is made from a version came with an answer of this address, so the address needs no further check.
"""

from urllib.parse import unquote_plus

from flask import Response

from api.plan.projection import tenant_now
from api.request.record import Record
from api.response.conditional import is_of_version, known_tags, not_modified, tag_of
from api.routes.read_model import read_model

_ENDPOINTS = "leads."
_METHODS = ("GET", "HEAD")


def answer_unchanged(record: Record) -> Response | None:
    """Return 304 if the request has the tag of the tenant's present version; None lets the request continue."""
    request, user_id = record.request, record.user_id
    tags = known_tags(request.environ)
    if (
        tags is None
        or user_id is None
        or not (request.endpoint or "").startswith(_ENDPOINTS)
        or request.method not in _METHODS
        or not any(map(is_of_version, tags))
        or "\0" in request.path
        # The freshness of such a request is checked when its rows are read.
        or "min_as_of" in unquote_plus(record.query)
    ):
        return None
    row = read_model().fetch(tenant_now(user_id))
    tag = tag_of(request.environ, row.state)
    return not_modified(tag) if tag in tags else None
