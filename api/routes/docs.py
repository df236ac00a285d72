"""The OpenAPI document, and a page to try the API that loads nothing from other servers."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from http import HTTPStatus

from flask import Blueprint, Response, current_app, request
from flask_swagger_ui import get_swaggerui_blueprint

from api.response.body import JsonResponse
from api.response.openapi import document

docs = Blueprint("docs", __name__)
# The address after a login with OAuth would otherwise be made of what the caller gives as its host, within a script.
_CONFIG = {"app_name": "Leads API", "oauth2RedirectUrl": "/docs/oauth2-redirect.html"}
page: Blueprint = get_swaggerui_blueprint("/docs", "/openapi.json", _CONFIG)

_document = cache(document)
_PAGES = ("/docs", "/docs/index.html")
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@page.after_request
def _set_html(response: Response) -> Response:
    """Declare the page as HTML, because the application declares an answer without a type as JSON.

    Its policy lets the browser run the scripts of this folder and the one in the page, and ask this API only.
    """
    scripts: list[bytes] = []
    if request.path.rstrip("/") in _PAGES and response.status_code == HTTPStatus.OK:
        response.mimetype = "text/html"
        scripts = _INLINE_SCRIPT.findall(response.get_data())
    response.headers["Content-Security-Policy"] = _policy(*scripts)
    # Flask's own, beside which the application puts that of all answers.
    response.headers.pop("Cache-Control", None)
    return response


@cache
def _policy(*inline_scripts: bytes) -> str:
    hashes = [f"'sha256-{b64encode(sha256(script).digest()).decode()}'" for script in inline_scripts]
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *hashes]),
            "style-src 'self'",
            # Swagger UI has its icons in its style sheet.
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


docs.register_blueprint(page)


@docs.get("/openapi.json")
def openapi() -> Response:
    """Print the OpenAPI document."""
    return JsonResponse(_document(asks_who_calls="leads_gate" in current_app.extensions))
