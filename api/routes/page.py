"""The page for people: a shell, whose modules ask the public endpoints as any other caller does."""

from pathlib import Path

from flask import Blueprint, Response, make_response, render_template

from api.plan.projection import MOST_LISTED
from api.response.content_policy import content_policy
from api.routes.known_tenants import asks_who_calls, known_tenants

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
    # Flask's own, beside which the application puts that of all answers.
    response.headers.pop("Cache-Control", None)
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
