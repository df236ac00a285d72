"""The page for people: a shell, whose modules call the public endpoints like any other client.

If the API does not authenticate, this module also chooses the tenants and the lead that the page and the API reference
show first.
"""

import re
from base64 import b64encode
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

import orjson
from flask import Blueprint, Response, make_response, render_template, request

from api.database.errors import UnavailableError
from api.plan.list.pages import list_leads
from api.plan.projection import FIRST_TENANTS, MOST_LISTED, tenant_now
from api.request.query import QUERIES
from api.routes.read_model import read_model, state

# The tenant of the demo data, which the examples of the API reference name.
REFERENCE_TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"

_FOLDER = Path(__file__).parents[1] / "page"
_STYLES = ("base", "list", "statistics", "lead")
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:class|function|const) (\w+))", re.MULTILINE)

page = Blueprint(
    "page",
    __name__,
    template_folder=str(_FOLDER / "templates"),
    static_folder=str(_FOLDER / "static"),
    static_url_path="/page",
)


@cache
def content_policy(*inline_scripts: bytes, more: tuple[str, ...] = ()) -> str:
    """Return the Content-Security-Policy of a page with these inline scripts, and with further directives.

    A browser may only run and load what the API itself serves.
    """
    hashes = [f"'sha256-{b64encode(sha256(script).digest()).decode()}'" for script in inline_scripts]
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *hashes]),
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            *more,
        ]
    )


# Browsers that support trusted types never parse a text as markup, whatever a module does.
_POLICY = content_policy(
    more=("img-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'")
)


@page.after_request
def _restrict(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@page.get("/")
def show() -> Response:
    """Print the shell; if the API does not authenticate, with a choice of tenants."""
    tenants, names, problem = [], {}, None
    try:
        tenants = _read_tenants()
        names = {user_id: _read_name(user_id) for user_id in tenants[:MOST_LISTED]}
    except UnavailableError as error:
        problem = str(error)
    text = render_template(
        "page.html",
        tenants=names,
        more_tenants=len(tenants) > MOST_LISTED,
        asks_who_calls=asks_who_calls(),
        problem=problem,
    )
    response = make_response(text)
    response.mimetype = "text/html"
    return response


@page.get("/page/all.js")
def script() -> Response:
    """Print all modules as one."""
    return _whole(_joined_modules(), "text/javascript")


@page.get("/page/all.css")
def styles() -> Response:
    """Print all style sheets as one."""
    return _whole("".join(_text(f"{name}.css") for name in _STYLES), "text/css")


def _whole(text: str, kind: str) -> Response:
    response = make_response(text)
    response.mimetype = kind
    response.add_etag()
    response.make_conditional(request)
    return response


@cache
def _joined_modules() -> str:
    """Return all modules as one text, so that a distant browser waits for one request instead of a chain.

    Each becomes a function that returns what the module exports.
    """
    joined: dict[str, str] = {}

    def add(name: str) -> None:
        text = _text(f"{name}.js")
        for _, other in _IMPORT.findall(text):
            if other not in joined:
                add(other)
        exported = ", ".join(exported_name for _, exported_name in _EXPORT.findall(text))
        inner = _IMPORT.sub(lambda line: f"const {{{line[1].replace(' as ', ': ')}}} = {line[2]}$;", text)
        inner = _EXPORT.sub(r"\1", inner)
        joined[name] = f"const {name}$ = (() => {{\n{inner}return {{ {exported} }};\n}})();\n"

    add("main")
    return "".join(joined.values())


def _text(name: str) -> str:
    return (_FOLDER / "static" / name).read_text("utf-8")


def asks_who_calls() -> bool:
    """Return whether the API needs a token or a key."""
    return state().authorizer is not None


def _read_tenants() -> list[str]:
    if asks_who_calls():
        return []
    tenants: list[str] = orjson.loads(read_model().database.fetch(FIRST_TENANTS).text or b"[]")
    return tenants


def _read_name(user_id: str) -> str | None:
    """Return the name of a tenant. Names are read one by one, because row security shows one tenant at a time."""
    name = read_model().database.fetch(tenant_now(user_id)).tenant_name
    return None if name is None else name.decode()


def example() -> tuple[str | None, str | None]:
    """Return a tenant, if possible that of the API reference, and its most recently active lead.

    Both are None if the API authenticates, if the read model cannot be read, or if there are none.
    """
    tenant, phone = None, None
    with suppress(UnavailableError):
        if tenants := _read_tenants():
            tenant = REFERENCE_TENANT if REFERENCE_TENANT in tenants else tenants[0]
            row = read_model().database.fetch(list_leads(tenant, QUERIES["listLeads"].read("limit=1")))
            phone = orjson.loads(row.page[0])["customer_phone"] if row.page else None
    return tenant, phone
