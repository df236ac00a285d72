"""The lines of a table of leads in CSV, made by PostgreSQL from the printed leads."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    FromClause,
    Text,
    case,
    cast,
    column,
    func,
    literal_column,
)

from api.plan.sql import Condition
from api.request.working_list import LEAD_KEYS

# Texts that somebody may have typed: a spreadsheet would take some of them for formulas.
_TYPED = frozenset(
    {"name", "email", "company", "lead_status", "platforms", "last_message_text", "last_message_sender"}
)
COLUMNS = tuple(key for key in LEAD_KEYS if key != "conversations")
"""The printed lead without its conversations."""

HEADER = ",".join(COLUMNS).encode() + b"\r\n"

_LINE_END = literal_column("E'\\r\\n'", Text)
_QUOTE, _TWO_QUOTES, _COMMA, _NOTHING = (
    literal_column(text, Text) for text in ("'\"'", "'\"\"'", "','", "''")
)
# OWASP names the tab and the carriage return too, before which a spreadsheet may find the sign.
_FORMULA = literal_column(r"E'^[=+@\t\r-]'", Text)
_APOSTROPHE = literal_column("''''", Text)


def fields_of(document: ColumnElement[Any]) -> FromClause:
    """Returns the fields of a printed lead as a row of texts."""
    fields = (column(name, ARRAY(Text) if name == "platforms" else Text) for name in COLUMNS)
    record = func.json_to_record(cast(document, JSON)).table_valued(*fields)
    return record.render_derived(name="r", with_types=True)


def line(fields: FromClause) -> ColumnElement[str]:
    """Returns a line with its end, of what `fields_of` returns."""
    made: ColumnElement[str] | None = None
    for name in COLUMNS:
        value: ColumnElement[str] = fields.c[name]
        if name == "platforms":
            value = func.array_to_string(value, _COMMA, type_=Text)
        if name in _TYPED:
            is_formula: Condition = value.op("~", is_comparison=True)(_FORMULA)
            value = case((is_formula, _APOSTROPHE + value), else_=value)
        if name in _TYPED or name == "customer_phone":
            value = _QUOTE + func.replace(value, _QUOTE, _TWO_QUOTES, type_=Text) + _QUOTE
        printed = func.coalesce(value, _NOTHING, type_=Text)
        made = printed if made is None else made + _COMMA + printed
    if made is None:
        raise AssertionError
    return made + _LINE_END
