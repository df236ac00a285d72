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
from projector.report.errors import CaptureGapError, is_raised, is_server_limit
from projector.report.log import quoting

DEFAULT_BATCH = 1000
"""Changes that one batch takes at most, a fourth of them from each shard."""

ANALYZE_ABOVE_ROWS = 100
"""A batch that writes more leads and messages looks for tables that have outgrown their statistics."""

IDLE_FRESHNESS_INTERVAL = timedelta(seconds=1)
"""How old freshness is before a refresh with nothing to do moves it, unless a caller waits for it."""

# What only data, or a function of the mapping, can be the reason of: several rows where one is to be, a value out of
# range, a broken rule, a function that fails, a row that is too large or nested too deeply.
# docs/internals/architecture.md goes through all of them.
_LEAD_FAILURES = ("21", "22", "23", "2F", "38", "39", "54000", "54001", "P0")
# What concerns the server: connections, a sequence, a standby, memory and disk, locks, a shutdown, files.
_SERVER_FAILURES = ("08", "2200H", "25", "53", "55", "57P", "58")

STATEMENT_TIMEOUT = "10s"
"""How long a statement of a refresh may run. A rebuild has no such limit."""

ONE_KEY_TIMEOUT = "1s"
"""The same, where a key is tried or looked at alone after a failure: all tenants wait for what its row costs."""

EXPANSION_TIMEOUT = "60s"
"""The same, where the rules of the mapping look for what a change touches. A truncated table may take any time."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class QueueState:
    """What the opening of a batch and a look both return: sql/refresh/1_take/20_open_batch.sql says what it means."""

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
    """What that step returns, and `owned`: the shards that the transaction owns."""

    started_at: datetime
    has_mass_changes: bool
    held_shards: list[int]
    bloated_tables: list[str]
    owned: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Taken:
    """What sql/refresh/1_take/30_take_changes.sql returns."""

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
    """What one batch did.

    `owned` is empty if other refreshes own all wanted shards. `drained`: no single change waited there any more, and no
    mass change but those whose leads are known, nor was the clock set back. `has_mass_changes`: others wait;
    `has_late_keys`: those do. `pieces`: rows of a mass change that was expanded. `keys`: late keys that were taken.
    `stale_keys`: keys that were read again.
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
    """Take single changes of the given shards, or of those of them that no other refresh owns; with `wait`, of all.

    `size` is how many changes it takes at most: the oldest ones, or the `newest`. It is tried again if it collides with
    another session. Raises BlockedError after some of that, and what open_batch raises.
    """

    def once() -> Batch:
        with conn.transaction():
            opened = open_batch(conn, shards, wait=wait)
            done = Batch((), 0)
            if opened.owned:
                done = _take_and_recompute(conn, opened, max(size // len(opened.owned), 1), newest=newest)
            if opened.is_set_back:
                # This transaction may have begun before, so that only a later one can say what holds since.
                done = replace(done, drained=False)
            # Who waits for a refresh may ask for data of the time at which it began.
            at_least = timedelta(0) if wait or done.changes else IDLE_FRESHNESS_INTERVAL
            written = BatchResult(done.leads, done.messages)
            advances = done.drained and not opened.freshness_frozen
            # Nothing is promised of a shard with changes of an unknown kind.
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
    """Return whether it is certain that the data of a single lead, or a function of the mapping, are the reason."""
    return not is_server_failure(error) and (
        (error.sqlstate or "").startswith(_LEAD_FAILURES) or is_raised(error)
    )


def is_server_failure(error: psycopg.Error) -> bool:
    """Return whether it is certain that no key is the reason."""
    if error.sqlstate is None or is_server_limit(error):
        return True
    return error.sqlstate.startswith(_SERVER_FAILURES) and not is_raised(error)


def first_line(error: psycopg.Error) -> str:
    """Return what PostgreSQL says, in one line, which step failed, and what of the mapping the step reads."""
    text = (error.diag.message_primary or str(error)).splitlines()[0]
    failed = failing_step(error)
    read = ", ".join(f"{relation}.sql" for relation in failing_relations(error))
    return text if failed is None else f"{text} ({failed}{f', which reads {read}' if read else ''})"


def failure(error: psycopg.Error) -> dict[str, object]:
    """Return what a line of the log says of an error: what PostgreSQL says, and which step failed."""
    return {"error": quoting(error, first_line(error)), "step": failing_step(error)}


def open_batch(conn: Connection, shards: Sequence[int], *, wait: bool) -> Opened:
    """Own shards of the queue, and look at what waits there. Lower all moments if the clock was set back.

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
    return opened


def own_shards(conn: Connection, shards: Sequence[int], *, wait: bool) -> psycopg.Cursor[TupleRow]:
    """Own those of the shards that are free, or with `wait` all of them, and return them in one row."""
    parameters = {"shard_class": locks.SHARD, "shards": list(shards), "wait": wait}
    return conn.execute(statement("refresh/1_take/10_own_shards"), parameters)


def lower_moments(conn: Connection, clock: datetime | None) -> None:
    """Have all moments claim nothing, and forget what the origin proved, because a clock was set back.

    `clock` is what this server's says since; None if it was that of the origin.
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

    They are single ones, or with `mass` those of mass changes, and the first ones, or with `newest` the last. They have
    no more than so many bytes of keys.
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
    """Set the taken keys aside that are none that the platform can have: this batch leaves them out."""
    keys = rows.value(conn, query("core", "set_malformed_keys_aside"))
    if keys:
        _log.error("set aside as dead letters: not valid ids of the platform's column type", keys=keys)


def count_dead_letters(conn: Connection) -> None:
    """Write into the rows of the tenants how many dead letters they have, in the caller's transaction."""
    # What another session has set aside and not committed would be counted by neither.
    conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.DEAD_LETTERS,))
    user_ids, numbers = conn.execute(query("core", "count_dead_letters")).fetchone() or ([], [])
    counts = {"user_ids": user_ids, "numbers": numbers}
    conn.execute(query("core", "write_counts"), counts)
    conn.execute(query("core", "clear_counts"), counts)


