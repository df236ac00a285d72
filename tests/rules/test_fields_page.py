"""docs/fields.md explains each field as the OpenAPI document does."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.rules.files import read
from tests.rules.openapi import openapi

SCHEMAS = openapi()["components"]["schemas"]
PAGE = read("docs/fields.md")
# The heading under which the page has the table of a schema.
TABLES = {
    "Lead": "A lead",
    "ConversationSummary": "A conversation",
    "Message": "A message",
    "Statistics": "Statistics",
    "ByPlatform": "Statistics",
    "Series": "Statistics by day or hour",
    "SeriesBucket": "Statistics by day or hour",
    "LeadNumbers": "Statistics by day or hour",
    "Pagination": "Pagination",
    "LeadChange": "A change",
    "LeadChanges": "A change",
    "LeadList": "Around them",
    "Error": "Around them",
}
# These are made of the others, or are no answer about leads.
OTHERS = {
    "LeadInfo",
    "MessagesOfLead",
    "LeadStatistics",
    "LeadSeries",
    "SingleLead",
    "LeadMessages",
    "LeadFacets",
    "Phones",
    "LookedUpLeads",
    "Live",
    "Ready",
}
# A number between wider bounds is simply a number.
_WIDE = 1000


def table(schema: Mapping[str, Any]) -> str:
    rows = [
        f"| `{key}` | {kind(described)} | {described['description']} |"
        for key, described in schema["properties"].items()
    ]
    return "\n".join(["| field | value | meaning and origin |", "|---|---|---|", *rows])


def kind(described: Mapping[str, Any]) -> str:
    """Return what values a property has, in a few words."""
    if "enum" in described:
        words = [f"`{word}`" for word in described["enum"] if word is not None]
        return _either([*words, *(["null"] if None in described["enum"] else [])])
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


def section(heading: str) -> str:
    [_, found] = PAGE.split(f"\n## {heading}\n")
    return found.partition("\n## ")[0]


def test_the_page_has_the_table_of_each_schema_and_no_other_field() -> None:
    assert set(SCHEMAS) == set(TABLES) | OTHERS
    for name, heading in TABLES.items():
        wanted = table(SCHEMAS[name])
        if f"\n{wanted}\n" not in section(heading):
            pytest.fail(f"docs/fields.md: the table of {name} has to be\n{wanted}", pytrace=False)
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(key for name in TABLES for key in SCHEMAS[name]["properties"])
