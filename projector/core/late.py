"""Mass changes: find the leads that they concern, and apply them piece by piece.

A trigger knows no tenant, so a row of the queue holds back the moment of all tenants. A mass change does so only until
its leads are found: its keys are moved to projector.late_keys, a slice at a time, and from then on hold back only their
own tenants. Then they are read again a piece at a time, one tenant after another. Between two slices or pieces a
projector takes the single changes, which therefore wait for at most one of them.

Single changes that make a batch fail are moved too: as late keys they delay only their own tenant, and are found there
by taking fewer and fewer keys. A key whose lead cannot be looked up is set aside at once.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import structlog
from psycopg.rows import TupleRow

from projector.core import names, pipeline, staging
from projector.core.batch import (
    ONE_KEY_TIMEOUT,
    STATEMENT_TIMEOUT,
    Batch,
    Taken,
    analyze_if_outgrown,
    count_dead_letters,
    expand_changes,
    failure,
    follow_dead_letters,
    log_run,
    open_batch,
    own_shards,
    recompute,
    set_malformed_keys_aside,
    take_changes,
)
from projector.core.blocking import cancel_if_blocking
from projector.core.dead_letters import set_aside, set_unreadable_aside
from projector.core.faults import find_row_failure
from projector.core.pipeline import BatchResult
from projector.core.preconditions import require_migrated_version
from projector.database import locks, rows
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import query, statement
from projector.report.errors import BlockedError

SLICE_BYTES = 250_000
"""Bytes of keys that one transaction looks up: some five thousand keys, in about a tenth of a second."""

SLICE_ROWS = 5_000
"""The same in rows, for a mass change that was queued row by row."""

CAREFUL_CHANGES, CAREFUL_BYTES = 25, 5_000
"""The same for changes with an unreadable row: each key is read alone, in about a millisecond."""

PIECE_SECONDS = 0.1
"""How long a piece should take, during which no other batch of its tenants runs."""

SMALLEST_PIECE, FIRST_PIECE, LARGEST_PIECE = 200, 400, 5_000
"""Keys of a piece, unless a piece fails."""

OTHERS_PAUSE_SECONDS = 0.05
"""How long to wait before checking again whether other sessions have done their late keys."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_log = structlog.get_logger(__name__)


