"""Refresh: take all changes that wait, then retry some of the dead letters that are due."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from projector.core import pipeline
from projector.core.batch import Batch, QueueState, advance_after_commit, advance_freshness, lower_moments
from projector.core.clock import clock_of
from projector.core.dead_letters import TRIES_OF_A_TURN, find_dead_letters, retry_dead_letters
from projector.core.preconditions import INSTALLED_VERSION, require_version
from projector.core.refresh import Drain, warn_of_unresolved
from projector.database import locks, rows
from projector.database.rows import Connection
from projector.database.sql import query
from projector.observe import metrics
from projector.observe.status.read import COUNTED_CHANGES
from projector.report.errors import CaptureGapError, ConfigurationError
from projector.scheduler.job import Job, Shared
from projector.sweep import recovery

if TYPE_CHECKING:
    from projector.observe.tracing import Tracing

DEAD_LETTERS_INTERVAL_SECONDS = 1.0
TURN_SECONDS = 1.0
"""After this time a turn retries no further dead letter."""

END_SECONDS = 0.1
"""How long a tenant may stay late after its last piece, so that a projector does not check after each one."""

TALLY_SECONDS = 60.0
"""How long one line of the log covers."""

TRIGGER_PATIENCE_SECONDS = 2.0
"""How long a refresh waits for the platform's transactions to install the triggers again; then it tries later."""

_Done = TypeVar("_Done", Batch, Batch | None)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Look(QueueState):
    """The row of the query `look` in sql/queries/core.sql."""

    provable_until: datetime
    is_fed: bool
    has_old_clock: bool
    has_unknown: bool
    has_dead_letters: bool
    owns_all: bool


class Refresh(Job):
    """The refresh. It remembers what it last saw, and where it is in the late keys."""

    name = "refresh"
    longest_retry_seconds = 5.0

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._mass = Drain(shared.config.refresh_batch)
        self._ended_at = float("-inf")
        self._has_dead_letters = False
        self._dead_letters_at = 0.0
        self._tally = Tally()
        self._tracing = _load_tracing() if shared.config.tracing else None

    def run(self, conn: Connection) -> float:
        """Take what waits, and then dead letters a turn at a time."""
        self.prepare(conn, self._prepare)
        try:
            self.shared.is_queue_empty = not self._look(conn)
            if not self.shared.is_queue_empty and self._drain(conn):
                self.shared.pace.note_changes()
            self._end_lateness(conn)
        except CaptureGapError:
            self.shared.is_troubled = True
            if recovery.restore_capture(conn, patience=TRIGGER_PATIENCE_SECONDS):
                _log.warning(
                    "the triggers are installed again; a rebuild of what may have been missed follows"
                )
            return self.shared.config.refresh_seconds
        self._log_tally(conn)
        if (
            self._has_dead_letters
            and time.monotonic() >= self._dead_letters_at
            and not self.shared.stop.is_set()
        ):
            # Only one turn, however many dead letters are due: new changes are taken before the next turn.
            dead_letters = find_dead_letters(conn, due_only=True, limit=TRIES_OF_A_TURN)
            ends_at = time.monotonic() + TURN_SECONDS
            for dead_letter in dead_letters:
                # Each of them may take as long as a statement may run.
                if time.monotonic() < ends_at:
                    retry_dead_letters(conn, [dead_letter])
            if len(dead_letters) < TRIES_OF_A_TURN:
                self._dead_letters_at = time.monotonic() + DEAD_LETTERS_INTERVAL_SECONDS
        return self.shared.pace.pause

    def close(self) -> None:
        """Log what the last minute did, and send the last spans."""
        if self._tracing is not None:
            self._tracing.close()
        sums = self._tally.take(after=0.0)
        if sums:
            _log.info("refreshed", **sums)
        super().close()

    def _prepare(self, conn: Connection) -> None:
        pipeline.prepare_session(conn)
        if self._tracing is not None:
            self._tracing.follow(conn)

    def _look(self, conn: Connection) -> bool:
        """Return whether changes wait. Look at everything else too where that is due."""
        if not self.shared.pace.needs_look:
            return has_changes(conn)
        seen = look(conn, self.shared.pace.freshness_interval)
        self.shared.pace.note_look()
        self._has_dead_letters, self.shared.is_troubled = seen.has_dead_letters, seen.freshness_frozen
        self.shared.is_fed = seen.is_fed
        return seen.has_changes or seen.has_late_keys

    def _drain(self, conn: Connection) -> int:
        """Take single changes, then a slice or a piece of a mass change, and again until nothing waits.

        So a single change waits for at most one slice or piece, however many other changes wait.

        Returns the number of steps that found something.
        """
        steps = 0
        while not self.shared.stop.is_set():
            singles = self._take(partial(self._mass.take_singles, conn, locks.SHARDS))
            mass = self._take(partial(self._mass.take_mass, conn, locks.SHARDS, singles))
            self._end_lateness(conn)
            self.touch()
            self._log_tally(conn)
            steps += singles.found_work + (mass is not None)
            if mass is None and (singles.drained or not singles.owned):
                break
        return steps

    def _end_lateness(self, conn: Connection) -> None:
        if self._mass.late.may_be_late and time.monotonic() >= self._ended_at + END_SECONDS:
            self._ended_at = time.monotonic()
            self._mass.late.end(conn)

    def _take(self, work: Callable[[], _Done]) -> _Done:
        began_at = time.monotonic()
        done = self._tracing.batch(work) if self._tracing else work()
        if done is None:
            return done
        seconds = time.monotonic() - began_at
        self._tally.add(done, seconds)
        metrics.note_batch(done, seconds)
        if done.found_work:
            _log.debug(
                "batch",
                shards=list(done.owned),
                changes=done.changes,
                leads=done.leads,
                messages=done.messages,
                oldest=done.oldest,
            )
        return done

    def _log_tally(self, conn: Connection) -> None:
        """Log what refreshes did in the last minute, and how many changes wait now, if they found any work."""
        sums = self._tally.take(after=TALLY_SECONDS)
        if sums:
            waiting = rows.value(conn, query("core", "count_changes"), {"bound": COUNTED_CHANGES})
            _log.info("refreshed", **sums, queue=waiting)
            warn_of_unresolved(int(sums["keys"]), int(sums["leads"]))


