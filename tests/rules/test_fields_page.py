"""docs/fields.md explains each field as the OpenAPI document does."""

import re

import pytest

from tests.rules import fields_page
from tests.rules.files import ROOT
from tests.rules.openapi import openapi

SCHEMAS = openapi()["components"]["schemas"]
PAGE = (ROOT / "docs" / "fields.md").read_text("utf-8")
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


def section(heading: str) -> str:
    [_, found] = PAGE.split(f"\n## {heading}\n")
    return found.partition("\n## ")[0]


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_table_of_a_schema(name: str) -> None:
    wanted = fields_page.table(SCHEMAS[name])
    assert f"\n{wanted}\n" in section(TABLES[name]), (
        f"docs/fields.md: the table of {name} has to be\n{wanted}"
    )


def test_the_page_names_no_other_field() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(key for name in TABLES for key in SCHEMAS[name]["properties"])


def test_each_field_of_an_answer_is_on_the_page() -> None:
    # These are made of the others, or are no answer about leads.
    others = {"LeadInfo", "MessagesOfLead", "LeadStatistics", "LeadSeries", "SingleLead", "LeadMessages"}
    others |= {"Live", "Ready"}
    assert set(SCHEMAS) == set(TABLES) | others


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["string", "null"], "format": "date-time"}, "time or null"),
        ({"type": "string", "enum": ["a", "b", "c"]}, "`a`, `b` or `c`"),
        ({"type": ["string", "null"], "enum": ["a", None]}, "`a` or null"),
        ({"type": ["integer", "null"], "minimum": 1, "maximum": 3}, "1 to 3 or null"),
        ({"type": "integer", "minimum": 0}, "number"),
        ({"type": "array"}, "list"),
        ({"$ref": "#/x"}, "object"),
        ({"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}, "object or null"),
    ],
)
def test_values_are_told_in_a_few_words(described: dict[str, object], words: str) -> None:
    assert fields_page.kind(described) == words
