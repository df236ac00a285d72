"""One batch of a refresh: take changes, recompute the leads that they made stale, and write what differs.

A batch is one transaction in READ COMMITTED. A crash at any moment gives its changes back to the queue.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import psycopg
import structlog
from psycopg import sql as composing
from psycopg.rows import TupleRow

from projector.core import names, pipeline, staging
from projector.core.blocking import cancel_if_blocking
from projector.core.clock import clock_of
from projector.core.pipeline import BatchResult
from projector.core.preconditions import require_version
from projector.database import locks, rows
from projector.database.distribution import is_finished
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import failing_relations, failing_step, query, statement
from projector.model.leads import WRITE
from projector.report.errors import CaptureGapError, is_raised, is_server_limit, reason_of
from projector.report.log import quoting

DEFAULT_BATCH = 1000
"""Changes that one batch takes at most, a fourth of them from each shard."""

ANALYZE_ABOVE_ROWS = 100
"""A batch that writes more leads and messages looks for tables that have outgrown their statistics."""

IDLE_FRESHNESS_INTERVAL = timedelta(seconds=1)
"""A refresh with nothing to do moves freshness only if it is this old, unless a caller waits for it."""

# Errors that only data, or a function of the mapping, can cause: several rows instead of one, a value out of range, a
# broken rule, a function that fails, a row that is too large or nested too deeply. docs/internals/architecture.md
# explains each.
_LEAD_FAILURES = ("21", "22", "23", "2F", "38", "39", "54000", "54001", "P0")
# Errors of the server: connections, a sequence, a standby, memory and disk, locks, a shutdown, files.
_SERVER_FAILURES = ("08", "2200H", "25", "53", "55", "57P", "58")

STATEMENT_TIMEOUT = "10s"
"""How long a statement of a refresh may run. A rebuild has no such limit."""

ONE_KEY_TIMEOUT = "1s"
"""The statement timeout for a failed key that is tried or read alone: all tenants wait meanwhile."""

EXPANSION_TIMEOUT = "60s"
"""The statement timeout while rules of the mapping find what a change touches. A TRUNCATE has no limit."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class QueueState:
    """The columns that opening a batch and probing the queue share: see sql/refresh/1_take/20_open_batch.sql."""

    fresh_until: datetime | None
    clock: datetime
    gap: str | None
    has_changes: bool
    has_late_keys: bool
    is_set_back: bool
    set_backs: int | None
    migrated_version: str | None
    freshness_frozen: bool


