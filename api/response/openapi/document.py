"""The OpenAPI document: parameters by the schemas that check them, answers by `schemas.py`."""

from http import HTTPStatus
from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from api.request.fields import NO_NUL, Parameter
from api.request.text import MAX_ID_LENGTH
from api.response.headers import HEADERS, KNOWN, LIMITED, REQUEST_HEADERS
from api.response.openapi.described_errors import ERRORS, OF_CALLERS
from api.response.openapi.samples import sample
from api.response.openapi.schemas import Error
from api.response.openapi.texts import (
    DESCRIPTION,
    ENDPOINTS,
    JSON,
    METRICS,
    PAGES,
    SECURITY_SCHEME,
    SERVERS,
    SUMMARY,
    TAGS,
    Endpoint,
    File,
    Page,
)

# Of the documented interface; it does not change with the code.
API_VERSION = "1.0.0"

# Which errors only the endpoints have that name them.
_OF_SOME = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH, "pattern": NO_NUL}
_USER_ID = {
    "in": "path",
    "name": "user_id",
    "required": True,
    "description": "The tenant, a customer of the platform.",
    "schema": _ID_SCHEMA,
    "example": "789895c8-4bd6-43e9-bfea-a4171ec47197",
}
_CUSTOMER_PHONE = {
    "in": "path",
    "name": "customer_phone",
    "required": True,
    "description": "The lead, in any spelling of its phone: `%2B91%2089795%2056941` is the lead `918979556941`.",
    "schema": _ID_SCHEMA,
    "example": "918979556941",
}


def document(*, asks_who_calls: bool = False, has_metrics: bool = True) -> bytes:
    """Returns the document as JSON.

    It has the scheme of the credentials if the API asks for them, and `/metrics` if that is on the port of the API.
    """
    classes: dict[str, type[Schema]] = {}

    def name_of(schema: Any) -> str:  # noqa: ANN401  # A class, or one of its instances.
        kind = schema if isinstance(schema, type) else type(schema)
        classes[kind.__name__] = kind
        return kind.__name__

    spec = APISpec(
        title="Leads API",
        version=API_VERSION,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=name_of)],
        info={"summary": SUMMARY, "description": DESCRIPTION},
        servers=SERVERS,
        tags=TAGS,
        security=[{"credentials": []}] if asks_who_calls else [],
    )
    codes = [code for code in ERRORS if asks_who_calls or code not in OF_CALLERS]
    _add_components(spec, codes, asks_who_calls=asks_who_calls)
    for endpoint in ENDPOINTS:
        spec.path(endpoint.path, operations={"get": _operation(endpoint, codes)})
    for page in PAGES:
        if has_metrics or page.path != METRICS:
            spec.path(page.path, operations={"get": _page(page)})
    described = spec.to_dict()
    _complete(described, classes)
    return orjson.dumps(described)


def _add_components(spec: APISpec, codes: list[int], *, asks_who_calls: bool) -> None:
    """Add what several operations refer to."""
    for name, header in HEADERS.items():
        if asks_who_calls or name != "WWW-Authenticate":
            spec.components.header(name, header.as_openapi())
    if asks_who_calls:
        spec.components.security_scheme("credentials", SECURITY_SCHEME)
    for code in codes:
        spec.components.response(f"Error{code}", _failure(code, ERRORS[code].headers))
    not_modified = ("X-Correlation-Id", *KNOWN, "ETag")
    spec.components.response(
        "NotModified", {"description": "The caller has this answer.", "headers": _named(not_modified)}
    )


def _complete(described: dict[str, Any], classes: dict[str, type[Schema]]) -> None:
    """Say what each schema is, and show a sample of each answer."""
    schemas = described["components"]["schemas"]
    for name, schema in schemas.items():
        schema["description"] = _docstring(classes[name])
    for path in described["paths"].values():
        content = path["get"]["responses"]["200"]["content"]
        if JSON in content and "$ref" in content[JSON]["schema"]:
            content[JSON]["example"] = sample(content[JSON]["schema"], schemas)
    for endpoint in ENDPOINTS:
        file = endpoint.answer
        if isinstance(file, File):
            content = described["paths"][endpoint.path]["get"]["responses"]["200"]["content"]
            content[file.kind]["example"] = file.sample or _line(file.line, schemas)


