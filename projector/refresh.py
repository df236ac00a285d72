"""Refresh: take the changes that wait, recompute the leads that they made stale, write what differs.

One transaction a batch, in READ COMMITTED. A crash anywhere gives the changes back to the queue.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import psycopg
import structlog
from psycopg import sql
from psycopg.rows import TupleRow

from projector import batch, locks
from projector.errors import BlockedError, CaptureGapError, NotInstalledError, TenantNotFoundError
from projector.progress import Progress
from projector.report import RunReport
from projector.statements import statement, steps

Connection = psycopg.Connection[TupleRow]
_Result = TypeVar("_Result")

DEFAULT_BATCH = 1000
"""Changes that one batch takes at most, a fourth of them from each shard."""

_PIECES = 1
_MANY = 100
_IDLE_FRESHNESS = timedelta(seconds=1)
_RETRIES = 5
# Data that could not be foreseen: out of range, a broken rule, too large for an index, raised by a function. Everything
# else concerns the server or our own statements, and would fail for every lead.
_LEAD_FAILURES = ("22", "23", "54", "P0")
_COLLISIONS = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did. `owned` is empty where every wanted shard is another refresh's."""

    owned: Sequence[int]
    changes: int
    leads: int = 0
    messages: int = 0
    drained: bool = False
    oldest: datetime | None = None


def refresh(
    conn: Connection,
    *,
    retry_failed: bool,
    progress: Progress,
    size: int = DEFAULT_BATCH,
    pause: batch.Pause = batch.no_pause,
) -> RunReport:
    """Make everything that was committed before this call visible in the read model, and return then.

    It waits for refreshes under way. Raises CaptureGapError where changes may have been missed: a rebuild heals that.
    """
    started = time.monotonic()
    require_installed(conn)
    batch.prepare_session(conn)
    waiting = conn.execute("SELECT count(*) FROM projector.changes").fetchone()
    progress.start("refresh", waiting[0] if waiting else 0, "changes")
    changes = leads = messages = 0
    size_now = size
    for shard in locks.SHARDS:
        while True:
            done, size_now = take_in_stride(conn, [shard], size=size_now, limit=size, wait=True, pause=pause)
            changes, leads, messages = changes + done.changes, leads + done.leads, messages + done.messages
            progress.advance(done.changes)
            if done.drained:
                break
    retried = retry_dead_letters(conn, due_only=not retry_failed)
    progress.finish()
    notes = (f"{retried} dead letters tried again",) if retried else ()
    return RunReport("refresh", time.monotonic() - started, leads, messages, changes, notes)


