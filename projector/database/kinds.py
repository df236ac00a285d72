"""The kinds of source rows and of their changes, read from sql/definition/kinds.sql.

From them come texts that PostgreSQL cannot get by a join: calls of the function of a key, and lists.
"""

import re
from dataclasses import dataclass
from functools import cache

from projector.database.schema import ROOT

_VALUES = re.compile(r"VALUES(.*)\) AS k \(([^)]*)\)", re.DOTALL)
_ROW = re.compile(r"\(([^()]*)\)")
_VALUE = re.compile(r"'(\w+)'|\b(true|false|NULL)\b")


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of sql/definition/kinds.sql, whose header says what each column is."""

    kind: str
    key_kind: str
    id: str
    phone: str | None
    makes_lead: bool
    profile: bool
    messages: str | None
    queued_kind: str
    dead_letter_kind: str | None


@cache
def kinds() -> dict[str, Kind]:
    """Return the kinds by their names, in order."""
    text = (ROOT / "sql" / "definition" / "kinds.sql").read_text("utf-8")
    rows, columns = _VALUES.findall(text)[0]
    names = columns.split(", ")
    values = ([_read_value(*pair) for pair in _VALUE.findall(row)] for row in _ROW.findall(rows))
    return {str(row[0]): Kind(**dict(zip(names, row, strict=True))) for row in values}


def key_kinds() -> dict[str, Kind]:
    """Return for each kind of key of a lead the kind whose relation has this key, in order."""
    return {kind.key_kind: kind for kind in kinds().values() if kind.phone is not None}


def lists() -> dict[str, list[str]]:
    """Return the lists that `{kinds.NAME}` stands for in a statement.

    `of_rows` are all kinds, `of_keys` those of the keys of leads, and `of_lead_makers` those whose rows make a lead.
    """
    return {
        "of_rows": [*kinds()],
        "of_keys": [*key_kinds()],
        "of_lead_makers": [name for name, kind in key_kinds().items() if kind.makes_lead],
    }


def _read_value(text: str, word: str) -> str | bool | None:
    return text or {"true": True, "false": False, "NULL": None}[word]
