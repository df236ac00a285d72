"""The description of the API, and a page to try it that needs nothing from elsewhere."""

from functools import cache
from http import HTTPStatus

from flask import Blueprint, Response, request
from flask_swagger_ui import get_swaggerui_blueprint

from api.answers import JsonResponse
from api.openapi import document

docs = Blueprint("docs", __name__)
page: Blueprint = get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "Leads API"})

_document = cache(document)
_PAGES = ("/docs", "/docs/index.html")


@page.after_request
def _is_html(response: Response) -> Response:
    """Name the page as what it is: an answer that does not name its type is JSON here."""
    if request.path.rstrip("/") in _PAGES and response.status_code == HTTPStatus.OK:
        response.mimetype = "text/html"
    return response


docs.register_blueprint(page)


@docs.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    return JsonResponse(_document())
