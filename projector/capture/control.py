"""Install the triggers again after a gap, and switch capture off and on for an operator."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from projector.capture import gaps, source_changes, triggers
from projector.capture.source import captured_tables, find_missing_source
from projector.database import locks, rows
from projector.database.connect import transaction_with_lock_timeout
from projector.database.retry import lock_timeouts, retry
from projector.database.rows import Connection
from projector.database.sql import query
from projector.report.errors import SourceMissingError

_LOCK_TIMEOUT = "200ms"


def reinstall(conn: Connection, *, patience: float = triggers.PATIENCE_SECONDS) -> None:
    """Open a gap if triggers are missing or changed, install them, and note that open gaps are ready to close.

    It also notes the platform's present columns and partitions. A rebuild that begins after this call covers what was
    missed. The plan of an interrupted rebuild is deleted, because its finished part may lack that. Does nothing while
    an operator has switched capture off.

    `patience` is how many seconds to wait for other sessions. Raises BlockedError if they take longer.
    """
    with _only_session(conn, patience):
        if gaps.switched_off(conn) is not None:
            return
        reason = gaps.find_gap(conn)
        if reason is not None and rows.value(conn, query("capture", "was_installed")):
            if not gaps.gaps_without_triggers(conn):
                gaps.open_gap(conn, reason)
            # Replacing its function changes a trigger too.
            with conn.transaction():
                triggers.create_functions(conn)
        gap_ids = gaps.gaps_without_triggers(conn)
        triggers.install(conn, patience=patience)
        if gap_ids and gaps.switched_off(conn) is None:
            with conn.transaction():
                source_changes.note_source(conn, captured_tables(conn), again=True)
                conn.execute(query("sweep", "forget_sweep"), {"purpose": "rebuild"})
                conn.execute(query("capture", "note_gaps", moment="reinstalled_at"), {"gap_ids": gap_ids})


def switch_off(conn: Connection, reason: str) -> None:
    """Drop the triggers on purpose. Until capture is switched on again, the read model does not change, and says so."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = f"capture was switched off on {stamp}: {reason}"
    conn.execute(query("database", "note_setting"), {"name": "capture_off", "value": text})
    with _only_session(conn, triggers.PATIENCE_SECONDS):
        gaps.open_gap(conn, text)
        triggers.uninstall(conn)


def switch_on(conn: Connection) -> None:
    """Install the triggers again. The gap stays open until a refresh or the scheduler has healed it.

    Raises SourceMissingError if a table or a column of the platform is missing.
    """
    missing = find_missing_source(conn)
    if missing:
        raise SourceMissingError(
            f"The platform's tables are not all there: {'; '.join(missing)}. Capture stays off: try again once that is"
            " back; if a table has moved to another schema, run migrate --source-schema NAME first."
        )
    conn.execute(query("capture", "note_switched_on"))
    reinstall(conn)


@contextmanager
def _only_session(conn: Connection, patience: float) -> Iterator[None]:
    """Be the only session that changes triggers, so that the one that notes gaps as ready has installed them all.

    Raises BlockedError if another session takes more than `patience` seconds.
    """
    with ExitStack() as held:
        # The session keeps the lock beyond this transaction. It waits in PostgreSQL, so that operators see the wait.
        take = transaction_with_lock_timeout(conn, _LOCK_TIMEOUT)(
            lambda: held.enter_context(locks.session_lock(conn, locks.MIGRATION))
        )
        message = "Another session is changing the triggers. Try again when it has ended."
        retry(take, lock_timeouts(patience, message))
        yield
