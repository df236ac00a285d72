"""What refreshes did in a minute, for one line of the log."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from projector.core.batch import Batch

TALLY_SECONDS = 60.0
"""How long one line covers."""


@dataclass(slots=True)
class Tally:
    """Sums of the batches that found changes, since `began_at` on the clock."""

    clock: Callable[[], float] = time.monotonic
    began_at: float = 0.0
    refreshes: int = 0
    changes: int = 0
    leads: int = 0
    messages: int = 0
    longest_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Begin the first minute."""
        self.began_at = self.clock()

    def add(self, done: Batch, seconds: float) -> None:
        """Add a batch, which took so long, unless it found nothing to do."""
        if done.changes:
            self.refreshes += 1
            self.changes += done.changes
            self.leads += done.leads
            self.messages += done.messages
            self.longest_seconds = max(self.longest_seconds, seconds)

    def is_due(self) -> bool:
        """Return whether a minute is over in which something happened; begins the next one where nothing did."""
        if self.clock() - self.began_at < TALLY_SECONDS:
            return False
        if not self.refreshes:
            self.began_at = self.clock()
        return self.refreshes > 0

    def take(self) -> dict[str, int | float]:
        """Return the sums as the fields of a line, and begin the next minute; no fields where nothing happened."""
        sums: dict[str, int | float] = {
            "refreshes": self.refreshes,
            "changes": self.changes,
            "leads": self.leads,
            "messages": self.messages,
            "longest_seconds": round(self.longest_seconds, 3),
        }
        self.began_at, self.longest_seconds = self.clock(), 0.0
        self.refreshes = self.changes = self.leads = self.messages = 0
        return sums if sums["refreshes"] else {}
