"""The columns of a table of leads; tests/unit/api/routes/test_exports.py reads its lines."""

from api.plan import csv_lines


def test_the_header_names_the_columns() -> None:
    assert (",".join(csv_lines.COLUMNS) + "\r\n").encode() == csv_lines.HEADER