def _line(name: str, schemas: dict[str, Any]) -> str:
    """Returns a line of an export: what a schema describes, and the lead that it belongs to."""
    phone = sample(schemas["Lead"]["properties"]["customer_phone"], schemas)
    return orjson.dumps({"customer_phone": phone, **sample(schemas[name], schemas)}).decode() + "\n"


def _docstring(schema: type[Schema]) -> str:
    return (schema.__doc__ or "").strip()


def _operation(endpoint: Endpoint, codes: list[int]) -> dict[str, Any]:
    """Returns an endpoint, which may answer with these errors."""
    answer, has_tag = endpoint.answer, "ETag" in endpoint.headers
    errors = [code for code in codes if code in endpoint.errors or code not in _OF_SOME]
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": endpoint.description,
        "tags": [endpoint.tag],
        "parameters": [
            _USER_ID,
            *([_CUSTOMER_PHONE] if "{customer_phone}" in endpoint.path else []),
            *_parameters(endpoint.query),
            *(_request_header(name) for name in REQUEST_HEADERS if has_tag or name != "If-None-Match"),
        ],
        "responses": {
            "200": {
                "description": answer.description if isinstance(answer, File) else _docstring(answer),
                "headers": _named((*LIMITED, *KNOWN, *endpoint.headers, *_of_pages(endpoint.query))),
                "content": _content(answer),
            },
            **({"304": "NotModified"} if has_tag else {}),
            **{str(code): f"Error{code}" for code in errors},
        },
    }


def _content(answer: type[Schema] | File) -> dict[str, Any]:
    if isinstance(answer, File):
        return {answer.kind: {"schema": {"type": "string"}}}
    return {JSON: {"schema": answer}}


def _page(page: Page) -> dict[str, Any]:
    """Returns what there is beside the endpoints about leads."""
    own = ("X-Correlation-Id",)
    errors = {
        str(code): _failure(code, (*own, "Retry-After") if code == HTTPStatus.SERVICE_UNAVAILABLE else own)
        for code in page.errors
    }
    answer = {"description": f"{page.summary}.", "headers": _named(own), "content": page.content}
    return {
        "operationId": page.name,
        "summary": page.summary,
        "description": page.description,
        "tags": ["Operation"],
        "security": [],
        "parameters": [_request_header("X-Correlation-Id")],
        "responses": {"200": answer, **errors},
    }


def _request_header(name: str) -> dict[str, Any]:
    return {"in": "header", "name": name, **REQUEST_HEADERS[name].as_openapi()}


def _failure(code: int, headers: tuple[str, ...]) -> dict[str, Any]:
    error = ERRORS[code]
    return {
        "description": error.description,
        "headers": _named(headers),
        "content": {JSON: {"schema": Error, "examples": error.samples(code)}},
    }


def _named(headers: tuple[str, ...]) -> dict[str, str]:
    """Returns headers as apispec wants them, which makes references of their names."""
    return {name: name for name in headers}


def _of_pages(query: type[Schema]) -> tuple[str, ...]:
    """Returns the headers that only an endpoint with pages has."""
    return ("Link",) if "cursor" in query().fields else ()


def _parameters(query: type[Schema]) -> list[dict[str, Any]]:
    """Returns the parameters of a query, as the fields that check them describe themselves."""
    return [
        {
            "in": "query",
            "name": name,
            "description": field.description,
            "schema": field.as_openapi(),
            "example": field.example,
            **field.style,
        }
        for name, field in query().fields.items()
        if isinstance(field, Parameter)
    ]
