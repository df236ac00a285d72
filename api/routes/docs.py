"""The OpenAPI document, and a page to try the API that loads nothing from other servers."""

from functools import cache
from http import HTTPStatus

from flask import Blueprint, Response, current_app, request
from flask_swagger_ui import get_swaggerui_blueprint

from api.response.body import JsonResponse
from api.response.openapi import document

docs = Blueprint("docs", __name__)
page: Blueprint = get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "Leads API"})

_document = cache(document)
_PAGES = ("/docs", "/docs/index.html")


@page.after_request
def _set_html(response: Response) -> Response:
    """Declare the page as HTML, because the application declares an answer without a type as JSON."""
    if request.path.rstrip("/") in _PAGES and response.status_code == HTTPStatus.OK:
        response.mimetype = "text/html"
    return response


docs.register_blueprint(page)


@docs.get("/openapi.json")
def openapi() -> Response:
    """Print the OpenAPI document."""
    return JsonResponse(_document(asks_who_calls="leads_gate" in current_app.extensions))