def take_in_stride(  # noqa: PLR0913  # As refresh_batch, which it repeats.
    conn: Connection,
    shards: Sequence[int],
    *,
    size: int,
    limit: int,
    wait: bool = False,
    pause: batch.Pause = batch.no_pause,
) -> tuple[Batch, int]:
    """Do one batch, whatever single lead fails; the answer has the size to go on with.

    A batch that fails for its data is tried again with fewer changes, down to one; that one is split by key, and a
    single key that still fails becomes a dead letter. So the others go on after a few batches.
    """
    while True:
        try:
            done = refresh_batch(conn, shards, size=size, wait=wait, pause=pause)
        except psycopg.Error as error:
            if not is_lead_failure(error):
                raise
            _log.warning(
                "a batch failed and is tried in smaller parts", changes=size, error=_first_line(error)
            )
            if size <= len(shards):
                for shard in shards:
                    _set_aside(conn, shard, wait=wait)
            size = max(size // 8, 1)
        else:
            if done.leads + done.messages > _MANY:
                _analyze_grown(conn)
            return done, min(size * 4, limit)


def _analyze_grown(conn: Connection) -> None:
    """Analyze the tables that have grown out of their statistics.

    A read model that was built empty says of itself that it is: until autovacuum comes by, each look-up of an import
    into it would read all that the import has written of the tenant.
    """
    for (table,) in conn.execute(statement("take", "find_grown")).fetchall():
        conn.execute(sql.SQL("ANALYZE {}").format(sql.SQL(table)), prepare=False)


def refresh_batch(
    conn: Connection,
    shards: Sequence[int],
    *,
    size: int = DEFAULT_BATCH,
    wait: bool = False,
    pause: batch.Pause = batch.no_pause,
) -> Batch:
    """One batch of the given shards, or of those of them that no other refresh owns; tried again where two collide."""
    return retrying(lambda: _refresh_batch(conn, shards, size, wait=wait, pause=pause))


def retry_dead_letters(conn: Connection, *, due_only: bool) -> int:
    """Try the dead letters again, each in a transaction of its own; the answer is how many were tried."""
    letters = conn.execute(
        "SELECT kind, key FROM projector.dead_letters WHERE NOT %s OR retry_at <= clock_timestamp() ORDER BY retry_at",
        (due_only,),
    ).fetchall()
    for kind, key in letters:
        try:
            retrying(lambda kind=kind, key=key: _retry_dead_letter(conn, kind, key))  # type: ignore[misc]
        except psycopg.Error as error:
            if not is_lead_failure(error):
                raise
            with conn.transaction():
                _bury(conn, kind, key, error)
    return len(letters)


def require_installed(conn: Connection) -> None:
    """Raise NotInstalledError where the database holds no projector's state, or that of an older version."""
    row = conn.execute(
        "SELECT to_regclass('projector.changes') IS NOT NULL,"
        " to_regclass('projector.broken_capture') IS NOT NULL"
        " AND to_regclass('read_model.lead_hour_stats') IS NULL"
    ).fetchone()
    is_installed, is_current = row or (False, False)
    if not is_installed:
        raise NotInstalledError(
            "The read model is not installed in this database: run migrate, then rebuild."
        )
    if not is_current:
        raise NotInstalledError("The read model was last migrated by an older version: run migrate.")


def require_tenants(conn: Connection, tenants: Sequence[str]) -> None:
    """Raise TenantNotFoundError for the first tenant that neither the source nor the read model knows."""
    row = conn.execute(
        "SELECT t FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (t, place)"
        " WHERE NOT EXISTS (SELECT FROM users WHERE user_id = t)"
        " AND NOT EXISTS (SELECT FROM read_model.tenants WHERE user_id = t)"
        " AND NOT EXISTS (SELECT FROM read_model.leads WHERE user_id = t) ORDER BY place LIMIT 1",
        (list(tenants),),
    ).fetchone()
    if row is not None:
        raise TenantNotFoundError(
            f"There is no tenant {row[0]!r}, neither in the source nor in the read model: check the USER_ID."
        )


def is_lead_failure(error: psycopg.Error) -> bool:
    """Whether the data of a single lead can be the reason."""
    return error.sqlstate is not None and error.sqlstate[:2] in _LEAD_FAILURES


def _refresh_batch(
    conn: Connection, shards: Sequence[int], size: int, *, wait: bool, pause: batch.Pause
) -> Batch:
    with conn.transaction():
        opened = _open_batch(conn, shards, wait=wait)
        if not opened.owned:
            return Batch(owned=(), changes=0)
        if not opened.is_waiting:
            # Not even looking at the stage saves its clean-up, which costs more than all the rest of an idle batch.
            _advance_freshness(conn, opened, _IDLE_FRESHNESS)
            return Batch(opened.owned, changes=0, drained=True)
        singles = max(size // len(opened.owned), 1)
        taken = _take(conn, opened, {"singles": singles, "pieces": _PIECES}, pause)
        drained, written = taken.drained, batch.Written(0, 0)
        pause("taken")
        if taken.spreads:
            spread = conn.execute(statement("take", "spread_changes")).fetchone()
            drained = drained and spread is not None and spread[0] == 0
        if taken.changes:
            written = _recompute(conn, taken.kinds, pause=pause)
        with batch.together(conn, pause):
            if taken.changes:
                _log_run(conn, opened.started_at, taken.changes, written)
            if drained:
                _advance_freshness(conn, opened, timedelta(0))
    return Batch(opened.owned, taken.changes, written.leads, written.messages, drained, taken.oldest)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A batch that was opened, as sql/take/open_batch returns it."""

    started_at: datetime
    owned: Sequence[int]
    gap: str | None
    is_waiting: bool
    is_held: bool
    crowded: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was taken, as sql/take/take_changes returns it."""

    changes: int
    oldest: datetime | None
    drained: bool
    spreads: bool
    kinds: Sequence[str]


def _open_batch(conn: Connection, shards: Sequence[int], *, wait: bool) -> _Opened:
    wanted = {"shard_class": locks.SHARD, "shards": list(shards)}
    if wait:
        conn.execute(statement("take", "wait_for_shards"), wanted)
    row = conn.execute(
        statement("take", "open_batch"), {**wanted, "stage": batch.STAGE, "room": batch.ROOM}
    ).fetchone()
    if row is None:
        raise AssertionError
    opened = _Opened(*row)
    if opened.gap is not None:
        raise CaptureGapError(opened.gap)
    return opened


def _take(conn: Connection, opened: _Opened, limits: dict[str, int], pause: batch.Pause) -> _Taken:
    with batch.together(conn, pause):
        batch.empty_stage(conn, opened.crowded)
        taken = conn.execute(statement("take", "take_changes"), {"shards": opened.owned, **limits})
    row = taken.fetchone()
    if row is None:
        raise AssertionError
    return _Taken(*row)


def _advance_freshness(conn: Connection, opened: _Opened, at_least: timedelta) -> None:
    """Say how fresh the shards are, unless a capture gap holds freshness still."""
    if not opened.is_held:
        conn.execute(
            statement("take", "advance_freshness"),
            {"shards": opened.owned, "started_at": opened.started_at, "at_least": at_least},
        )


def _recompute(
    conn: Connection,
    kinds: Collection[str],
    *,
    retried: tuple[str | None, str | None] = (None, None),
    pause: batch.Pause = batch.no_pause,
) -> batch.Written:
    """From the staged changes, of these kinds, to rows of the read model; `retried` is a dead letter, kind and key."""
    with batch.together(conn, pause):
        conn.execute(
            statement("take", "collect_stale_keys"),
            {"retried_kind": retried[0], "retried_key": retried[1], "strict": False},
        )
        batch.resolve(conn, kinds, pause)
        found = batch.recompute(conn, pause)
    return batch.merge(conn, found, pause)


def _log_run(conn: Connection, started_at: datetime, changes: int, written: batch.Written) -> None:
    conn.execute(
        "INSERT INTO projector.runs (kind, started_at, finished_at, outcome, changes, leads, messages)"
        " VALUES ('refresh', %s, clock_timestamp(), 'done', %s, %s, %s)",
        (started_at, changes, written.leads, written.messages),
    )


def _set_aside(conn: Connection, shard: int, *, wait: bool) -> None:
    """Take the oldest change of a shard alone; where it fails again, split it or set its only key aside."""
    for limits in ({"singles": 1, "pieces": 0}, {"singles": 0, "pieces": 1}):
        tried: list[int] = []
        try:
            retrying(lambda limits=limits, tried=tried: _take_one(conn, shard, limits, tried, wait=wait))  # type: ignore[misc]
        except psycopg.Error as error:
            if not is_lead_failure(error):
                raise
            with conn.transaction():
                opened = _open_batch(conn, [shard], wait=True)
                _take(conn, opened, limits, batch.no_pause)
                if _staged_ids(conn) != tried:
                    # Another refresh was quicker: what is the oldest now has not failed yet.
                    raise psycopg.Rollback from None
                _split_or_bury(conn, error)


def _take_one(conn: Connection, shard: int, limits: dict[str, int], tried: list[int], *, wait: bool) -> None:
    with conn.transaction():
        opened = _open_batch(conn, [shard], wait=wait)
        if not opened.owned:
            return
        taken = _take(conn, opened, limits, batch.no_pause)
        tried[:] = _staged_ids(conn)
        if taken.spreads:
            conn.execute(statement("take", "spread_changes"))
        if taken.changes:
            _log_run(conn, opened.started_at, taken.changes, _recompute(conn, taken.kinds))


def _staged_ids(conn: Connection) -> list[int]:
    return [row[0] for row in conn.execute("SELECT change_id FROM stage_changes").fetchall()]


def _split_or_bury(conn: Connection, error: psycopg.Error) -> None:
    for kind, keys in conn.execute("SELECT kind, keys FROM stage_changes").fetchall():
        if len(keys) > 1:
            conn.execute(statement("dead_letters", "split_change"))
        else:
            _bury(conn, kind if kind in ("contacts", "template_sends") else "resync", keys[0], error)


def _bury(conn: Connection, kind: str, key: str, error: psycopg.Error) -> None:
    text = _first_line(error)
    conn.execute(statement("dead_letters", "upsert_dead_letter"), {"kind": kind, "key": key, "error": text})
    _count_dead_letters(conn)
    _log.error("set aside as a dead letter", kind=kind, key=key, error=text)


def _count_dead_letters(conn: Connection) -> None:
    for name in ("count_dead_letters", "clear_dead_letter_counts"):
        conn.execute(steps("dead_letters")[name])


def _retry_dead_letter(conn: Connection, kind: str, key: str) -> None:
    with conn.transaction():
        # While the letter stands, takes drop the changes of its key: none may happen between this recompute and its
        # end.
        for shard in locks.SHARDS:
            conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (locks.SHARD, shard))
        # The row lock keeps two refreshes from retrying one letter at once.
        letter = conn.execute(
            "SELECT FROM projector.dead_letters WHERE kind = %s AND key = %s FOR UPDATE SKIP LOCKED",
            (kind, key),
        ).fetchone()
        if letter is None:
            return
        batch.clear_stage(conn)
        conn.execute(
            "INSERT INTO stage_changes (change_id, shard, kind, keys) VALUES (0, 0, %s, ARRAY[%s])",
            (kind, key),
        )
        _recompute(conn, {kind}, retried=(kind, key))
        conn.execute("DELETE FROM projector.dead_letters WHERE kind = %s AND key = %s", (kind, key))
        _count_dead_letters(conn)


def retrying(work: Callable[[], _Result]) -> _Result:
    """Do the work again where it collided with another transaction: nothing of it was written."""
    for attempt in range(_RETRIES):
        try:
            return work()
        except _COLLISIONS:
            pass
        except psycopg.errors.UniqueViolation as error:
            if error.diag.schema_name != "projector":
                raise
        time.sleep(0.01 * 2**attempt)
    try:
        return work()
    except _COLLISIONS as error:
        raise BlockedError(
            f"A batch collided {_RETRIES} times with other sessions: {_first_line(error)}"
        ) from error


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).splitlines()[0]
