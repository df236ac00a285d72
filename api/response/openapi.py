"""The OpenAPI document, and the headers that it describes.

`openapi.json` has the texts of the document: the description of each endpoint, schema, header and failure, with
samples. This module adds what the code knows: the parameters by the queries that check them, the fields of a lead, the
headers and failures that all endpoints share, and a sample of each answer. The file names headers and the schema of an
answer, has the messages of each failure, and leaves out that a count is at least 0.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from api import __version__
from api.request.error_codes import ErrorCode
from api.request.lead import LEAD_FIELDS
from api.request.parameters import FURTHER_FACETS
from api.request.query import QUERIES

_TEXT = Path(__file__).with_suffix(".json").read_bytes()
EVENTS = "text/event-stream"
HEADERS: dict[str, Any] = orjson.loads(_TEXT)["components"]["headers"]
CODE_HEADER = "X-Error-Code"
LIMITED = (
    "X-Correlation-Id",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit",
    "RateLimit-Policy",
)
KNOWN = ("X-Data-As-Of", "X-Data-Dead-Letters", "X-Tenant-Name")
# These are answered before a request counts against the limit.
_UNCOUNTED = ("Error401", "Error403", "Error413", "Error431", "NotModified")
_OF_CALLERS = ("Error401", "Error403")
# Only the endpoints that name them answer with these.
_OF_SOME = ("Error404", "Error408", "Error410", "NotModified")
# The failures of the endpoints that are not about leads.
_OF_PAGES = ("413", "431", "500", "503")
# A message prints these fields of its conversation, so its schema takes them from that of the conversation.
_OF_CONVERSATION = ("agent_name", "platform", "phone_number_id")
# The fields of a lead that the endpoint of messages prints.
_LEAD_INFO = ("name", "email", "company", "lead_status", "total_score")
_SUCCESS = {
    "default": True,
    "description": "Always true; an error has no such key.",
    "const": True,
    "examples": [True],
}
_SCALAR = [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]
# The attributes of a lead or a conversation.
_ATTRIBUTES = {
    "type": "object",
    "additionalProperties": {"anyOf": [*_SCALAR, {"type": "array", "items": {"anyOf": _SCALAR}}]},
}
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
# The schema of a line of each export.
_LINES = {
    "exportLeads": "Lead",
    "exportLeadsAsCsv": "Lead",
    "exportMessages": "Message",
    "exportStatusHistory": "Transition",
    "exportStatusHistoryAsCsv": "Transition",
}
# The end of the samples of failures.
_SAMPLE_CLOSING = {"timestamp": "2026-11-25T01:03:53.984Z", "correlationId": "1795568633984-q5aaacm9z"}


def document(*, asks_who_calls: bool = False, has_metrics: bool = True) -> bytes:
    """Return the document as JSON.

    It has the scheme of the credentials if the API needs them, and `/metrics` if that is on the port of the API.
    """
    spec = orjson.loads(_TEXT)
    spec["info"]["version"] = __version__
    components = spec["components"]
    parameters = components.pop("parameters")
    if not has_metrics:
        del spec["paths"]["/metrics"]
    if not asks_who_calls:
        spec["security"] = []
        del components["securitySchemes"], components["headers"]["WWW-Authenticate"]
        for name in _OF_CALLERS:
            del components["responses"][name]
    components["headers"][CODE_HEADER]["schema"]["examples"] = [*ErrorCode]
    _complete_schemas(components["schemas"])
    for name, response in components["responses"].items():
        shared = LIMITED[:1] if name in _UNCOUNTED else LIMITED
        if "error" in response:
            shared = (*shared, CODE_HEADER)
            response["content"] = _show_messages(response.pop("error"), response.pop("examples"))
        response["headers"] = _headers(*shared, *response.get("headers", ()))
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            _write_answer(operation["responses"], components["schemas"])
            _complete(path, operation, components["responses"], parameters)
            _show_sample(operation, components["schemas"])
    return orjson.dumps(spec)


def _complete_schemas(schemas: dict[str, Any]) -> None:
    """Add the fields of a lead and the keys of every answer. Each object has its own keys and no others.

    A key is optional if only `include` adds it.
    """
    closing = {key: schemas["Error"]["properties"][key] for key in ("timestamp", "correlationId")}
    schemas["Lead"]["properties"] = LEAD_FIELDS | schemas["Lead"]["properties"]
    schemas["LeadInfo"]["properties"] = {key: LEAD_FIELDS[key] for key in _LEAD_INFO}
    conversation = schemas["ConversationSummary"]["properties"]
    schemas["Message"]["properties"] |= {key: conversation[key] for key in _OF_CONVERSATION}
    for name in ("Lead", "ConversationSummary"):
        schemas[name]["properties"]["attributes"] |= _ATTRIBUTES
    facets = schemas["LeadFacets"]["properties"]["data"]
    facets["properties"] = dict.fromkeys(FURTHER_FACETS, _COUNTS) | facets["properties"]
    for schema in schemas.values():
        own, optional = schema["properties"], schema.pop("optional", ())
        for key, field in own.items():
            if field.get("type") == "integer":
                own[key] = {"type": "integer", "minimum": 0} | field
        if "data" in own:
            own = schema["properties"] = {"success": _SUCCESS, **own, **closing}
        required = sorted(own.keys() - optional)
        schema |= {"type": "object", "required": required, "additionalProperties": False}
    few = {"description": "A lead with the keys that `fields` names, and no others.", "required": []}
    schemas["PartialLead"] = schemas["Lead"] | few


def _show_messages(error: str, messages: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of a failure, with a sample for each message."""
    samples = {
        name: {"value": {"error": error, "message": message, **_SAMPLE_CLOSING}}
        for name, message in messages.items()
    }
    return {"application/json": {"schema": _reference("schemas", "Error"), "examples": samples}}


