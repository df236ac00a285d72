"""A field of the lead is named in all the places that need it; a red test names the next file.

The order of work is schema.sql, sql/definition/candidates/ and lead_profiles.sql,
sql/definition/source_rows.sql, sql/definition/leads.sql, the response schema, and tests/oracle/leads.py.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from api.request.lead import LEAD_KEYS
from projector.capture.source import SOURCE_TABLES
from projector.database import sql
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
from tests.rules.files import ROOT, name_of, read
from tests.rules.openapi import SCHEMAS_FILE, openapi
from tests.rules.sql import columns_given, columns_read, created_columns, output_columns

DEFINITIONS = {
    name_of(path): path.read_text("utf-8") for path in sorted(ROOT.glob("sql/definition/**/*.sql"))
}
LEADS = "sql/definition/leads.sql"
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
    return read("schema.sql")


def response_schema(name: str) -> list[str]:
    described: dict[str, Any] = openapi()["components"]["schemas"][name]["properties"]
    return sorted(described)


def model() -> Model:
    agent = Agent(agent_id="a", user_id="u")
    conversation = Conversation(conversation_id="c", agent_id="a", customer_phone="1")
    return compute_leads(Source(agents=(agent,), conversations=(conversation,)))


def lead() -> Lead:
    return model().of_tenant("u")["1"]


def check(sentences: list[str]) -> None:
    if sentences:
        pytest.fail("\n".join(sentences), pytrace=False)


def test_the_definitions_give_the_columns_of_their_tables() -> None:
    for table in ("lead_profiles", "leads"):
        check(fields.definition_against_schema(schema(), DEFINITIONS[f"sql/definition/{table}.sql"], table))


def test_what_a_definition_reads_is_given_captured_and_a_field_of_the_oracle() -> None:
    source_rows = "sql/definition/source_rows.sql"
    others = {name: text for name, text in DEFINITIONS.items() if name != source_rows}
    files = {f"{{definition.{Path(name).stem}}}": text for name, text in others.items()}
    read_by_others = {table for text in others.values() for table in columns_read(text)}
    given = {table: output_columns(text) for table, text in files.items() if table in read_by_others}
    functions = columns_given(sql.definitions()[source_rows])
    for name, text in others.items():
        check(fields.columns_against(name, text, given, fields.DEFINITION))
        check(fields.columns_against(name, text, functions, fields.FUNCTION))
        check(fields.definition_against_oracle(name, text, SOURCE, ROW_CLASSES))


def test_what_is_captured_is_in_the_source_tables_of_trials() -> None:
    check(fields.source_against_schema(schema(), SOURCE))


def test_each_column_of_the_profile_is_printed() -> None:
    check(fields.profile_against_printed(schema(), DEFINITIONS[LEADS]))


def test_the_api_describes_the_printed_keys() -> None:
    printed = fields.printed_lead(DEFINITIONS[LEADS])
    check(fields.keys_against_printed(printed, LEAD_KEYS, "LEAD_FIELDS in api/request/lead.py"))
    assert response_schema("Lead") == sorted(printed)
    printed, name = sorted(fields.printed_conversation(DEFINITIONS[LEADS])), "ConversationSummary"
    check(fields.keys_against_printed(printed, response_schema(name), f"{name} in {SCHEMAS_FILE}"))


def test_the_csv_has_the_printed_keys() -> None:
    """The header, each column of a line in its place, and what the line is read from."""
    name = "sql/install/functions/30_export.sql"
    text = read(name)
    header = "".join(re.findall(r"'(.*?)'", text[text.index("RETURN '") :].partition(";")[0])).split(",")
    cells = re.findall(r"\br\.(\w+)", text.partition("concat_ws(")[2].partition("FROM json_to_record")[0])
    printed = [key for key in fields.printed_lead(DEFINITIONS[LEADS]) if key != "conversations"]
    check(fields.keys_against_printed(printed, header, f"csv_header() in {name}"))
    check(fields.keys_against_printed(printed, cells, f"csv_line() in {name}"))
    read_from = re.findall(r"(\w+) text\b", text.partition("FROM json_to_record")[2].partition("$$")[0])
    check(fields.keys_against_printed(printed, read_from, f"json_to_record in csv_line() in {name}"))


def test_the_oracle_prints_the_same_keys() -> None:
    leads = DEFINITIONS[LEADS]
    ours, conversation = lead().document(), lead().conversations[0].document()
    place = "tests/oracle/leads.py, in"
    check(fields.keys_against_printed(fields.printed_lead(leads), list(ours), f"{place} Lead.document()"))
    printed = fields.printed_conversation(leads)
    check(fields.keys_against_printed(printed, list(conversation), f"{place} LeadConversation.document()"))


def test_the_oracle_has_the_columns_of_the_tables() -> None:
    for table in ("lead_profiles", "leads"):
        [row] = expected_tables(model())[table].values()
        check(fields.oracle_against_schema(schema(), row, table))


def test_columns_are_those_of_the_alias_in_scope() -> None:
    text = (
        "SELECT (SELECT x.a FROM one AS x) AS p, (SELECT x.b FROM two x WHERE x.c = y.d {fence}) AS q"
        " FROM three AS y LEFT JOIN LATERAL (SELECT s.e AS f FROM projector.source_four() AS s) AS z ON z.f = y.g"
        " UNION ALL SELECT y.h, DISTINCT_FROM.i FROM ({definition.five}) AS y, distinct_from"
    )
    assert columns_read(text) == {
        "one": {"a"},
        "two": {"b", "c"},
        "three": {"d", "g"},
        "four": {"e"},
        "{definition.five}": {"h"},
        "distinct_from": {"i"},
    }
    assert output_columns(text) == ["p", "q"]
    assert output_columns(text, "z") == ["f"]
    with pytest.raises(ValueError, match="write each column as"):
        output_columns("SELECT coalesce(a, b) FROM t")
    assert created_columns("CREATE TABLE s.t (a text, PRIMARY KEY (a)); CREATE INDEX ON s.t (a)") == {
        "s.t": ["a"]
    }
