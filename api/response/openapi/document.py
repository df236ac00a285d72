"""The OpenAPI document: parameters by the schemas that check them, answers by `schemas.py`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from api import __version__
from api.request.kinds import NO_NUL
from api.request.text import MAX_ID_LENGTH
from api.response.errors import PHRASES
from api.response.headers import EVENTS, HEADERS, KNOWN, LIMITED, REQUEST_HEADERS
from api.response.openapi import texts
from api.response.openapi.schemas import Error

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
        version=__version__,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=name_of)],
        info={"summary": texts.SUMMARY, "description": texts.DESCRIPTION},
        servers=texts.SERVERS,
        tags=texts.TAGS,
        security=[{"credentials": []}] if asks_who_calls else [],
    )
    codes = [code for code in texts.ERRORS if asks_who_calls or code not in texts.OF_CALLERS]
    for name, header in HEADERS.items():
        if asks_who_calls or name != "WWW-Authenticate":
            spec.components.header(name, header.as_openapi())
    if asks_who_calls:
        spec.components.security_scheme("credentials", texts.SECURITY_SCHEME)
    for code in codes:
        spec.components.response(f"Error{code}", _failure(code, texts.ERRORS[code].headers))
    not_modified = _named(("X-Correlation-Id", *KNOWN, "ETag"))
    spec.components.response(
        "NotModified", {"description": "The caller has this answer.", "headers": not_modified}
    )
    for endpoint in texts.ENDPOINTS:
        spec.path(endpoint.path, operations={endpoint.method: _operation(endpoint, codes)})
    for page in texts.PAGES:
        if has_metrics or page.path != texts.METRICS:
            spec.path(page.path, operations={"get": _page(page)})
    described = spec.to_dict()
    _complete(described, classes)
    return orjson.dumps(described)


def _complete(described: dict[str, Any], classes: dict[str, type[Schema]]) -> None:
    """Say what each schema is, and show a sample of each answer."""
    schemas = described["components"]["schemas"]
    for name, schema in schemas.items():
        schema["description"] = _docstring(classes[name])
    for operation in (one for path in described["paths"].values() for one in path.values()):
        content = operation["responses"]["200"]["content"]
        if texts.JSON in content and "$ref" in content[texts.JSON]["schema"]:
            content[texts.JSON]["example"] = sample(content[texts.JSON]["schema"], schemas)
    for endpoint in texts.ENDPOINTS:
        file = endpoint.answer
        if isinstance(file, texts.File):
            content = described["paths"][endpoint.path]["get"]["responses"]["200"]["content"]
            content[file.kind]["example"] = file.sample
            if file.line:
                line = sample(schemas[file.line], schemas)
                phone = sample(schemas["Lead"]["properties"]["customer_phone"], schemas)
                content[file.kind]["example"] = (
                    orjson.dumps({"customer_phone": phone, **line}).decode() + "\n"
                )


def _docstring(schema: type[Schema]) -> str:
    return (schema.__doc__ or "").strip()


def _operation(endpoint: texts.Endpoint, codes: list[int]) -> dict[str, Any]:
    """Returns an endpoint, which may answer with these errors."""
    answer, has_tag = endpoint.answer, "ETag" in endpoint.headers
    content: dict[str, Any]
    if isinstance(answer, texts.File):
        description, content = answer.description, {answer.kind: {"schema": {"type": "string"}}}
    else:
        description, content = _docstring(answer), {texts.JSON: {"schema": answer}}
    if endpoint.events:
        content[EVENTS] = {"schema": {"type": "string"}, "example": endpoint.events}
    errors = [code for code in codes if code in endpoint.errors or code not in _OF_SOME]
    parameters = endpoint.query.parameters
    of_pages = ("Link",) if "cursor" in parameters else ()
    body = {"required": True, "content": {texts.JSON: {"schema": endpoint.body}}}
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": endpoint.description,
        "tags": [endpoint.tag],
        "parameters": [
            _USER_ID,
            *([_CUSTOMER_PHONE] if "{customer_phone}" in endpoint.path else []),
            *(one.as_openapi(name) for name, one in parameters.items()),
            *(
                _request_header(name)
                for name in REQUEST_HEADERS
                if {"If-None-Match": has_tag, "Last-Event-ID": endpoint.events}.get(name, True)
            ),
        ],
        **({} if endpoint.body is None else {"requestBody": body}),
        "responses": {
            "200": {
                "description": description,
                "headers": _named((*LIMITED, *KNOWN, *endpoint.headers, *of_pages)),
                "content": content,
            },
            **({"304": "NotModified"} if has_tag else {}),
            **{str(code): f"Error{code}" for code in errors},
        },
    }


def _page(page: texts.Page) -> dict[str, Any]:
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
    error, phrase = texts.ERRORS[code], PHRASES.get(code, HTTPStatus(code).phrase)
    closing = {"timestamp": "2026-11-25T01:03:53.984Z", "correlationId": "1795568633984-q5aaacm9z"}
    samples = {
        name: {"value": {"error": phrase, "message": message, **closing}}
        for name, message in error.messages.items()
    }
    return {
        "description": error.description,
        "headers": _named(headers),
        "content": {texts.JSON: {"schema": Error, "examples": samples}},
    }


def _named(headers: tuple[str, ...]) -> dict[str, str]:
    """Returns headers as apispec wants them, which makes references of their names."""
    return {name: name for name in headers}


def sample(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:  # noqa: ANN401  # Any JSON.
    """Returns a value that the schema describes; `schemas` are those that a `$ref` names.

    Raises LookupError for a property without an example.
    """
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        # The other one is null.
        return sample(schema["anyOf"][0], schemas)
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("type") == "array":
        return [sample(schema["items"], schemas)]
    if "properties" in schema:
        return {name: sample(one, schemas) for name, one in schema["properties"].items()}
    raise LookupError(f"There is no example of {dict(schema)}")


def document_to_try(document: bytes, user_id: str | None, customer_phone: str | None) -> bytes:
    """Returns the document for Swagger UI, which fills each example of a parameter into the form that it sends.

    A tenant and a lead are the only examples: those of the filters are in their descriptions. So the form sends a
    request that finds something, with no filter that its reader has not chosen.
    """
    spec = orjson.loads(document)
    known = {"user_id": user_id, "customer_phone": customer_phone}
    operations = [operation for path in spec["paths"].values() for operation in path.values()]
    for parameter in (one for operation in operations for one in operation.get("parameters", [])):
        if parameter["in"] == "path":
            parameter.pop("example", None)
            value = known.get(parameter["name"])
            if value is not None:
                parameter["example"] = value
        elif "example" in parameter:
            example = _as_written(parameter.pop("example"))
            # What has a default shows that already.
            if "default" not in parameter["schema"]:
                text = parameter["description"].removesuffix(".")
                parameter["description"] = f"{text} (for example `{example}`)."
    return orjson.dumps(spec)


def _as_written(example: object) -> str:
    """Returns an example as a query string has it."""
    if isinstance(example, list):
        return ",".join(example)
    return str(example).lower() if isinstance(example, bool) else str(example)
