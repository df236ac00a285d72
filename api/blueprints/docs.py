"""The description of the API, and a page to try it that needs nothing from elsewhere."""

from functools import cache

from flask import Blueprint, Response
from flask_swagger_ui import get_swaggerui_blueprint

from api.answers import JsonResponse
from api.openapi import document

docs = Blueprint("docs", __name__)
docs.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "Leads API"}))

_document = cache(document)


@docs.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    return JsonResponse(_document())