def _write_answer(responses: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Complete the answer of an operation, for which the file may only name a schema."""
    answer = responses["200"]
    if "schema" in answer:
        name = answer.pop("schema")
        content = {"application/json": {"schema": _reference("schemas", name)}}
        responses["200"] = {"description": schemas[name]["description"], **answer, "content": content}
    if "headers" in answer:
        responses["200"]["headers"] = _headers(*answer["headers"])


def _complete(
    path: str, operation: dict[str, Any], failures: Mapping[str, Any], parameters: Mapping[str, Any]
) -> None:
    """Add the parameters of an operation, and the headers and failures that it shares with others.

    Endpoints that are not about leads need no credentials, and have no rate limit.
    """
    query, responses = QUERIES.get(operation["operationId"]), operation["responses"]
    answer = responses["200"]
    own = answer.get("headers", {})
    asked = [
        *(["Last-Event-ID"] if EVENTS in answer["content"] else []),
        *(["If-None-Match"] if "ETag" in own else []),
        "X-Correlation-Id",
    ]
    of_query = query.parameters if query else {}
    if not query:
        operation["security"] = []
    operation["parameters"] = [
        *(parameters[name] for name in re.findall(r"{(\w+)}", path)),
        *(parameter.as_openapi(name) for name, parameter in of_query.items()),
        *(parameters[name] for name in asked),
    ]
    if query:
        answer["headers"] = (
            _headers(*LIMITED, *KNOWN) | own | _headers(*(["Link"] if "cursor" in of_query else []))
        )
        shared = {
            name.removeprefix("Error"): _reference("responses", name)
            for name in failures
            if name not in _OF_SOME
        }
        if "ETag" in own:
            shared["304"] = _reference("responses", "NotModified")
    else:
        answer["headers"] = _headers(*LIMITED[:1])
        shared = {
            code: failures[f"Error{code}"]
            | {"headers": _headers(LIMITED[0], CODE_HEADER, *(["Retry-After"] if code == "503" else []))}
            for code in _OF_PAGES
        }
    operation["responses"] = dict(sorted((responses | shared).items()))


def _headers(*names: str) -> dict[str, Any]:
    return {name: _reference("headers", name) for name in names}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _show_sample(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Add a sample of a whole answer, or of the beginning of a file."""
    for kind, content in operation["responses"]["200"]["content"].items():
        if "$ref" in content["schema"]:
            content["example"] = sample(content["schema"], schemas)
        elif kind in ("text/csv", "application/x-ndjson"):
            name = _LINES[operation["operationId"]]
            content["example"] = _line(name, schemas, is_table=kind == "text/csv")


def _line(name: str, schemas: Mapping[str, Any], *, is_table: bool) -> str:
    """Return a line of an export as a sample: a row below its header, or JSON."""
    fields = {"customer_phone": LEAD_FIELDS["customer_phone"], **schemas[name]["properties"]}
    if is_table:
        columns = LEAD_FIELDS if name == "Lead" else fields
        return "".join(f"{','.join(row)}\r\n" for row in (columns, map(_cell, columns.values())))
    line = {"customer_phone": sample(fields["customer_phone"], schemas), **sample(schemas[name], schemas)}
    return f"{orjson.dumps(line).decode()}\n"


def _cell(schema: Mapping[str, Any]) -> str:
    """Return the example of a field as a cell of CSV: texts in quotes, except ids and times."""
    example = schema["examples"][0]
    if example is None:
        return ""
    if isinstance(example, list):
        return f'"{",".join(example)}"'
    return f'"{example}"' if isinstance(example, str) and "format" not in schema else str(example).lower()


def sample(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:  # noqa: ANN401  # Any JSON.
    """Return a value that the schema describes; `schemas` are those that a `$ref` names.

    Raises LookupError for a property without an example.
    """
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        # The second alternative is null.
        return sample(schema["anyOf"][0], schemas)
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("type") == "array":
        return [sample(schema["items"], schemas)]
    if "properties" in schema:
        required = schema.get("required", schema["properties"])
        return {
            name: sample(property_, schemas)
            for name, property_ in schema["properties"].items()
            if name in required
        }
    raise LookupError(f"There is no example of {dict(schema)}")


def document_to_try(document: bytes, user_id: str | None, customer_phone: str | None) -> bytes:
    """Return the document for Swagger UI, which fills the example of each parameter into its form.

    Only the tenant and the lead have examples; those of filters are moved to their descriptions. So the form sends a
    request that finds something, without filters that the reader has not chosen.
    """
    spec = orjson.loads(document)
    examples = {"user_id": user_id, "customer_phone": customer_phone}
    operations = [operation for path in spec["paths"].values() for operation in path.values()]
    for parameter in (parameter for operation in operations for parameter in operation.get("parameters", [])):
        if parameter["in"] == "path":
            parameter.pop("example", None)
            value = examples.get(parameter["name"])
            if value is not None:
                parameter["example"] = value
        elif "example" in parameter:
            example = _as_written(parameter["name"], parameter.pop("example"))
            if parameter["schema"].get("type") == "object":
                # The form would invent keys.
                parameter["example"] = {}
            # The form shows a default anyway.
            if "default" not in parameter["schema"]:
                text = parameter["description"].removesuffix(".")
                parameter["description"] = f"{text} (for example `{example}`)."
    return orjson.dumps(spec)


def _as_written(name: str, example: object) -> str:
    """Return an example in the form of a query string; for an object each key, with the name of the parameter."""
    if isinstance(example, list):
        return ",".join(example)
    if isinstance(example, dict):
        return "&".join(f"{name}[{key}]={value}" for key, value in example.items())
    return str(example).lower() if isinstance(example, bool) else str(example)
