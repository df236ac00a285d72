"""What is said of a database: facts, from what fits to what keeps the projector from working."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from projector.report.errors import ProjectorError

OK, NOTE, WARNING, PROBLEM = "ok", "note", "warning", "problem"
"""What a fact is: something that fits, that is good to know, that somebody should mend, that keeps it from working."""

# A name in quotes is a part of it, or of what stands before it, whatever the name contains.
_QUOTED = r'"(?:[^"]|"")*"'
_STATEMENT = re.compile(rf'{_QUOTED}|\b((?:GRANT|ALTER|CREATE) (?:{_QUOTED}|[^";\n…])+;)')


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about a database: what it is, of which area, and in words.

    A problem has the error that it causes, and a figure what machines read of it.
    """

    state: str
    area: str
    text: str
    error: ProjectorError | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def statements(self) -> list[str]:
        """The statements that the text names, which would mend it. A text that quotes values of rows names none."""
        is_theirs = self.area == "rows" or self.state not in {WARNING, PROBLEM}
        return [] if is_theirs else [*filter(None, _STATEMENT.findall(self.text))]
