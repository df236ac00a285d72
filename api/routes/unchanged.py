"""Answers a caller who has the present answer, by the version of the tenant alone."""

from flask import Flask, Response

from api import current
from api.plan.version import tenant_version
from api.response.conditional import known_tags, may_be_decided_by_version, not_modified, version_tag
from api.routes.read_model import read_model

_ENDPOINTS = "leads."
_METHODS = ("GET", "HEAD")


def install(app: Flask) -> None:
    """Have requests that name such a tag answered before they count against the rate limit."""
    app.before_request(_answer_unchanged)


def _answer_unchanged() -> Response | None:
    """Returns 304 if a tag of the request is that of the tenant's present version; else the request goes on.

    A tag of a version was given with an answer of this very address. So the address is a good one, and nothing of it
    has to be read again.
    """
    known = known_tags()
    if known is None or not may_be_decided_by_version(known):
        return None
    request = current.request()
    rule = request.url_rule
    if rule is None or request.method not in _METHODS or not rule.endpoint.startswith(_ENDPOINTS):
        return None
    # Whether an answer is as fresh as such a request asks is compared where its rows are read.
    if "min_as_of" in request.args:
        return None
    row = read_model().fetch(tenant_version((request.view_args or {})["user_id"]))
    tag = version_tag(row.version)
    return not_modified(tag) if tag in known else None
