"""Rebuild: every lead from its source rows, whatever the read model held, while readers go on.

Everything is built beside and swapped in (projector.beside). Some tenants, or everything where a swap would break
something, are done in place: tenant by tenant, in chunks that are computed and merged as a refresh does it, under the
same locks. Changes that arrive meanwhile stay in the queue and commute. How far it came is stored with each chunk, so
that an interrupted rebuild goes on where it was.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import psycopg
import structlog
from psycopg.rows import TupleRow

from projector import batch, beside, locks
from projector.errors import BlockedError, RebuildFailedError
from projector.migrate import PROJECTION_VERSION
from projector.progress import Progress
from projector.refresh import is_lead_failure, require_installed, require_tenants, retrying
from projector.report import RunReport
from projector.statements import statement, steps

Connection = psycopg.Connection[TupleRow]
_Found = TypeVar("_Found")

CHUNK = 500
"""Leads that are recomputed in one transaction: a quarter of a second, in which no other merge of the tenant runs."""

_SOURCE_PATIENCE = 60.0

_log = structlog.get_logger(__name__)


def rebuild(  # noqa: PLR0913  # How it is done is for tests and the scheduler to say.
    conn: Connection,
    *,
    tenants: Sequence[str] | None,
    progress: Progress,
    resume: bool = False,
    in_place: bool = False,
    patience: float = beside.SWAP_PATIENCE,
    pause: batch.Pause = batch.no_pause,
) -> RunReport:
    """Rebuild the given tenants, or everything; with `resume`, go on with a rebuild that was interrupted.

    Raises RebuildFailedError at the first lead that cannot be projected: unlike a refresh, a rebuild is strict.
    """
    started = time.monotonic()
    require_installed(conn)
    if tenants is not None:
        require_tenants(conn, tenants)
    if not try_lock(conn):
        raise BlockedError(
            "Another rebuild is under way: wait until `status` says that it has ended, then try again."
        )
    written = None
    try:
        batch.prepare_session(conn)
        if tenants is None and not in_place and not (resume and _is_planned(conn)):
            try:
                written = _rebuild_beside(conn, progress, pause, patience)
            except beside.CannotSwapError as reason:
                _log.warning("rebuilding in place, tenant by tenant", reason=str(reason))
        if written is None:
            written = _rebuild_in_place(conn, tenants, progress, resume=resume, pause=pause)
    finally:
        if not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s, 0)", (locks.REBUILD,))
    return RunReport("rebuild", time.monotonic() - started, written.leads, written.messages)


def try_lock(conn: Connection) -> bool:
    """Own the right to rebuild, for the session; false where another session does."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s, 0)", (locks.REBUILD,)).fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, slots=True)
class _Run:
    """A rebuild under way: its row in the run log, and who watches it."""

    run_id: int
    progress: Progress
    pause: batch.Pause


def _rebuild_in_place(
    conn: Connection, tenants: Sequence[str] | None, progress: Progress, *, resume: bool, pause: batch.Pause
) -> batch.Written:
    conn.execute(statement("rebuild", "create_wrong_keys"), prepare=False)
    _plan(conn, tenants, resume=resume)
    planned = conn.execute(
        "SELECT user_id, coalesce(cursor_phone, ''), requested_at FROM projector.rebuild_tenants"
        " WHERE CASE WHEN %(tenants)s::text[] IS NULL THEN whole_rebuild ELSE user_id = ANY(%(tenants)s) END"
        " ORDER BY user_id",
        {"tenants": None if tenants is None else list(tenants)},
    ).fetchall()
    since = min((requested_at for _, _, requested_at in planned), default=_clock(conn))
    total = _count_leads(conn, [user_id for user_id, _, _ in planned])
    run = _Run(_open_run(conn, tenants, total), progress, pause)
    progress.start("rebuild", total, "leads")
    leads = messages = 0
    with _logged(conn, run.run_id):
        for user_id, cursor, _ in planned:
            written = _rebuild_tenant(conn, user_id, cursor, run)
            leads, messages = leads + written.leads, messages + written.messages
        if tenants is None:
            _note_built(conn, since)
    progress.finish()
    return batch.Written(leads, messages)


def _rebuild_beside(
    conn: Connection, progress: Progress, pause: batch.Pause, patience: float
) -> batch.Written:
    run_id = _open_run(conn, None, None)
    since = _clock(conn)
    with _logged(conn, run_id):
        written = beside.rebuild_beside(conn, progress, pause=pause, patience=patience)
        conn.execute("DELETE FROM projector.rebuild_tenants")
        conn.execute(
            "UPDATE projector.runs SET leads = %s, messages = %s WHERE run_id = %s",
            (written.leads, written.messages, run_id),
        )
        _note_built(conn, since)
    return written