def follow_dead_letters(conn: Connection, *, are_new: bool = False) -> None:
    """Note which leads the dead letters of the taken keys belong to now, whose changes were left out.

    Counts the dead letters where one has moved, or where some `are_new`.
    """
    moved = 0
    limit = query("core", "limit_statements")
    conn.execute(limit, {"statement_timeout": ONE_KEY_TIMEOUT})
    try:
        moved = _follow(conn, None)
    except psycopg.Error as error:
        if is_server_failure(error):
            raise
        # A row that cannot be read. Of the others it is noted, one by one.
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
    """Stage what the taken changes refer to, or queue it where it is much; return in how many rows.

    `timeout` is how long a statement may run, if that is not EXPANSION_TIMEOUT.
    """
    with cancel_if_blocking(conn):
        conn.execute(query("core", "limit_expansion"), {"statement_timeout": timeout or EXPANSION_TIMEOUT})
        (pieces,) = pipeline.run_steps(conn, "refresh/1_take/50_expand_changes").fetchone() or (0,)
        return int(pieces)


def recompute(conn: Connection, *, strict: bool = False, timeout: str | None = None) -> BatchResult:
    """From the staged changes to rows of the read model.

    `strict` includes the keys that are set aside as dead letters; `timeout` is how long a statement may run, if that
    is not STATEMENT_TIMEOUT.
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
    """Analyze the tables whose statistics know far fewer rows than they have, after a batch that wrote many.

    The statistics of a read model that was built empty say that it is: until autovacuum comes by, each look-up of an
    import into it would read everything that the import has written of the tenant.
    """
    if written.leads + written.messages <= ANALYZE_ABOVE_ROWS:
        return
    for table in rows.values(conn, query("core", "find_tables_to_analyze")):
        conn.execute(composing.SQL("ANALYZE {}").format(composing.SQL(table)), prepare=False)


def advance_freshness(
    conn: Connection, shards: Sequence[int], opened: QueueState, at_least: timedelta, *, is_late: bool
) -> None:
    """Note that these shards were drained of everything before `opened.fresh_until`, if that is `at_least` newer.

    `opened` is what a batch read first, or a look: without shards, its clock is noted alone. Capture is intact, and the
    caller's transaction owns them. `is_late`: the moment of every tenant stands still.
    """
    parameters = {**_moments(shards, opened, at_least), "is_late": is_late}
    conn.execute(statement("refresh/9_finish/20_advance_freshness"), parameters)


def advance_after_commit(
    conn: Connection, shards: Sequence[int], opened: QueueState, at_least: timedelta, *, is_late: bool
) -> None:
    """Note the same of a distributed read model, whose servers may finish later than the commit.

    Freshness stays where it is while a server is in doubt, or where another refresh owns one of the shards by now.
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
        # An idle batch does not touch the staging tables: to clear them costs more than all the rest of it.
        return Batch(opened.owned, changes=0, drained=not mass, has_mass_changes=mass, has_late_keys=late)
    taken = take_changes(conn, opened, size, newest=newest)
    pipeline.test_point("taken")
    pieces = expand_changes(conn) if taken.needs_expansion else 0
    # What another session sets aside from here on would be left out without a word.
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
