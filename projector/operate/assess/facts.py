"""Facts about a database, from what fits to what keeps the projector from working."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from projector.report.errors import ProjectorError

OK, NOTE, WARNING, PROBLEM = "ok", "note", "warning", "problem"
"""The states of a fact: it fits, it is a note, it should be mended, or it keeps the projector from working."""

# A quoted name is skipped, or is a part of a statement, whatever it contains.
_QUOTED = r'"(?:[^"]|"")*"'
_STATEMENT = re.compile(rf'{_QUOTED}|\b((?:GRANT|ALTER|CREATE) (?:{_QUOTED}|[^";\n…])+;)')


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact about a database: its state, its area, and its sentence.

    A problem has the error that it causes, and a figure its value for machines.
    """

    state: str
    area: str
    text: str
    error: ProjectorError | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def statements(self) -> list[str]:
        """The statements in the text that would mend it. A text that quotes values of rows has none."""
        is_theirs = self.area == "rows" or self.state not in {WARNING, PROBLEM}
        return [] if is_theirs else [*filter(None, _STATEMENT.findall(self.text))]
