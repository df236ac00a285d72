"""The sections of schema.sql, for databases that hold only some of them."""

import re
from pathlib import Path

_SCHEMA = Path(__file__).parents[2] / "schema.sql"


def section(name: str) -> str:
    """The statements between the line `-- section: NAME` and the next such line."""
    parts = re.split(r"^-- section: (\w+)$", _SCHEMA.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return sections[name]
