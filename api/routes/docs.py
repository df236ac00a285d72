"""The OpenAPI document, and a page to try the API that loads nothing from other servers."""

import re
from functools import cache
from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, Response, current_app, request, send_from_directory
from flask_swagger_ui import get_swaggerui_blueprint

from api.response.body import JsonResponse
from api.response.openapi import document, document_to_try
from api.routes.page import asks_who_calls, content_policy, example

docs = Blueprint("docs", __name__)
_CONFIG = {
    "app_name": "Leads API",
    # By default a script would build this address from the Host of the request.
    "oauth2RedirectUrl": "/docs/oauth2-redirect.html",
    # The other layout has a bar with the logo of Swagger.
    "layout": "BaseLayout",
}
page: Blueprint = get_swaggerui_blueprint("/docs", "/docs/openapi.json", _CONFIG)

_document = cache(document)
_PAGES = ("/docs", "/docs/index.html")
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
# These add what Swagger UI lacks: a dark scheme, and names for screen readers.
_OWN = Path(__file__).parents[1] / "page" / "docs"
_OWN_FILES = (
    b'<link rel="stylesheet" href="/docs/docs.css"><script src="/docs/docs.js" defer></script></head>'
)
# Swagger UI has its icons in its style sheet.
_ICONS = ("img-src 'self' data:",)


@page.after_request
def _set_html(response: Response) -> Response:
    """Declare the page as HTML, because the default type of the application is JSON.

    The policy lets the browser run the scripts of this folder and the inline one, and call only this API.
    """
    scripts: list[bytes] = []
    if request.path.rstrip("/") in _PAGES and response.status_code == HTTPStatus.OK:
        response.mimetype = "text/html"
        response.set_data(response.get_data().replace(b"</head>", _OWN_FILES))
        scripts = _INLINE_SCRIPT.findall(response.get_data())
    response.headers["Content-Security-Policy"] = content_policy(*scripts, more=_ICONS)
    return response


docs.register_blueprint(page)


@docs.get("/docs/docs.<any(css, js):kind>")
def own_file(kind: str) -> Response:
    """Print a file that extends Swagger UI."""
    return send_from_directory(_OWN, f"docs.{kind}")


@docs.get("/openapi.json")
def openapi() -> Response:
    """Print the OpenAPI document."""
    return JsonResponse(_document_here())


@docs.get("/docs/openapi.json")
def openapi_to_try() -> Response:
    """Print the document for the page to try the API, with a tenant and a lead that exist."""
    tenant, phone = example()
    return JsonResponse(document_to_try(_document_here(), tenant, phone))


def _document_here() -> bytes:
    """Return the document of this application."""
    return _document(asks_who_calls=asks_who_calls(), has_metrics="metrics" in current_app.blueprints)
