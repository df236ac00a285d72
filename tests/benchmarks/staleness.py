"""Changes of source rows, as many leads becoming stale as are asked for, and the refresh that follows."""

from collections.abc import Callable
from dataclasses import dataclass, field

from projector.core import pipeline
from projector.core.batch import DEFAULT_BATCH, refresh_batch
from projector.database import locks
from tests.benchmarks.core import seconds
from tests.benchmarks.fixtures import Connection, Database

_MESSAGE = (
    "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status)"
    " VALUES ('benchmark-' || nextval('benchmark.numbers'), %s, 'user', 'Is this still to be had? Thank you!',"
    " now() AT TIME ZONE 'UTC', 'sent')"
)
_EXTRACTION = (
    "UPDATE extractions SET intent_score = 1 + (coalesce(intent_score, 0) + 1) %% 3"
    " WHERE extraction_id = (SELECT extraction_id FROM extractions WHERE conversation_id = %s LIMIT 1)"
)


def leave(_conversation_ids: list[str]) -> None:
    """Change nothing."""


@dataclass(slots=True)
class Stale:
    """One database whose leads are made stale by one connection, and refreshed by another."""

    database: Database
    writer: Connection = field(init=False)
    refresher: Connection = field(init=False)
    _conversations: list[str] = field(init=False)
    _next: int = 0

    def __post_init__(self) -> None:
        self.writer = self.database.connect()
        self.refresher = self.database.connect()
        pipeline.prepare_session(self.refresher)
        self._conversations = [
            row[0]
            for row in self.writer.execute(
                "SELECT conversation_id FROM benchmark.conversations ORDER BY number"
            ).fetchall()
        ]
        self.refresh()

    def close(self) -> None:
        """Close both connections."""
        self.writer.close()
        self.refresher.close()

    def pick(self, number: int) -> list[str]:
        """Conversations of so many leads, other ones each time."""
        picked = []
        for _ in range(number):
            picked.append(self._conversations[self._next])
            self._next = (self._next + 1) % len(self._conversations)
        return picked

    def message(self, conversation_ids: list[str]) -> None:
        """A new message in each of them, a statement each."""
        self._write(_MESSAGE, conversation_ids)

    def extract(self, conversation_ids: list[str]) -> None:
        """Another score in an extraction of each of them."""
        self._write(_EXTRACTION, conversation_ids)

    def _write(self, query: str, conversation_ids: list[str]) -> None:
        with self.writer.transaction(), self.writer.cursor() as cursor:
            cursor.executemany(query.encode(), [(one,) for one in conversation_ids])

    def refresh(self) -> None:
        """Batches until nothing waits, as the scheduler makes them."""
        while not refresh_batch(self.refresher, locks.SHARDS, size=DEFAULT_BATCH).drained:
            pass

    def milliseconds(self, change: Callable[[list[str]], None], leads: int, times: int = 1) -> float:
        """How long a refresh of so many leads takes after such a change, on average of some times."""
        total = 0.0
        for _ in range(times):
            change(self.pick(leads))
            total += seconds(self.refresh)
        return 1000 * total / times