def defer_changes(
    conn: Connection, shards: Sequence[int], *, mass: bool, size: int = SLICE_ROWS, wait: bool = False
) -> Batch | None:
    """Find the leads of the next changes of these shards, and leave their keys to `LateKeys`.

    With `mass` it takes mass changes, else single ones; at most `size` of each shard. Without `wait` it leaves shards
    to the sessions that own them, and returns None if other sessions own all. Raises as open_batch does.
    """
    limits = {"statement_timeout": STATEMENT_TIMEOUT}

    def once(
        most: int = size, most_bytes: int = SLICE_BYTES, careful: psycopg.Error | None = None
    ) -> Batch | None:
        with conn.transaction():
            opened = open_batch(conn, shards, wait=wait)
            if not opened.owned:
                return None
            conn.execute(statement("refresh/2_lock/10_limit_lock_waits"), limits)
            taken = take_changes(conn, opened, most, mass=mass, most_bytes=most_bytes // len(opened.owned))
            pieces = _expand(conn, taken, careful)
            with cancel_if_blocking(conn):
                conn.execute(statement("refresh/2_lock/30_allow_lock_waits"))
                conn.execute(statement("refresh/1_take/55_wait_for_batches"), {"lock_class": locks.TENANT})
                conn.execute(statement("refresh/2_lock/10_limit_lock_waits"), limits)
                pipeline.run_steps(conn, "refresh/1_take/60_defer_changes", {"careful": careful is not None})
            if careful is not None:
                follow_dead_letters(conn, are_new=True)
            elif taken.has_malformed_keys:
                count_dead_letters(conn)
            if taken.names:
                names.write_taken(conn)
            conn.execute(statement("refresh/2_lock/30_allow_lock_waits"))
            moment = rows.value(conn, query("core", "read_moment"), {"shards": opened.owned})
            note_late = statement("refresh/1_take/65_note_late_tenants")
            conn.execute(note_late, {"moment": moment})
            if rows.value(conn, query("core", "hold_set_backs")) != opened.set_backs:
                conn.execute(note_late, {"moment": _EPOCH})
            conn.execute(statement("refresh/8_write_leads/99_note_swapped_source"))
            pipeline.test_point("deferred")
            if taken.changes:
                log_run(conn, opened.started_at, BatchResult(), changes=taken.changes)
            return Batch(opened.owned, taken.changes, pieces=pieces)

    try:
        return retry(once, *BATCH)
    except (psycopg.Error, BlockedError) as error:
        failed = find_row_failure(conn, error)
        _log.warning("changes cannot be looked up, and each is read alone", **failure(failed))
        return retry(lambda: once(min(size, CAREFUL_CHANGES), CAREFUL_BYTES, failed), *BATCH)


def _expand(conn: Connection, taken: Taken, careful: psycopg.Error | None) -> int:
    """Expand the taken changes; return the number of rows. After the error `careful`, set aside unreadable keys."""
    if careful is not None:
        set_unreadable_aside(conn, careful)
        taken.has_dead_letters = taken.has_malformed_keys = True
    pieces = expand_changes(conn) if taken.needs_expansion else 0
    if careful is not None and taken.needs_expansion:
        set_unreadable_aside(conn, careful)
    return pieces


def defer_mass_changes(conn: Connection) -> None:
    """Find the leads of all mass changes that wait."""
    while (done := defer_changes(conn, locks.SHARDS, mass=True, wait=True)) and done.changes:
        pass


@dataclass(slots=True)
class TakenLateKeys:
    """The row of sql/refresh/1_take/70_take_late_keys.sql."""

    changes: int
    user_id: str | None
    customer_phone: str | None
    oldest: datetime | None
    has_malformed_keys: bool
    has_dead_letters: bool


class LateKeys:
    """Takes late keys piece by piece: it remembers its position in each tenant, and how many keys to take at once.

    After a piece has failed, it takes half as many keys of that tenant alone, until a single key fails. That key
    becomes a dead letter; with `strict` its error is raised, and nothing is set aside.

    Only the tenants `served` have leads already, so the pieces of others are large; None stands for all tenants.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        piece_seconds: float = PIECE_SECONDS,
        served: Collection[str] | None = None,
    ) -> None:
        self._strict = strict
        self._piece_seconds = piece_seconds
        self._served = served
        self.may_be_late = True
        """Whether a tenant may be late."""
        self.may_fail = False
        """Whether keys of a failed batch or piece may be late. A statement for a single key then has one second."""
        self._size = FIRST_PIECE
        self._after = ""
        self._phones: dict[str, str] = {}
        self._limits: dict[str, int] = {}
        # The piece in progress: its first tenant, the number of its keys, and the key if it is a single one.
        self._tenant = ""
        self._taken = 0
        self._staged: list[TupleRow] = []

    def take_piece(self, conn: Connection) -> Batch | None:
        """Do the next piece; return None if there are no late keys, or only ones that other sessions work on.

        Raises as open_batch does.
        """
        began_at = time.monotonic()
        try:
            done = retry(lambda: self._take(conn), *BATCH)
        except (psycopg.Error, BlockedError) as error:
            self._isolate(conn, find_row_failure(conn, error))
            return Batch((), 0)
        if done is None:
            self._phones.clear()
            self._limits.clear()
            return None
        self._adapt(time.monotonic() - began_at)
        analyze_if_outgrown(conn, BatchResult(done.leads, done.messages))
        return done

    def take_all(self, conn: Connection, note: Callable[[Batch], object]) -> None:
        """Do pieces until there are no late keys, wait for those of other sessions, and pass each piece to `note`."""
        while rows.value(conn, query("core", "has_late_keys")):
            done = self.take_piece(conn)
            if done is None:
                time.sleep(OTHERS_PAUSE_SECONDS)
            else:
                note(done)

    def end(self, conn: Connection, *, wait: bool = False) -> None:
        """End the lateness of the tenants that have no late keys left, unless another session owns a shard.

        Only an owner of a shard can make a tenant late, and the keys of a piece in progress are still there.
        """
        with conn.transaction():
            if own_shards(conn, locks.SHARDS, wait=wait).fetchone() != ([*locks.SHARDS],):
                return
            late = rows.values(conn, query("core", "find_late_tenants"))
            done = rows.values(conn, query("core", "find_done_tenants"), {"user_ids": late}) if late else []
            if done:
                conn.execute(query("core", "end_lateness"), {"user_ids": done})
        self.may_be_late = len(done) < len(late)
        self.may_fail = self.may_fail and self.may_be_late

    def _take(self, conn: Connection) -> Batch | None:
        with conn.transaction():
            require_migrated_version(conn)
            started_at = rows.value(conn, "SELECT now()")
            lock = {"shard_class": locks.SHARD, "late_keys": locks.LATE_KEYS}
            if not rows.value(conn, query("core", "share_late_keys"), lock):
                return None
            tenant = self._find_tenant(conn)
            if tenant is None:
                return None
            self.may_be_late = True
            self._tenant = tenant
            taken = self._stage(conn)
            pipeline.test_point("late_taken")
            # Strict unless dead letters were taken, as in a batch: see _take_and_recompute.
            timeout = ONE_KEY_TIMEOUT if taken.changes == 1 and self.may_fail and not self._strict else None
            strict = not taken.has_dead_letters
            written = recompute(conn, strict=strict, timeout=timeout) if taken.changes else BatchResult()
            if taken.has_dead_letters:
                follow_dead_letters(conn, are_new=taken.has_malformed_keys)
            if taken.changes:
                log_run(conn, started_at, written, late_keys=taken.changes)
        # All keys of this tenant after its last phone are done, unless the last key belongs to it.
        self._phones.pop(self._tenant, None)
        if taken.user_id is not None:
            self._phones[taken.user_id] = taken.customer_phone or ""
        self._after = _next(taken.user_id or self._tenant)
        return Batch(
            (),
            0,
            written.leads,
            written.messages,
            oldest=taken.oldest,
            keys=taken.changes,
            stale_keys=written.keys,
        )

    def _find_tenant(self, conn: Connection) -> str | None:
        for after in (self._after, ""):
            parameters = {"user_id": after, "late_class": locks.LATE_TENANT}
            tenant: str | None = rows.value(conn, query("core", "find_late_tenant"), parameters)
            if tenant is not None:
                return tenant
        return None

    def _stage(self, conn: Connection) -> TakenLateKeys:
        """Take keys of the tenant, and of the tenants after it up to one whose keys have failed."""
        staging.clear(conn)
        limit = self._limits.get(self._tenant)
        stops = {*self._limits, *(() if self._is_served() else self._served or ())}
        before = min((tenant for tenant in stops if tenant > self._tenant), default=None)
        parameters = {
            "user_id": self._tenant,
            "customer_phone": self._phones.get(self._tenant, ""),
            "before": before if limit is None else _next(self._tenant),
            "size": limit or (self._size if self._is_served() else LARGEST_PIECE),
        }
        taken = rows.only_row(conn, TakenLateKeys, statement("refresh/1_take/70_take_late_keys"), parameters)
        self._taken = taken.changes
        if taken.has_malformed_keys and not self._strict:
            set_malformed_keys_aside(conn)
            taken.has_dead_letters = True
        self._staged = conn.execute(query("core", "read_taken_keys")).fetchall() if taken.changes == 1 else []
        return taken

    def _is_served(self) -> bool:
        return self._served is None or self._tenant in self._served

    def _adapt(self, seconds: float) -> None:
        """Take twice as many keys of a tenant that has failed, or else as many as the intended time allows."""
        limit = self._limits.pop(self._tenant, None)
        if limit is not None:
            if limit * 2 < self._size:
                self._limits[self._tenant] = limit * 2
        elif self._taken >= self._size and self._is_served():
            size = self._size * min(max(self._piece_seconds / seconds, 0.5), 2.0)
            self._size = min(max(int(size), SMALLEST_PIECE), LARGEST_PIECE)

    def _isolate(self, conn: Connection, error: psycopg.Error) -> None:
        """Take half as many keys of this tenant from now on. A single key that fails is found."""
        # Other tenants come first.
        self._after = _next(self._tenant)
        self.may_fail = True
        if self._taken > 1:
            # A timeout goes to single keys at once, instead of timing out again and again.
            is_slow = isinstance(error, psycopg.errors.QueryCanceled)
            self._limits[self._tenant] = 1 if is_slow else self._taken // 2
            _log.warning("a piece failed and is tried in smaller parts", keys=self._taken, **failure(error))
            return
        if self._strict:
            raise error
        failed = self._staged
        self._limits[self._tenant] = 1
        with conn.transaction():
            require_migrated_version(conn)
            self._stage(conn)
            if self._staged != failed:
                # Another session was quicker: the key that is now first has not failed yet.
                raise psycopg.Rollback
            for kind, key in failed:
                set_aside(conn, kind, key, error)


def _next(text: str) -> str:
    """Return the next text in bytewise order; no text of PostgreSQL has a zero byte."""
    return f"{text}\x01"