@dataclass(slots=True)
class Opened(QueueState):
    """The row of that step, and `owned`, the shards that the transaction owns."""

    started_at: datetime
    has_mass_changes: bool
    held_shards: list[int]
    bloated_tables: list[str]
    is_built: bool
    owned: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Taken:
    """The row of sql/refresh/1_take/30_take_changes.sql."""

    changes: int
    oldest: datetime | None
    held_shards: list[int]
    drained: bool
    needs_expansion: bool
    names: bool
    has_malformed_keys: bool
    has_late_keys: bool
    has_dead_letters: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one batch.

    `owned` is empty if other refreshes own all wanted shards. `drained`: no single change was left there, and no mass
    change whose leads are unknown, and the clock was not set back. `has_mass_changes`: mass changes wait whose leads
    are unknown; `has_late_keys`: late keys wait. `pieces`: rows of a mass change that was expanded. `keys`: late keys
    that were taken. `stale_keys`: keys that were read again.
    """

    owned: Sequence[int]
    changes: int
    leads: int = 0
    messages: int = 0
    drained: bool = False
    oldest: datetime | None = None
    pieces: int = 0
    has_mass_changes: bool = False
    has_late_keys: bool = False
    keys: int = 0
    stale_keys: int = 0

    @property
    def found_work(self) -> bool:
        """Whether there was anything to do."""
        return self.changes > 0 or self.keys > 0


def refresh_batch(
    conn: Connection,
    shards: Sequence[int],
    *,
    size: int = DEFAULT_BATCH,
    newest: bool = False,
    wait: bool = False,
) -> Batch:
    """Take single changes of the given shards, as far as no other refresh owns them; with `wait`, of all of them.

    It takes at most `size` changes: the oldest ones, or the `newest`. If it collides with another session, it tries
    again. Raises BlockedError after some tries, and the errors of open_batch.
    """

    def once() -> Batch:
        with conn.transaction():
            opened = open_batch(conn, shards, wait=wait)
            done = Batch((), 0)
            if opened.owned:
                done = _take_and_recompute(conn, opened, max(size // len(opened.owned), 1), newest=newest)
            if opened.is_set_back:
                # This transaction may have begun before that, so only a later one can drain the queue.
                done = replace(done, drained=False)
            # A caller who waits for a refresh may ask for data as of the time at which it began.
            at_least = timedelta(0) if wait or done.changes else IDLE_FRESHNESS_INTERVAL
            written = BatchResult(done.leads, done.messages)
            advances = done.drained and not opened.freshness_frozen
            # The moment of a shard with changes of an unknown kind stands still.
            drained = [shard for shard in opened.owned if advances and shard not in opened.held_shards]
            with pipeline.pipelined(conn):
                if done.changes:
                    log_run(conn, opened.started_at, written, changes=done.changes)
                if conn.dialect.commits_at_once:
                    advance_freshness(conn, drained, opened, at_least, is_late=done.has_late_keys)
        if not conn.dialect.commits_at_once:
            advance_after_commit(conn, drained, opened, at_least, is_late=done.has_late_keys)
        analyze_if_outgrown(conn, written)
        return done

    return retry(once, *BATCH)


def is_lead_failure(error: psycopg.Error) -> bool:
    """Return whether the data of a single lead, or a function of the mapping, are certainly the cause."""
    return not is_server_failure(error) and (
        (error.sqlstate or "").startswith(_LEAD_FAILURES) or is_raised(error)
    )


def is_server_failure(error: psycopg.Error) -> bool:
    """Return whether the cause is certainly none of the keys."""
    if error.sqlstate is None or is_server_limit(error):
        return True
    return error.sqlstate.startswith(_SERVER_FAILURES) and not is_raised(error)


def first_line(error: psycopg.Error) -> str:
    """Return the message of PostgreSQL in one line, the step that failed, and the relations that the step reads."""
    text = (error.diag.message_primary or reason_of(error)).partition("\n")[0]
    failed = failing_step(error)
    read = ", ".join(f"{relation}.sql" for relation in failing_relations(error))
    return text if failed is None else f"{text} ({failed}{f', which reads {read}' if read else ''})"


def failure(error: psycopg.Error) -> dict[str, object]:
    """Return the error and the failed step for a line of the log."""
    return {"error": quoting(error, first_line(error)), "step": failing_step(error)}


def open_batch(conn: Connection, shards: Sequence[int], *, wait: bool) -> Opened:
    """Own shards of the queue, and find out what waits there. Lower all moments if the clock was set back.

    Raises CaptureGapError if capture is not intact, and NotInstalledError if another projection version has migrated.
    """
    parameters = {
        "shards": list(shards),
        "staging_tables": staging.TABLES,
        "truncate_above_bytes": staging.TRUNCATE_ABOVE_BYTES,
        "leave_below_bytes": staging.LEAVE_BELOW_BYTES,
        "least_clock": clock_of(conn).least,
    }
    with pipeline.pipelined(conn):
        owning = own_shards(conn, shards, wait=wait)
        opened = rows.only_row(conn, Opened, statement("refresh/1_take/20_open_batch"), parameters)
    clock_of(conn).note(opened.clock)
    (opened.owned,) = owning.fetchone() or ([],)
    require_version(opened.migrated_version)
    if opened.gap is not None:
        raise CaptureGapError(opened.gap)
    if opened.is_set_back:
        lower_moments(conn, opened.clock)
    if not opened.is_built:
        # A first build would fill the leads once more that a refresh had written.
        opened.owned = []
    return opened


def own_shards(conn: Connection, shards: Sequence[int], *, wait: bool) -> psycopg.Cursor[TupleRow]:
    """Own the free ones of these shards, or with `wait` all of them, and return them in one row."""
    parameters = {"shard_class": locks.SHARD, "shards": list(shards), "wait": wait}
    return conn.execute(statement("refresh/1_take/10_own_shards"), parameters)


def lower_moments(conn: Connection, clock: datetime | None) -> None:
    """Reset all moments and the proof of the origin, because a clock was set back.

    `clock` is the new time of this server's clock; None if the clock of the origin was set back.
    """
    conn.execute(statement("refresh/1_take/25_lower_moments"), {"clock": clock})
    conn.execute(query("core", "lower_late_moments"))
    conn.execute(query("origin", "forget_proof"))


def take_changes(  # noqa: PLR0913  # The parameters of the step.
    conn: Connection,
    opened: Opened,
    size: int,
    *,
    mass: bool = False,
    newest: bool = False,
    most_bytes: int | None = None,
) -> Taken:
    """Move the next changes of the owned shards, `size` of each, to the staging tables, which are cleared first.

    These are single changes, or with `mass` those of mass changes; the oldest, or with `newest` the newest. Their keys
    have at most `most_bytes` bytes.
    """
    with pipeline.pipelined(conn):
        staging.clear(conn, opened.bloated_tables)
        parameters = {
            "shards": opened.owned,
            "mass": mass,
            "newest": newest,
            "size": size,
            "bytes": most_bytes,
        }
        taken = rows.only_row(conn, Taken, statement("refresh/1_take/30_take_changes"), parameters)
    opened.held_shards += taken.held_shards
    if taken.has_malformed_keys:
        set_malformed_keys_aside(conn)
        taken.has_dead_letters = True
    return taken


def set_malformed_keys_aside(conn: Connection) -> None:
    """Set aside the taken keys that cannot be ids of the platform: this batch leaves them out."""
    keys = rows.value(conn, query("core", "set_malformed_keys_aside"))
    if keys:
        _log.error("set aside as dead letters: not valid ids of the platform's column type", keys=keys)


def count_dead_letters(conn: Connection) -> None:
    """Update the number of dead letters in the rows of the tenants, in the caller's transaction."""
    # Without the lock, neither session would count what the other one has set aside but not committed.
    conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.DEAD_LETTERS,))
    user_ids, numbers = conn.execute(query("core", "count_dead_letters")).fetchone() or ([], [])
    counts = {"user_ids": user_ids, "numbers": numbers}
    conn.execute(query("core", "write_counts"), counts)
    conn.execute(query("core", "clear_counts"), counts)


