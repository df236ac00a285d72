"""docs/api.md explains the fields of a lead and its parts as the OpenAPI document does."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.rules.files import read
from tests.rules.openapi import openapi

SCHEMAS = openapi()["components"]["schemas"]
PAGE = read("docs/api.md").partition("\n## Fields\n")[2]
# The heading under which the page has the list of a schema.
LISTS = {
    "Lead": "A lead",
    "ConversationSummary": "A conversation",
    "Message": "A message",
}
# A number between wider bounds is simply a number.
_WIDE = 1000


def fields(schema: Mapping[str, Any]) -> str:
    return "\n".join(
        f"- `{key}` ({kind(described)}): {described['description']}"
        for key, described in schema["properties"].items()
    )


def kind(described: Mapping[str, Any]) -> str:
    """Return what values a property has, in a few words."""
    if "enum" in described:
        words = [f"`{word}`" for word in described["enum"] if word is not None]
        return _either([*words, *(["null"] if None in described["enum"] else [])])
    if "anyOf" in described:
        return _either(
            ["null" if schema == {"type": "null"} else kind(schema) for schema in described["anyOf"]]
        )
    if "$ref" in described:
        return "object"
    types = described["type"] if isinstance(described["type"], list) else [described["type"]]
    return _either([_plain(types[0], described), *(["null"] if "null" in types else [])])


def _plain(name: str, described: Mapping[str, Any]) -> str:
    if name == "integer" and described.get("maximum", _WIDE) < _WIDE:
        return f"{described['minimum']} to {described['maximum']}"
    if name == "string" and "format" in described:
        return {"date-time": "time", "uuid": "UUID"}[described["format"]]
    words = {"string": "text", "integer": "number", "boolean": "true or false", "array": "list"}
    return words.get(name, name)


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def test_the_page_has_the_fields_of_each_schema_and_no_other() -> None:
    parts = {part for name in LISTS for part in re.findall(r"/schemas/(\w+)", str(SCHEMAS[name]))}
    assert parts <= set(LISTS), "a part of these needs a heading on the page too"
    for name, heading in LISTS.items():
        expected = fields(SCHEMAS[name])
        listed = " ".join(PAGE.partition(f"\n### {heading}\n")[2].partition("\n### ")[0].split())
        if " ".join(expected.split()) not in listed:
            pytest.fail(f"docs/api.md: the fields of {name} have to be\n{expected}", pytrace=False)
    rows = re.findall(r"^- `(\w+)` \(", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(key for name in LISTS for key in SCHEMAS[name]["properties"])