@contextmanager
def _logged(conn: Connection, run_id: int) -> Iterator[None]:
    """Say in the run log how the rebuild ended; what stopped it, in words for an operator."""
    try:
        yield
    except psycopg.Error as error:
        if conn.closed:
            raise
        note = error.diag.message_primary or str(error)
        is_canceled = isinstance(error, psycopg.errors.QueryCanceled)
        _close_run(conn, run_id, "interrupted" if is_canceled else "failed", note)
        if not is_lead_failure(error):
            raise
        raise RebuildFailedError(
            f"The rebuild stopped: {note}. The read model serves what it held. Mend that row, and start it again."
        ) from error
    except BaseException as error:
        if not conn.closed:
            _close_run(conn, run_id, "interrupted", str(error) or None)
        raise
    _close_run(conn, run_id, "done", None)


def _note_built(conn: Connection, since: datetime) -> None:
    """Say that everything was built from what was committed before that moment, or later."""
    with conn.transaction():
        conn.execute(
            "UPDATE read_model.projection SET version = %s, built_at = clock_timestamp()",
            (PROJECTION_VERSION,),
        )
        # All shards at once: while one of them had no time, the others would speak for it.
        conn.execute(
            "INSERT INTO read_model.freshness (as_of, shards)"
            " SELECT %(since)s, array_fill(%(since)s, ARRAY[%(shards)s]) ON CONFLICT DO NOTHING",
            {"since": since, "shards": len(locks.SHARDS)},
        )


def _clock(conn: Connection) -> datetime:
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    if row is None:
        raise AssertionError
    moment: datetime = row[0]
    return moment


def _is_planned(conn: Connection) -> bool:
    """Whether an interrupted rebuild in place waits to go on."""
    return (
        conn.execute("SELECT FROM projector.rebuild_tenants WHERE whole_rebuild LIMIT 1").fetchone()
        is not None
    )


def rebuild_leads(conn: Connection, user_id: str, customer_phones: Sequence[str]) -> batch.Written:
    """Recompute these leads of a tenant whole, in one transaction: how a verify heals."""
    batch.prepare_session(conn)
    return retrying(lambda: _rebuild_leads(conn, user_id, customer_phones, batch.no_pause))


def rebuild_keys(conn: Connection, user_id: str) -> batch.Written:
    """Mend the key tables of a tenant, and with them the leads that a wrong key had kept stale."""
    conn.execute(statement("rebuild", "create_wrong_keys"), prepare=False)

    def find() -> None:
        conn.execute("TRUNCATE wrong_keys")
        conn.execute(statement("rebuild", "find_wrong_keys"), {"user_id": user_id})

    read_source(conn, find)
    leads = messages = 0
    while True:
        written = retrying(lambda: _rebuild_wrong_keys(conn))
        if written is None:
            return batch.Written(leads, messages)
        leads, messages = leads + written.leads, messages + written.messages


def heal_stats(conn: Connection, user_id: str) -> None:
    """Make the statistics of a tenant what its leads add up to."""

    def heal() -> None:
        with conn.transaction():
            _lock_tenant(conn, user_id)
            for name, text in steps("rebuild").items():
                if "stats" in name:
                    conn.execute(text, {"user_id": user_id})

    retrying(heal)


def _plan(conn: Connection, tenants: Sequence[str] | None, *, resume: bool) -> None:
    """Write down what is to be done, so that it outlives this process."""
    if resume and _is_planned(conn):
        return
    wanted = find_tenants(conn) if tenants is None else tenants
    with conn.transaction():
        # A plan for everything outlives a rebuild of some tenants: these are done then, for it as well.
        conn.execute(
            "DELETE FROM projector.rebuild_tenants WHERE %s OR NOT whole_rebuild", (tenants is None,)
        )
        conn.execute(
            "INSERT INTO projector.rebuild_tenants (user_id, whole_rebuild, requested_at)"
            " SELECT DISTINCT t, %s, now() FROM unnest(%s::text[]) AS t"
            " ON CONFLICT (user_id) DO UPDATE SET cursor_phone = NULL",
            (tenants is None, list(wanted)),
        )


def find_tenants(conn: Connection) -> list[str]:
    """The tenants that the source or the read model knows, in order."""
    return read_source(
        conn, lambda: [row[0] for row in conn.execute(statement("rebuild", "find_tenants")).fetchall()]
    )


def read_source(conn: Connection, read: Callable[[], _Found]) -> _Found:
    """Read several of the platform's tables in a transaction, and give way to whoever holds one of them."""

    def limited() -> _Found:
        with conn.transaction():
            batch.limit_lock_waits(conn)
            return read()

    return give_way(limited)


