"""The tools: the OpenAPI document of the API describes each, and each call is a request to the API."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx2
import orjson
from mcp import types

# The operation of the API that each tool calls.
OPERATIONS = {
    "find": "listLeads",
    "get": "getLead",
    "messages": "getLeadMessages",
    "history": "getLeadHistory",
    "statistics": "getLeadStatistics",
    "funnel": "getLeadFunnel",
    "facets": "getLeadFacets",
    "attributes": "listLeadAttributes",
    "changes": "listLeadChanges",
    "status_changes": "listStatusChanges",
    "explain": "getLead",
    # Without a token, the feed reads no leads.
    "freshness": "listLeadChanges",
}
_ABOUT_DATA = ("X-Data-As-Of", "X-Data-Dead-Letters")
# The headers that a result shows.
_SHOWN = (*_ABOUT_DATA, "Link", "X-Total-Count", "Retry-After")


class NoAnswerError(Exception):
    """The call was not sent, or the API gave no answer. The message names no tenant and no lead."""


class Tools:
    """The tools. They hold no credential: each call passes on that of its caller."""

    def __init__(self, api: httpx2.AsyncClient) -> None:
        self._api = api
        self._document: dict[str, Any] = {}

    async def describe(self) -> list[types.Tool]:
        """Return the tools as the API describes them. Raises NoAnswerError."""
        answer, document = await self._ask("/openapi.json", {}, {})
        if not answer.is_success:
            raise NoAnswerError(f"The API does not describe itself, but answers {answer.status_code}.")
        self._document = document
        return [self._tool(name) for name in OPERATIONS]

    async def call(self, name: str, arguments: Mapping[str, Any], authorization: str) -> types.CallToolResult:
        """Return the answer of the API, whatever its status is. Raises NoAnswerError."""
        if name not in OPERATIONS:
            raise NoAnswerError(f"There is no such tool, but {', '.join(OPERATIONS)}.")
        if not self._document:
            await self.describe()
        template, operation = self._operation(name)
        path = template
        values = dict(_query_pairs(arguments))
        for parameter in _parameters(operation, "path"):
            if not values.get(parameter):
                raise NoAnswerError(f"{parameter} must be given.")
            argument, place = values.pop(parameter), f"{{{parameter}}}"
            # Such a value would lead to another endpoint.
            is_path = "/" in argument or argument in (".", "..")
            if is_path or template.replace(place, argument) in self._document["paths"]:
                raise NoAnswerError(
                    f"{parameter} must be an id, not a path and not the name of another endpoint."
                )
            path = path.replace(place, quote(argument, safe=""))
        answer, body = await self._ask(
            path, values, {"Authorization": authorization} if authorization else {}
        )
        if name == "explain" and answer.is_success:
            fields = self._document["components"]["schemas"]["Lead"]["properties"]
            body["data"] = {
                key: {"value": value, "rule": fields[key]["description"]}
                for key, value in body["data"].items()
            }
        shown = {header: answer.headers[header] for header in _SHOWN if header in answer.headers}
        result = {"status": answer.status_code, "headers": shown, "body": body}
        text = types.TextContent(type="text", text=orjson.dumps(result).decode())
        return types.CallToolResult(content=[text], structured_content=result, is_error=not answer.is_success)

    async def _ask(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[httpx2.Response, dict[str, Any]]:
        try:
            answer = await self._api.get(path, params=query, headers=headers)
            return answer, orjson.loads(answer.content)
        except (httpx2.HTTPError, ValueError) as error:
            raise NoAnswerError(f"The API does not answer at its URL ({type(error).__name__}).") from None

    def _operation(self, name: str) -> tuple[str, dict[str, Any]]:
        """Return the path of a tool's operation, and its description in the document."""
        return next(
            (path, operation)
            for path, operations in self._document["paths"].items()
            for operation in operations.values()
            if operation["operationId"] == OPERATIONS[name]
        )

    def _tool(self, name: str) -> types.Tool:
        _, operation = self._operation(name)
        title, text = operation["summary"], operation["description"]
        parameters = _parameters(operation, "path", "query")
        if name == "explain":
            title, text = "Explain a lead", f"Each value beside the rule that decides it. {text}"
        elif name == "freshness":
            headers = self._document["components"]["headers"]
            title = "Tell how fresh the data are"
            text = " ".join(f"`{header}`: {headers[header]['description']}" for header in _ABOUT_DATA)
            parameters = _parameters(operation, "path")
        schema = {
            "type": "object",
            "properties": {
                key: {
                    **parameter["schema"],
                    "description": parameter["description"],
                    "examples": [parameter["example"]],
                }
                for key, parameter in parameters.items()
            },
            "required": [key for key, parameter in parameters.items() if parameter.get("required")],
            "additionalProperties": False,
        }
        reads = types.ToolAnnotations(read_only_hint=True)
        return types.Tool(
            name=name, title=title, description=f"{title}. {text}", input_schema=schema, annotations=reads
        )


def _parameters(operation: Mapping[str, Any], *places: str) -> dict[str, dict[str, Any]]:
    return {
        parameter["name"]: parameter for parameter in operation["parameters"] if parameter["in"] in places
    }


def _query_pairs(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the parameters of a query string: for an object each key, in brackets after its name."""
    for name, value in arguments.items():
        if isinstance(value, dict):
            yield from _query_pairs({f"{name}[{key}]": member for key, member in value.items()})
        elif value is not None:
            yield name, _as_query(value)


def _as_query(value: object) -> str:
    """Return a JSON value in the form of a query string."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_as_query, value)) if isinstance(value, list) else str(value)