def follow_dead_letters(conn: Connection, *, are_new: bool = False) -> None:
    """Note to which leads the dead letters of the taken keys now belong, whose changes were left out.

    Counts the dead letters if one has moved, or if some `are_new`.
    """
    moved = 0
    limit = query("core", "limit_statements")
    conn.execute(limit, {"statement_timeout": ONE_KEY_TIMEOUT})
    try:
        moved = _follow(conn, None)
    except psycopg.Error as error:
        if is_server_failure(error):
            raise
        # A row cannot be read. The others are noted one by one.
        for key in rows.values(conn, query("core", "read_taken_dead_letters")):
            with suppress(psycopg.Error):
                moved += _follow(conn, key)
    conn.execute(limit, {"statement_timeout": STATEMENT_TIMEOUT})
    if moved or are_new:
        count_dead_letters(conn)


def _follow(conn: Connection, key: str | None) -> int:
    with conn.transaction():
        return len(rows.values(conn, query("core", "follow_dead_letters"), {"key": key}))


def expand_changes(conn: Connection, timeout: str | None = None) -> int:
    """Stage what the taken changes refer to, or queue it if that is much; return the number of rows.

    `timeout` limits each statement, instead of EXPANSION_TIMEOUT.
    """
    with cancel_if_blocking(conn):
        conn.execute(query("core", "limit_expansion"), {"statement_timeout": timeout or EXPANSION_TIMEOUT})
        (pieces,) = pipeline.run_steps(conn, "refresh/1_take/50_expand_changes").fetchone() or (0,)
        return int(pieces)


