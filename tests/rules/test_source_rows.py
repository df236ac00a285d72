"""Each source table of schema.sql is in the random world of the tests by itself; a red test says what it needs."""

from tests.oracle.source import ROW_CLASSES
from tests.rules.files import check
from tests.support.edge_cases import OF_TYPE, VALUES
from tests.support.source import COLUMNS, SOURCE_TABLES


def test_each_column_of_a_source_table_has_random_values() -> None:
    lacking = [
        f"{column.table}.{column.name} {column.type}"
        for columns in COLUMNS.values()
        for column in columns
        if not {f"{column.table}.{column.name}", column.name} & {*VALUES}
        and not (column.parent or column.is_key or column.type in OF_TYPE)
    ]
    check(lacking, "Neither VALUES nor OF_TYPE of tests/support/edge_cases.py makes values of a column:")


def test_each_source_table_is_read_by_the_mapping_and_by_the_oracle() -> None:
    mapped = {table.name for table in SOURCE_TABLES}
    lacking = [f"{table}: a rule of sql/mapping/changes.sql" for table in COLUMNS if table not in mapped]
    lacking += [
        f"{table}: a field of Source in tests/oracle/leads.py" for table in {*COLUMNS} - {*ROW_CLASSES}
    ]
    check(lacking, "A source table of schema.sql is not read. It needs:")
