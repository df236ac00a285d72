"""Takes all the changes that wait, batch after batch, and tells the log, the metrics and the traces."""

import os
import threading
import time
from collections.abc import Callable, Sequence

import psycopg
import structlog

from projector.config import Config
from projector.core.batch import Batch
from projector.core.choice import Passes
from projector.core.pipeline import Connection
from projector.core.refresh import refresh_with_backoff
from projector.database import locks
from projector.database.sql import query
from projector.observe.status.read import COUNTED_CHANGES
from projector.scheduler.observer import Observer
from projector.scheduler.tally import Tally

_log = structlog.get_logger(__name__)


class Drain:
    """Empties the queue. It remembers the size of a batch that the database managed."""

    def __init__(self, config: Config, stop: threading.Event, touch: Callable[[], None]) -> None:
        """`stop` ends a run after its batch; `touch` is called after each batch, as a sign of progress."""
        self._limit = self._size = config.refresh_batch
        self._passes = Passes()
        self._stop = stop
        self._touch = touch
        self._tally = Tally()
        self._observer = Observer(tracing=config.tracing)

    def follow(self, conn: Connection) -> None:
        """Trace the statements of a new connection."""
        self._observer.follow(conn)

    def run(self, conn: Connection) -> int:
        """Take all shards in one batch while few changes wait. Take one shard after the other while many do.

        Several schedulers share a deep queue in this way, so each begins with another shard.

        Returns the number of changes that were taken.
        """
        taken = 0
        first = os.getpid() % len(locks.SHARDS)
        deep: list[int] | None = None
        while deep != [] and not self._stop.is_set():
            shards = locks.SHARDS if deep is None else deep[:1]
            done = self._refresh(conn, shards)
            taken += done.changes
            self.log_tally(conn)
            is_over = done.drained or not done.owned
            if deep is not None:
                # The next shard, and this one again after the others where more of it waits.
                deep = deep[1:] + ([] if is_over else deep[:1])
            elif is_over:
                break
            else:
                deep = [*locks.SHARDS[first:], *locks.SHARDS[:first]]
        return taken

    def close(self) -> None:
        """Log what the last minute did, and send the last spans."""
        self._observer.close()
        sums = self._tally.take()
        if sums:
            _log.info("refreshed", **sums)

    def _refresh(self, conn: Connection, shards: Sequence[int]) -> Batch:
        began_at = time.monotonic()
        self._observer.begin()
        try:
            done, self._size = refresh_with_backoff(
                conn, shards, size=self._size, limit=self._limit, overdue=self._passes.overdue
            )
        except psycopg.Error as error:
            self._observer.fail(error, time.monotonic() - began_at)
            raise
        self._passes.note(done.owned, done.passed_over)
        self._touch()
        seconds = time.monotonic() - began_at
        self._tally.add(done, seconds)
        self._observer.end(done, seconds)
        if done.changes:
            _log.debug(
                "batch",
                shards=list(done.owned),
                changes=done.changes,
                leads=done.leads,
                messages=done.messages,
                oldest=done.oldest,
            )
        return done

    def log_tally(self, conn: Connection) -> None:
        """Log what refreshes did in the last minute, and how many changes wait now, if they found any work."""
        if self._tally.is_due():
            waiting = conn.execute(query("recovery", "count_changes_up_to"), {"bound": COUNTED_CHANGES})
            row = waiting.fetchone()
            _log.info("refreshed", **self._tally.take(), queue=row[0] if row else 0)