def recompute(conn: Connection, *, strict: bool = False, timeout: str | None = None) -> BatchResult:
    """Recompute the leads of the staged changes, and write what differs.

    `strict` includes the keys that are set aside as dead letters; `timeout` limits each statement, instead of
    STATEMENT_TIMEOUT.
    """
    parameters = {"strict": strict, "statement_timeout": timeout or STATEMENT_TIMEOUT}
    run = pipeline.Run(conn, conditions={"write"}, parameters=parameters)
    with cancel_if_blocking(conn):
        run.run("refresh/1_take/80_collect_stale_keys", *pipeline.LOCK_AND_RESOLVE, *WRITE)
    return run.result


def log_run(
    conn: Connection, started_at: datetime, written: BatchResult, *, changes: int = 0, late_keys: int = 0
) -> None:
    """Write the row of the run log."""
    parameters = {
        "started_at": started_at,
        "changes": changes,
        "late_keys": late_keys,
        "leads": written.leads,
        "messages": written.messages,
    }
    conn.execute(statement("refresh/9_finish/10_log_run"), parameters)


def analyze_if_outgrown(conn: Connection, written: BatchResult) -> None:
    """After a batch that wrote many rows, analyze the tables that have far more rows than their statistics say.

    According to the statistics, a read model that was built empty is still empty. Until autovacuum analyzes it, each
    look-up of an import would read everything that the import has written for the tenant.
    """
    if written.leads + written.messages <= ANALYZE_ABOVE_ROWS:
        return
    for table in rows.values(conn, query("core", "find_tables_to_analyze")):
        conn.execute(composing.SQL("ANALYZE {}").format(composing.SQL(table)), prepare=False)


def advance_freshness(
    conn: Connection, shards: Sequence[int], opened: QueueState, at_least: timedelta, *, is_late: bool
) -> None:
    """Note that these shards were drained of everything before `opened.fresh_until`, if that is `at_least` newer.

    `opened` is the state when the batch was opened, or of a probe; without shards, only its clock is noted. Capture is
    intact, and the caller's transaction owns the shards. `is_late`: the moment of every tenant stands still.
    """
    parameters = {**_moments(shards, opened, at_least), "is_late": is_late}
    conn.execute(statement("refresh/9_finish/20_advance_freshness"), parameters)


def advance_after_commit(
    conn: Connection, shards: Sequence[int], opened: QueueState, at_least: timedelta, *, is_late: bool
) -> None:
    """Advance freshness of a distributed read model, whose workers may finish later than the commit.

    Freshness stays as it is while a worker is in doubt, or if another refresh owns one of the shards by now.
    """
    parameters = _moments(shards, opened, at_least)
    if conn.execute(query("core", "is_older"), parameters).fetchone() != (True,) or not is_finished(conn):
        return
    with conn.transaction():
        if own_shards(conn, shards, wait=False).fetchone() == ([*shards],):
            advance_freshness(conn, shards, opened, at_least, is_late=is_late)


def _moments(shards: Sequence[int], opened: QueueState, at_least: timedelta) -> dict[str, object]:
    return {
        "shards": list(shards),
        "fresh_until": opened.fresh_until,
        "clock": opened.clock,
        "set_backs": opened.set_backs,
        "at_least": at_least,
    }


def _take_and_recompute(conn: Connection, opened: Opened, size: int, *, newest: bool) -> Batch:
    mass, late = opened.has_mass_changes, opened.has_late_keys
    if not opened.has_changes:
        # An idle batch does not touch the staging tables: clearing them costs more than the rest of the batch.
        return Batch(opened.owned, changes=0, drained=not mass, has_mass_changes=mass, has_late_keys=late)
    taken = take_changes(conn, opened, size, newest=newest)
    pipeline.test_point("taken")
    pieces = expand_changes(conn) if taken.needs_expansion else 0
    # Strict, because the batch would silently leave out what another session sets aside from here on.
    written = recompute(conn, strict=not taken.has_dead_letters) if taken.changes else BatchResult()
    if taken.has_dead_letters:
        follow_dead_letters(conn, are_new=taken.has_malformed_keys)
    if taken.names:
        names.write_taken(conn)
    mass = mass or pieces > 0
    drained = taken.drained and not mass
    return Batch(
        opened.owned,
        taken.changes,
        written.leads,
        written.messages,
        drained,
        taken.oldest,
        pieces,
        mass,
        late or taken.has_late_keys,
        stale_keys=written.keys,
    )
