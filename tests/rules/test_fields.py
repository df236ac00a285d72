"""A field of the lead is named in all the places that need it; a red test names the next file.

The order of work is schema.sql, sql/definition/lead_profiles.sql, projector/capture/source.py, sql/definition/leads.sql, the
response schema, projector/operate/explain/, tests/oracle/leads.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from projector.capture.source import SOURCE_TABLES
from projector.operate.explain import FIELDS
from tests.oracle import compute_leads, expected_tables
from tests.oracle.leads import (
    Agent,
    Channel,
    Contact,
    Conversation,
    Extraction,
    Lead,
    Message,
    Model,
    Source,
    Template,
    TemplateSend,
)
from tests.rules import fields
from tests.rules.files import ROOT, name_of
from tests.rules.openapi import SCHEMAS_FILE, openapi

DEFINITIONS = ROOT / "sql" / "definition"
SOURCE = {table.name: table.columns for table in SOURCE_TABLES}
# The classes of the oracle that hold the rows of the platform's tables.
ROW_CLASSES: dict[str, type] = {
    "phone_numbers": Channel,
    "agents": Agent,
    "conversations": Conversation,
    "messages": Message,
    "extractions": Extraction,
    "contacts": Contact,
    "templates": Template,
    "template_sends": TemplateSend,
}


def schema() -> str:
    return (ROOT / "schema.sql").read_text("utf-8")


def definition(table: str) -> str:
    path = DEFINITIONS / f"{table}.sql"
    assert path.is_file(), f"{name_of(path)} does not exist: the rule of read_model.{table} is written there."
    return path.read_text("utf-8")


def response_schema(name: str) -> dict[str, Any]:
    described: dict[str, Any] = openapi()["components"]["schemas"][name]["properties"]
    return described


def model() -> Model:
    agent = Agent(agent_id="a", user_id="u")
    conversation = Conversation(conversation_id="c", agent_id="a", customer_phone="1")
    return compute_leads(Source(agents=(agent,), conversations=(conversation,)))


def lead() -> Lead:
    return model().of_tenant("u")["1"]


def check(sentences: list[str]) -> None:
    assert not sentences, "\n" + "\n".join(sentences)


def test_each_printed_field_is_explained() -> None:
    printed = [*fields.printed_lead(definition("leads")), "conversations"]
    assert list(dict.fromkeys(printed)) == list(FIELDS), (
        "projector/operate/explain/__init__.py: FIELDS are the keys of sql/definition/leads.sql in their order; name the rows"
        " of a new one in projector/operate/explain/profile.py."
    )


@pytest.mark.parametrize("table", ["lead_profiles", "leads"])
def test_the_definition_gives_the_columns_of_the_table(table: str) -> None:
    check(fields.definition_against_schema(schema(), definition(table), table))


@pytest.mark.parametrize("path", sorted(DEFINITIONS.glob("*.sql")), ids=name_of)
def test_what_a_definition_reads_of_the_platform_is_captured(path: Path) -> None:
    check(fields.definition_against_source(path.name, path.read_text("utf-8"), SOURCE))


@pytest.mark.parametrize("path", sorted(DEFINITIONS.glob("*.sql")), ids=name_of)
def test_what_a_definition_reads_of_the_platform_is_a_field_of_the_oracle(path: Path) -> None:
    check(fields.definition_against_oracle(path.name, path.read_text("utf-8"), SOURCE, ROW_CLASSES))


def test_what_is_captured_is_in_the_source_tables_of_trials() -> None:
    check(fields.source_against_schema(schema(), SOURCE))


def test_each_column_of_the_profile_is_printed() -> None:
    check(fields.profile_against_printed(schema(), definition("leads")))


def test_the_response_schema_has_the_printed_keys() -> None:
    printed = fields.printed_lead(definition("leads"))
    check(fields.schema_against_printed(printed, response_schema("Lead"), SCHEMAS_FILE, "Lead"))


def test_the_response_schema_has_the_keys_of_a_conversation() -> None:
    printed = fields.printed_conversation(definition("leads"))
    described = response_schema("ConversationSummary")
    check(fields.schema_against_printed(printed, described, SCHEMAS_FILE, "ConversationSummary"))


def test_the_oracle_prints_the_same_keys() -> None:
    printed = fields.printed_lead(definition("leads"))
    check(fields.oracle_against_printed(printed, list(lead().document()), "Lead.document()"))


def test_the_oracle_prints_the_same_keys_of_a_conversation() -> None:
    printed = fields.printed_conversation(definition("leads"))
    expected = list(lead().conversations[0].document())
    check(fields.oracle_against_printed(printed, expected, "LeadConversation.document()"))


@pytest.mark.parametrize("table", ["lead_profiles", "leads"])
def test_the_oracle_has_the_columns_of_the_table(table: str) -> None:
    [row] = expected_tables(model())[table].values()
    check(fields.oracle_against_schema(schema(), row, table))


# The rules themselves, on a small schema into which a field `label` of contacts comes step by step.

SMALL_SCHEMA = """
CREATE TABLE contacts (contact_id text, label text);
CREATE TABLE read_model.lead_profiles (user_id text, name text, label text, name_key text, PRIMARY KEY (user_id));
"""
SMALL_PROFILES = "SELECT c.user_id, c.name, c.label AS label, lower(c.name) AS name_key FROM contacts AS c"
SMALL_LEADS = (
    "SELECT p.user_id, left(row_to_json(printed.*)::text, -1) || ',\"conversations\":[' || ']}' AS document"
    " FROM {lead_profiles} AS p CROSS JOIN LATERAL (SELECT p.name, p.label) AS printed"
)


def without_label(text: str) -> str:
    return text.replace(", label text", "").replace(", c.label AS label", "").replace(", p.label", "")


def test_a_column_asks_for_its_definition() -> None:
    [sentence] = fields.definition_against_schema(
        SMALL_SCHEMA, without_label(SMALL_PROFILES), "lead_profiles"
    )
    assert "sql/definition/lead_profiles.sql" in sentence
    assert "label" in sentence


def test_a_definition_asks_for_its_column() -> None:
    [sentence] = fields.definition_against_schema(
        without_label(SMALL_SCHEMA), SMALL_PROFILES, "lead_profiles"
    )
    assert "in schema.sql" in sentence
    assert fields.definition_against_schema(SMALL_SCHEMA, SMALL_PROFILES, "lead_profiles") == []


def test_a_definition_asks_for_the_captured_column() -> None:
    source = {"contacts": ["contact_id", "user_id", "name"]}
    [sentence] = fields.definition_against_source("lead_profiles.sql", SMALL_PROFILES, source)
    assert "contacts.label" in sentence
    assert "projector/capture/source.py" in sentence


def test_a_definition_asks_for_the_field_of_the_oracle() -> None:
    @dataclass
    class Row:
        user_id: str
        name: str

    [sentence] = fields.definition_against_oracle(
        "lead_profiles.sql", SMALL_PROFILES, ["contacts"], {"contacts": Row}
    )
    assert "contacts.label" in sentence
    assert "class Row in tests/oracle/leads.py" in sentence
    [sentence] = fields.definition_against_oracle("lead_profiles.sql", SMALL_PROFILES, ["contacts"], {})
    assert "ROW_CLASSES" in sentence


def test_a_captured_column_asks_for_the_source_table() -> None:
    [sentence] = fields.source_against_schema(
        without_label(SMALL_SCHEMA), {"contacts": ["contact_id", "label"]}
    )
    assert "schema.sql" in sentence


def test_a_column_asks_to_be_printed() -> None:
    leads = without_label(SMALL_LEADS)
    [name, label] = fields.profile_against_printed(SMALL_SCHEMA.replace("name text", "named text"), leads)
    assert "named" in name
    assert "p.label" in label
    assert fields.profile_against_printed(SMALL_SCHEMA, SMALL_LEADS) == []


def test_a_printed_key_asks_for_its_schema_and_the_oracle() -> None:
    printed = fields.printed_lead(SMALL_LEADS)
    assert printed == ["name", "label", "conversations"]
    [sentence] = fields.schema_against_printed(printed, ["name", "conversations"], "api/x.py", "Lead")
    assert "api/x.py" in sentence
    [sentence] = fields.oracle_against_printed(printed, ["name", "conversations"], "Lead.document()")
    assert "tests/oracle/leads.py" in sentence


def test_the_order_of_the_printed_keys_is_compared() -> None:
    [sentence] = fields.oracle_against_printed(["a", "b"], ["b", "a"], "Lead.document()")
    assert "order" in sentence
    assert fields.oracle_against_printed(["a", "b"], ["a", "b"], "Lead.document()") == []


def test_a_column_asks_for_the_oracle() -> None:
    [sentence] = fields.oracle_against_schema(SMALL_SCHEMA, ["user_id", "name", "name_key"], "lead_profiles")
    assert "class Profile in tests/oracle/leads.py" in sentence
