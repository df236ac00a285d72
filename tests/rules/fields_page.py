"""What docs/fields.md has to say, by the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

# A number between wider bounds is simply a number.
_WIDE = 1000


def table(schema: Mapping[str, Any]) -> str:
    """The table of the properties of a schema."""
    rows = [
        f"| `{key}` | {kind(described)} | {described['description']} |"
        for key, described in schema["properties"].items()
    ]
    return "\n".join(["| field | value | meaning and origin |", "|---|---|---|", *rows])


def kind(described: Mapping[str, Any]) -> str:
    """What values a property has, in a few words."""
    if "enum" in described:
        words = [f"`{word}`" for word in described["enum"] if word is not None]
        null = ["null"] if None in described["enum"] else []
        return _either([*words, *null])
    if "anyOf" in described:
        return _either(["null" if one == {"type": "null"} else kind(one) for one in described["anyOf"]])
    if "$ref" in described:
        return "object"
    types = described["type"] if isinstance(described["type"], list) else [described["type"]]
    return _either([_plain(types[0], described), *(["null"] if "null" in types else [])])


def _plain(name: str, described: Mapping[str, Any]) -> str:
    if name == "integer" and described.get("maximum", _WIDE) < _WIDE:
        return f"{described['minimum']} to {described['maximum']}"
    if name == "string" and "format" in described:
        return {"date-time": "time", "uuid": "UUID"}[described["format"]]
    return {"string": "text", "integer": "number", "boolean": "true or false", "array": "list"}[name]


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
