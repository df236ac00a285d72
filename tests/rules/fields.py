"""Where a field of the lead has to be named, and which file is the next one.

Each function compares two files and returns the sentences that tell what to do.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields

from tests.rules.sql import columns_read, created_columns, literals, output_columns

# What the API sorts and searches by is printed nowhere.
NOT_PRINTED = {"name_key", "search_text", "search_plain"}
# Columns that are written with a row and are no part of what it is.
_NOT_COMPARED = {"leads": {"version"}}
_JSON_KEY = re.compile(r'"(\w+)":')


def compared_columns(schema: str, table: str) -> list[str]:
    """Return the columns of a table of the read model that its definition gives."""
    left_out = _NOT_COMPARED.get(table, set())
    return [column for column in created_columns(schema)[f"read_model.{table}"] if column not in left_out]


def definition_against_schema(schema: str, definition: str, table: str) -> list[str]:
    """Compare the columns of a table of the read model with those that its definition gives."""
    file = f"sql/definition/{table}.sql"
    return differences(
        compared_columns(schema, table),
        output_columns(definition),
        f"read_model.{table} has the column {{0}}: give it in {file}, as `… AS {{0}}` in the SELECT list.",
        f"{file} gives {{0}}: add this column to read_model.{table} in schema.sql, with a comment.",
    )


def differences(some: Sequence[str], others: Collection[str], lacking: str, surplus: str) -> list[str]:
    """Say of each of some that it is lacking among the others, and of each of the others that it is surplus."""
    return [
        *(lacking.format(one) for one in some if one not in others),
        *(surplus.format(one) for one in others if one not in some),
    ]


def columns_against(
    name: str, definition: str, given: Mapping[str, Collection[str]], advice: str
) -> list[str]:
    """Compare the columns that a definition reads of tables with those that are given of each.

    The advice is told the table and the column.
    """
    return [
        f"{name} reads {table}.{column}: {advice.format(table=table, column=column)}"
        for table, columns in sorted(columns_read(definition).items())
        if table in given
        for column in sorted(columns - set(given[table]))
    ]


DEFINITION = "give {column} there."
FUNCTION = "add {column} to the rows of {table} in sql/definition/source_rows.sql."


def definition_against_oracle(
    name: str, definition: str, source: Collection[str], row_classes: Mapping[str, type]
) -> list[str]:
    """Compare the columns of the platform that a definition reads with the fields of the oracle's source rows."""
    sentences = []
    for table, row_class in row_classes.items():
        advice = f"add the field {{column}} to class {row_class.__name__} in tests/oracle/leads.py."
        given = {table: [field.name for field in fields(row_class)]}
        sentences += columns_against(name, definition, given, advice)
    return sentences + [
        f"{name} reads {table}: add a class for its rows to tests/oracle/leads.py, and to ROW_CLASSES in"
        " tests/rules/test_fields.py, and read them in tests/oracle/source.py."
        for table in sorted(columns_read(definition))
        if table in source and table not in row_classes
    ]


def source_against_schema(schema: str, source: Mapping[str, Collection[str]]) -> list[str]:
    """Compare the columns that the projection captures with the source tables that trials and tests have."""
    there = created_columns(schema)
    return [
        f"projector/capture/source.py reads {table}.{column}: add this column to {table} in the section `source` of"
        " schema.sql."
        for table, columns in source.items()
        for column in columns
        if column not in there.get(table, ())
    ]


def profile_against_printed(schema: str, leads: str) -> list[str]:
    """Compare the columns of lead_profiles with those that the lead is made of."""
    read = columns_read(leads).get("new_profiles", set())
    return [
        f"nothing reads {column} of read_model.lead_profiles: print it in sql/definition/leads.sql, in the sub-select"
        f" `printed`, as `p.{column}`; a time as `projector.format_time(p.{column}) AS {column}`."
        for column in compared_columns(schema, "lead_profiles")
        if column not in read | NOT_PRINTED
    ]


def printed_lead(leads: str) -> list[str]:
    """Return the keys of the lead as it is printed, in order."""
    # The list of conversations is appended to the printed object as a text.
    appended = [key for literal in literals(leads) for key in _JSON_KEY.findall(literal)]
    return [*output_columns(leads, "printed"), *appended]


def printed_conversation(leads: str) -> list[str]:
    """Return the keys of a conversation within the lead, in order."""
    return output_columns(leads, "summary")


def keys_against_printed(printed: Sequence[str], named: Sequence[str], place: str) -> list[str]:
    """Compare the keys that are printed, and their order, with those that another place names."""
    different = differences(
        printed,
        named,
        f"{{}} is printed by sql/definition/leads.sql: add it to {place}.",
        f"{place} has {{}}: print it in sql/definition/leads.sql.",
    )
    if different or list(printed) == list(named):
        return different
    orders = f"{', '.join(printed)} there, {', '.join(named)} here"
    return [f"{place} and sql/definition/leads.sql differ in the order of keys: {orders}."]


def oracle_against_schema(schema: str, expected: Collection[str], table: str) -> list[str]:
    """Compare the columns of a table of the read model with those of the oracle's rows."""
    return differences(
        compared_columns(schema, table),
        expected,
        f"read_model.{table} has the column {{}}: add it to the class Profile in tests/oracle/leads.py.",
        f"the oracle's rows of {table} have {{}}: add this column to schema.sql.",
    )
