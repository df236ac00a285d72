"""The page for people: a shell, whose modules ask the public endpoints as any other caller does.

And which tenants and which lead it and the API reference begin with, where the API asks nobody who calls.
"""

from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, make_response, render_template

from api.database.errors import UnavailableError
from api.plan.list.pages import list_leads
from api.plan.projection import FIRST_TENANTS, MOST_LISTED
from api.request.query import LIST_QUERY
from api.response.content_policy import content_policy
from api.routes.read_model import read_model, state

# Of the examples in the API reference; the demo data have it.
REFERENCE_TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"

_FOLDER = Path(__file__).parents[1] / "page"

page = Blueprint(
    "page",
    __name__,
    template_folder=str(_FOLDER / "templates"),
    static_folder=str(_FOLDER / "static"),
    static_url_path="/page",
)
# A browser that knows this directive takes no text for markup, whatever a module does.
_POLICY = content_policy(
    more=("img-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'")
)


@page.after_request
def _restrict(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@page.get("/")
def show() -> Response:
    """Print the shell, with the tenants to choose from where the API asks nobody who calls."""
    tenants = known_tenants()
    text = render_template(
        "page.html",
        tenants=tenants[:MOST_LISTED],
        more_tenants=len(tenants) > MOST_LISTED,
        asks_who_calls=asks_who_calls(),
    )
    response = make_response(text)
    response.mimetype = "text/html"
    return response


def asks_who_calls() -> bool:
    """Returns whether the API asks for a token or a key."""
    return state().gate is not None


def known_tenants() -> list[str]:
    """Returns the first tenants; none where the API asks who calls, or while the read model cannot be read."""
    if asks_who_calls():
        return []
    try:
        found: list[str] = orjson.loads(read_model().database.fetch(FIRST_TENANTS).user_ids)
    except UnavailableError:
        return []
    return found


def example() -> tuple[str | None, str | None]:
    """Returns a tenant, that of the API reference if it is there, and its lead that was active last."""
    tenants = known_tenants()
    if not tenants:
        return None, None
    tenant = REFERENCE_TENANT if REFERENCE_TENANT in tenants else tenants[0]
    try:
        row: Any = read_model().database.fetch(list_leads(tenant, LIST_QUERY.read("limit=1")))
    except UnavailableError:
        return tenant, None
    return tenant, orjson.loads(row.page[0])["customer_phone"] if row.page else None
