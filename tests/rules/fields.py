"""Where a field of the lead has to be named, and which file is the next one.

A printed field is named in six files: schema.sql, projector/capture/source.py where the platform's column is new to the
projection, sql/definition/lead_profiles.sql, sql/definition/leads.sql, the response schema and tests/oracle/leads.py.
Each function compares two of them and returns the sentences that tell what to do.
"""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence

from tests.rules.select_lists import (
    Group,
    columns_read,
    output_columns,
    parse,
    strings,
    sub_select,
    table_columns,
)

# What the API sorts and searches by is printed nowhere.
NOT_PRINTED = {"name_key", "search_text", "search_plain"}
_JSON_KEY = re.compile(r'"(\w+)":')


# Columns that are written with a row and are no part of what it is, as projector/database/schema.py has them.
_NOT_COMPARED = {"leads": {"version"}}


def _compared_columns(schema: str, table: str) -> list[str]:
    columns = table_columns(parse(schema), "read_model", table)
    return [column for column in columns if column not in _NOT_COMPARED.get(table, set())]


def definition_against_schema(schema: str, definition: str, table: str) -> list[str]:
    """The columns of a table of the read model against those that its definition gives."""
    there = _compared_columns(schema, table)
    given = output_columns(parse(definition))
    return [
        *(
            f"read_model.{table} has the column {column}: give it in sql/definition/{table}.sql, "
            f"as `… AS {column}` in the SELECT list."
            for column in there
            if column not in given
        ),
        *(
            f"sql/definition/{table}.sql gives {column}: add this column to read_model.{table} in schema.sql, "
            "with a comment."
            for column in given
            if column not in there
        ),
    ]


def definition_against_source(name: str, definition: str, source: Mapping[str, Collection[str]]) -> list[str]:
    """The columns of the platform's tables that a definition reads against those that the projection captures."""
    return [
        f"sql/definition/{name} reads {table}.{column}: add {column} to the columns of {table} in projector/capture/source.py, "
        "or an update of it queues no change."
        for table, columns in sorted(columns_read(parse(definition)).items())
        if table in source
        for column in sorted(columns)
        if column not in source[table]
    ]


def definition_against_oracle(
    name: str, definition: str, source: Collection[str], row_classes: Mapping[str, type]
) -> list[str]:
    """The columns of the platform's tables that a definition reads against the fields of the oracle's source rows."""
    sentences = []
    for table, columns in sorted(columns_read(parse(definition)).items()):
        if table not in source:
            continue
        if table not in row_classes:
            sentences.append(
                f"sql/definition/{name} reads {table}: add a class for its rows to tests/oracle/leads.py, and to "
                "ROW_CLASSES in tests/rules/test_fields.py, and read them in tests/oracle/source.py."
            )
            continue
        row_class = row_classes[table]
        known = {field.name for field in dataclasses.fields(row_class)}
        sentences += [
            f"sql/definition/{name} reads {table}.{column}: add the field {column} to class {row_class.__name__} in "
            "tests/oracle/leads.py."
            for column in sorted(columns - known)
        ]
    return sentences


def source_against_schema(schema: str, source: Mapping[str, Collection[str]]) -> list[str]:
    """The columns that the projection captures against the source tables that trials and tests have."""
    tree = parse(schema)
    return [
        f"projector/capture/source.py reads {table}.{column}: add this column to {table} in the section `source` of schema.sql."
        for table, columns in source.items()
        for column in columns
        if column not in table_columns(tree, "", table)
    ]


def profile_against_printed(schema: str, leads: str) -> list[str]:
    """The columns of lead_profiles against those that the lead is made of."""
    read = columns_read(parse(leads)).get("{lead_profiles}", set())
    return [
        f"nothing reads {column} of read_model.lead_profiles: print it in sql/definition/leads.sql, "
        f"in the sub-select `printed`, as `p.{column}`."
        for column in table_columns(parse(schema), "read_model", "lead_profiles")
        if column not in read | NOT_PRINTED
    ]


def printed_lead(leads: str) -> list[str]:
    """The keys of the lead as it is printed, in order."""
    tree = parse(leads)
    keys = output_columns(sub_select(tree, "printed"))
    return [*keys, *_keys_in_literals(tree)]


def printed_conversation(leads: str) -> list[str]:
    """The keys of a conversation within the lead, in order."""
    return output_columns(sub_select(parse(leads), "summary"))


def schema_against_printed(
    printed: Sequence[str], described: Collection[str], described_in: str, name: str
) -> list[str]:
    """The keys that are printed against those that the OpenAPI document has."""
    return [
        *(
            f"{key} is printed by sql/definition/leads.sql: add it to the response schema {name} in {described_in}."
            for key in printed
            if key not in described
        ),
        *(
            f"the response schema {name} in {described_in} has {key}: print it in sql/definition/leads.sql."
            for key in described
            if key not in printed
        ),
    ]


def oracle_against_printed(printed: Sequence[str], expected: Sequence[str], method: str) -> list[str]:
    """The keys that are printed, and their order, against those of the oracle."""
    different = [
        *(
            f"{key} is printed by sql/definition/leads.sql: add it to {method} in tests/oracle/leads.py."
            for key in printed
            if key not in expected
        ),
        *(
            f"{method} in tests/oracle/leads.py has {key}: print it in sql/definition/leads.sql."
            for key in expected
            if key not in printed
        ),
    ]
    if not different and list(printed) != list(expected):
        orders = f"{', '.join(printed)} there, {', '.join(expected)} here"
        return [
            f"{method} in tests/oracle/leads.py and sql/definition/leads.sql differ in the order of keys: {orders}."
        ]
    return different


def oracle_against_schema(schema: str, expected: Collection[str], table: str) -> list[str]:
    """The columns of a table of the read model against those of the oracle's rows."""
    there = _compared_columns(schema, table)
    return [
        *(
            f"read_model.{table} has the column {column}: add it to the class Profile in tests/oracle/leads.py."
            for column in there
            if column not in expected
        ),
        *(
            f"the oracle's rows of {table} have {column}: add this column to schema.sql."
            for column in expected
            if column not in there
        ),
    ]


def _keys_in_literals(tree: Group) -> list[str]:
    """The keys that a statement appends to the printed object as a text, such as its list of conversations."""
    return [key for literal in strings(tree) for key in _JSON_KEY.findall(literal)]