def give_way(read: Callable[[], _Found]) -> _Found:
    """Do the work, whose waits for locks are limited, again where somebody holds one of the platform's tables.

    Raises BlockedError where that takes longer than a minute.
    """
    deadline = time.monotonic() + _SOURCE_PATIENCE
    while True:
        try:
            return read()
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() > deadline:
                raise BlockedError(
                    f"The platform's tables could not be read in {_SOURCE_PATIENCE:.0f} s: another session holds one."
                    " See pg_stat_activity for long transactions, and try again when they have ended."
                ) from error
        time.sleep(0.2)


def _rebuild_tenant(conn: Connection, user_id: str, cursor: str, run: _Run) -> batch.Written:
    mended = rebuild_keys(conn, user_id)
    leads, messages = 0, mended.messages
    after = cursor
    while True:
        found = conn.execute(
            statement("rebuild", "find_leads"), {"user_id": user_id, "after": after, "size": CHUNK}
        ).fetchall()
        if not found:
            break
        phones = [row[0] for row in found]
        written = retrying(
            lambda phones=phones: _rebuild_leads(conn, user_id, phones, run.pause, run.run_id)  # type: ignore[misc]
        )
        leads, messages = leads + written.leads, messages + written.messages
        run.progress.advance(len(phones))
        after = phones[-1]
    heal_stats(conn, user_id)
    conn.execute("DELETE FROM projector.rebuild_tenants WHERE user_id = %s", (user_id,))
    return batch.Written(leads, messages)


def _rebuild_leads(
    conn: Connection,
    user_id: str,
    customer_phones: Sequence[str],
    pause: batch.Pause,
    run_id: int | None = None,
) -> batch.Written:
    with conn.transaction():
        batch.clear_stage(conn)
        _lock_tenant(conn, user_id)
        pause("locked")
        conn.execute(
            statement("rebuild", "stage_whole_leads"),
            {"user_id": user_id, "customer_phones": list(customer_phones)},
        )
        with batch.together(conn, pause):
            batch.resolve_locked(conn, ())
            found = batch.recompute(conn, pause)
        written = batch.merge(conn, found, pause)
        if run_id is not None:
            conn.execute(
                "UPDATE projector.rebuild_tenants SET cursor_phone = %s WHERE user_id = %s",
                (customer_phones[-1], user_id),
            )
            conn.execute(
                "UPDATE projector.runs SET leads = leads + %s, messages = messages + %s WHERE run_id = %s",
                (len(customer_phones), written.messages, run_id),
            )
    return written


def _rebuild_wrong_keys(conn: Connection) -> batch.Written | None:
    with conn.transaction():
        batch.clear_stage(conn)
        staged = conn.execute(statement("rebuild", "take_wrong_keys"), {"size": CHUNK})
        if not staged.rowcount:
            return None
        with conn.pipeline():
            conn.execute(
                statement("take", "collect_stale_keys"),
                {"retried_kind": None, "retried_key": None, "strict": True},
            )
            batch.resolve(conn, ("contacts", "template_sends"))
            found = batch.recompute(conn)
        return batch.merge(conn, found)


def _lock_tenant(conn: Connection, user_id: str) -> None:
    conn.execute("INSERT INTO stale_tenants (user_id) VALUES (%s)", (user_id,))
    batch.lock_tenants(conn)


def _count_leads(conn: Connection, tenants: Sequence[str]) -> int:
    """About how many leads there are to do."""

    def count() -> int:
        row = conn.execute(
            "SELECT greatest((SELECT count(*) FROM read_model.leads WHERE user_id = ANY(%(tenants)s)),"
            " (SELECT count(*) FROM conversations JOIN agents USING (agent_id)"
            "  WHERE agents.user_id = ANY(%(tenants)s)))",
            {"tenants": list(tenants)},
        ).fetchone()
        return 0 if row is None else row[0]

    return read_source(conn, count)


def _open_run(conn: Connection, tenants: Sequence[str] | None, total: int | None) -> int:
    row = conn.execute(
        "INSERT INTO projector.runs (kind, started_at, tenants, leads_total)"
        " VALUES ('rebuild', clock_timestamp(), %s, %s) RETURNING run_id",
        (None if tenants is None else list(tenants), total),
    ).fetchone()
    if row is None:
        raise AssertionError
    run_id: int = row[0]
    return run_id


def _close_run(conn: Connection, run_id: int, outcome: str, note: str | None) -> None:
    conn.execute(
        "UPDATE projector.runs SET outcome = %s, note = %s, finished_at = clock_timestamp() WHERE run_id = %s",
        (outcome, note, run_id),
    )
