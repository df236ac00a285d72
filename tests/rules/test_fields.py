"""A field of the lead is named in all the places that need it; a red test names the next file.

The order of work is schema.sql, sql/definition/candidates/ and lead_profiles.sql,
sql/definition/source_rows.sql, sql/mapping/, sql/definition/leads.sql, the response schema, and tests/oracle/leads.py.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_type_hints

import pytest

from api.request.lead import LEAD_KEYS
from projector.capture.attributes import DECLARED_COLUMN, JSON_COLUMN, is_attribute
from projector.capture.texts import default_mapping
from projector.database import sql
from tests.oracle import compute_leads, expected_tables
from tests.oracle.leads import Agent, Conversation, Model, Source
from tests.oracle.source import ROW_CLASSES
from tests.rules.files import ROOT, name_of, read
from tests.rules.openapi import SCHEMAS_FILE, openapi
from tests.rules.sql import (
    columns_given,
    columns_read,
    created_columns,
    created_nullable_columns,
    literals,
    output_columns,
    rows_of_values,
)
from tests.support.source import SOURCE_TABLES

DEFINITIONS = {
    name_of(path): sql.with_columns_of_relations(path.read_text("utf-8"))
    for path in sorted(ROOT.glob("sql/definition/**/*.sql"))
}
LEADS = "sql/definition/leads.sql"
SOURCE = {table.name: list(table.columns) for table in SOURCE_TABLES}
# What the API sorts and searches by is printed nowhere, attributes for include=attributes alone.
NOT_PRINTED = {"name_key", "search_text", "search_plain", "attributes", "attributes_left_out"}
# What projector/capture/attributes.py makes of the columns of a mapping that have no other meaning.
MADE = {JSON_COLUMN, DECLARED_COLUMN}
# Columns that are written with a row and are no part of what it is.
NOT_COMPARED = {"leads": {"version"}}
# Columns that may be null, and that each platform has all the same, beside those that a relation requires.
NEEDED = {"conversations": {"created_at"}, "template_sends": {"created_at"}}


def check(sentences: Iterable[str]) -> None:
    if problems := list(sentences):
        pytest.fail("\n".join(problems), pytrace=False)


def differences(some: Sequence[str], others: Collection[str], lacking: str, surplus: str) -> list[str]:
    """Say of each of some that it is lacking among the others, and of each of the others that it is surplus."""
    return [
        *(lacking.format(name) for name in some if name not in others),
        *(surplus.format(name) for name in others if name not in some),
    ]


def check_columns(
    name: str, text: str, tables: Mapping[str, Collection[str]], advice: Callable[[str, str], str]
) -> None:
    """Compare the columns that a definition reads of tables with those that are given of each."""
    check(
        f"{name} reads {table}.{column}: {advice(table, column)}"
        for table, columns in sorted(columns_read(text).items())
        if table in tables
        for column in sorted(columns - set(tables[table]))
    )


def check_keys(printed: Sequence[str], named: Sequence[str], place: str) -> None:
    """Compare the keys that are printed, and their order, with those that another place names."""
    check(
        differences(
            printed,
            named,
            f"{{}} is printed by {LEADS}: add it to {place}.",
            f"{place} has {{}}: print it in {LEADS}.",
        )
    )
    assert list(printed) == list(named), f"{place} and {LEADS} differ in the order of keys"


def compared_columns(table: str) -> list[str]:
    """Return the columns of a table of the read model that its definition gives."""
    columns = created_columns(read("schema.sql"))[f"read_model.{table}"]
    return [column for column in columns if column not in NOT_COMPARED.get(table, ())]


def printed_lead() -> list[str]:
    """Return the keys of the lead as it is printed, in order."""
    # The list of conversations is appended to the printed object as a text.
    appended = re.findall(r'"(\w+)":', " ".join(literals(DEFINITIONS[LEADS])))
    return [*output_columns(DEFINITIONS[LEADS], "printed"), *appended]


def printed_conversation() -> list[str]:
    """Return the keys of a conversation within the lead, in order."""
    return output_columns(DEFINITIONS[LEADS], "summary")


def response_schema(name: str) -> list[str]:
    """Return the keys that an answer always has."""
    described: list[str] = openapi()["components"]["schemas"][name]["required"]
    return described


def model() -> Model:
    agent = Agent(agent_id="a", user_id="u")
    conversation = Conversation(conversation_id="c", agent_id="a", customer_phone="1")
    return compute_leads(Source(agents=(agent,), conversations=(conversation,)))


def test_the_definitions_give_the_columns_of_their_tables() -> None:
    for table in ("lead_profiles", "leads"):
        file = f"sql/definition/{table}.sql"
        check(
            differences(
                compared_columns(table),
                output_columns(DEFINITIONS[file]),
                f"read_model.{table} has the column {{0}}: give it in {file}, as `… AS {{0}}` in the SELECT list.",
                f"{file} gives {{0}}: add this column to read_model.{table} in schema.sql, with a comment.",
            )
        )


def test_what_a_definition_reads_is_given_captured_and_a_field_of_the_oracle() -> None:
    source_rows = "sql/definition/source_rows.sql"
    # These are made of the mapping and the kinds as a whole.
    made = {source_rows, *(f"sql/definition/source/{name}.sql" for name in ("touched_keys", "current_keys"))}
    others = {name: text for name, text in DEFINITIONS.items() if name not in made}
    files = {f"{{definition.{Path(name).stem}}}": text for name, text in others.items()}
    read_by_others = {table for text in others.values() for table in columns_read(text)}
    tables = {table: output_columns(text) for table, text in files.items() if table in read_by_others}
    functions = columns_given(sql.definitions()[source_rows])
    of_oracle = {table: [*get_type_hints(row_class)] for table, row_class in ROW_CLASSES.items()}
    for name, text in others.items():
        check_columns(
            name,
            text,
            tables,
            lambda _, column: f"give {column} there; of a source row it gives each column of {source_rows}.",
        )
        check_columns(
            name,
            text,
            functions,
            lambda table, column: f"add {column} to the rows of {table} in {source_rows}.",
        )
    for relation, text in default_mapping().relations().items():
        name = f"sql/mapping/{relation}.sql"
        check(
            differences(
                sorted(functions[relation] - MADE),
                [column for column in output_columns(text) if not is_attribute(relation, column)],
                f"{source_rows} has the column {{0}}: give it in {name}.",
                f"{name} gives {{0}}: add it to the rows of {relation} in {source_rows}.",
            )
        )
        check_columns(
            name,
            text,
            of_oracle,
            lambda table, column: (
                f"add the field {column} to class {ROW_CLASSES[table].__name__} in tests/oracle/leads.py."
            ),
        )
        check(
            f"{name} reads {table}: add a class for its rows, and a field of Source, to tests/oracle/leads.py."
            for table in sorted(columns_read(text))
            if table in {*SOURCE} - {*ROW_CLASSES}
        )


def test_what_is_captured_is_in_the_source_tables_of_trials() -> None:
    there = created_columns(read("schema.sql"))
    check(
        f"sql/mapping/ reads {table}.{column}: add this column to {table} in the section `source` of"
        " schema.sql."
        for table, columns in default_mapping().tables().items()
        for column in columns
        if column not in there.get(table, ())
    )


def test_a_column_that_a_platform_may_lack_is_optional() -> None:
    name = "sql/mapping/optional.sql"
    optional = {
        table: {column.split()[0] for column in (columns or "").split(", ") if column}
        for table, columns, _ in rows_of_values(read(name))
    }
    nullable = created_nullable_columns(read("schema.sql"))
    for table, columns in SOURCE.items():
        needed = {*sql.required_columns().get(table, ()), *NEEDED.get(table, ())}
        may_lack = [
            column for column in columns if column in nullable.get(table, ()) and column not in needed
        ]
        check(
            differences(
                may_lack,
                optional.get(table, set()),
                f"{table}.{{}} may be null, and a platform may lack it: give it with its type in the line of {table}"
                f" in {name}; or below `-- required:` in sql/definition/source_rows.sql if no platform lacks it.",
                f"{name} gives {table}.{{}}, which is no column that is read and may be null.",
            )
        )


def test_each_column_of_the_profile_is_printed() -> None:
    read_of_profiles = columns_read(DEFINITIONS[LEADS]).get("new_lead_profiles", set())
    check(
        f"nothing reads {column} of read_model.lead_profiles: print it in {LEADS}, in the sub-select"
        f" `printed`, as `p.{column}`; a time as `projector.format_time(p.{column}) AS {column}`."
        for column in compared_columns("lead_profiles")
        if column not in read_of_profiles | NOT_PRINTED
    )


def test_the_api_describes_the_printed_keys() -> None:
    check_keys(printed_lead(), LEAD_KEYS, "api/request/lead.json")
    assert response_schema("Lead") == sorted(printed_lead())
    name = "ConversationSummary"
    check_keys(sorted(printed_conversation()), response_schema(name), f"{name} in {SCHEMAS_FILE}")


def test_the_oracle_prints_the_same_keys() -> None:
    lead = model().of_tenant("u")["1"]
    place = "tests/oracle/leads.py, in"
    check_keys(printed_lead(), list(lead.document()), f"{place} Lead.document()")
    conversation = list(lead.conversations[0].document())
    check_keys(printed_conversation(), conversation, f"{place} LeadConversation.document()")


def test_the_oracle_has_the_columns_of_the_tables() -> None:
    for table in ("lead_profiles", "leads"):
        [row] = expected_tables(model())[table].values()
        check(
            differences(
                compared_columns(table),
                row,
                f"read_model.{table} has the column {{}}: add it to the class Profile in tests/oracle/leads.py.",
                f"the oracle's rows of {table} have {{}}: add this column to schema.sql.",
            )
        )


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