class Tally:
    """The batches that found work in a minute, with their seconds."""

    def __init__(self) -> None:
        self._began_at = time.monotonic()
        self._batches: list[tuple[Batch, float]] = []

    def add(self, done: Batch, seconds: float) -> None:
        """Add a batch, which took so long, unless it found nothing to do."""
        if done.found_work:
            self._batches.append((done, seconds))

    def take(self, *, after: float) -> dict[str, int | float]:
        """Return the sums as the fields of a line, and begin the next minute.

        It returns no fields before `after` seconds of the minute have passed, or if no batch found work.
        """
        if time.monotonic() - self._began_at < after:
            return {}
        taken, self._batches, self._began_at = self._batches, [], time.monotonic()
        if not taken:
            return {}
        return {
            "refreshes": len(taken),
            "changes": sum(done.changes for done, _ in taken),
            "keys": sum(done.stale_keys for done, _ in taken),
            "leads": sum(done.leads for done, _ in taken),
            "messages": sum(done.messages for done, _ in taken),
            "longest_seconds": round(max(seconds for _, seconds in taken), 3),
        }


def has_changes(conn: Connection) -> bool:
    """Return whether a change waits, and look at nothing else."""
    return bool(rows.value(conn, query("core", "has_changes"), {"shards": list(locks.SHARDS)}))


def look(conn: Connection, at_least: timedelta) -> Look:
    """Look at everything that a batch looks at.

    Moves freshness where nothing waits, if it is `at_least` so old; and lowers it where the clock was set back.

    The connection is in autocommit mode: the clock has to be read before the snapshot.

    Raises CaptureGapError if capture is not intact, and NotInstalledError if another projection version has migrated.
    """
    text = query("core", "look")
    if conn.dialect.commits_at_once:
        # One statement, so that a projector with nothing to do asks little.
        text = query("core", "look_and_advance", looked=text.rstrip(";"))
    parameters = {
        "shard_class": locks.SHARD,
        "shards": list(locks.SHARDS),
        "version": INSTALLED_VERSION,
        "at_least": at_least,
        "least_clock": clock_of(conn).least,
    }
    seen = rows.only_row(conn, Look, text, parameters)
    clock_of(conn).note(seen.clock)
    require_version(seen.migrated_version)
    if seen.is_set_back:
        with conn.transaction():
            lower_moments(conn, seen.clock)
    elif seen.has_old_clock:
        advance_freshness(conn, (), seen, at_least, is_late=seen.has_late_keys)
    if seen.gap is not None:
        raise CaptureGapError(seen.gap)
    if seen.fresh_until is not None and not conn.dialect.commits_at_once:
        advance_after_commit(conn, locks.SHARDS, seen, at_least, is_late=seen.has_late_keys)
    return seen


def _load_tracing() -> "Tracing":
    """Return the object that makes spans. Raises ConfigurationError if OpenTelemetry is not installed."""
    try:
        from projector.observe.tracing import Tracing  # noqa: PLC0415  # The extra otel may not be installed.
    except ImportError as error:
        raise ConfigurationError(
            f"LEADS_TRACING is on, but OpenTelemetry is not installed ({error}): install the extra otel, or set"
            " LEADS_TRACING=off."
        ) from None
    return Tracing()
