"""Erasure: take a tenant or a lead out of everything of ours, and do so again after a backup was restored.

The platform's rows come first: as long as some are there, the next refresh would bring back what was erased. What was
erased is in a ledger of hashes, written before anything is deleted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from projector.core import pipeline
from projector.core.pipeline import Connection, InjectionPoint, no_injection_point
from projector.core.preconditions import is_built, require_installed
from projector.core.refresh import refresh
from projector.database import locks
from projector.database.sql import query
from projector.operate.erase import files, ledger
from projector.operate.erase.ledger import Synchronized, find_matches, synchronize
from projector.operate.erase.standing import Target, require_no_standing_rows
from projector.operate.erase.sweep import Held, count_held, delete_everything
from projector.report.errors import BlockedError, CaptureGapError, ErasureRefusedError
from projector.report.progress import Progress

__all__ = [
    "Held",
    "Replayed",
    "Synchronized",
    "Target",
    "check_erase",
    "erase",
    "find_matches",
    "find_target",
    "replay",
    "rewrite_files",
    "synchronize",
]

rewrite_files = files.rewrite_files


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay erased, and why it did not erase the others."""

    erased: list[Target]
    refused: list[ErasureRefusedError]


def find_target(conn: Connection, user_id: str, phone: str | None) -> Target | None:
    """Return the target with the phone in its canonical form; None if the phone is blank."""
    require_installed(conn)
    if phone is None:
        return Target(user_id)
    row = conn.execute(query("erasure", "canonical_phone"), {"phone": phone}).fetchone()
    return None if row is None or row[0] is None else Target(user_id, row[0])


def check_erase(conn: Connection, target: Target) -> Held:
    """Return how much the read model has of the target.

    Raises ErasureRefusedError, which lists them, while rows of the source would bring it back.
    """
    require_no_standing_rows(conn, target)
    return count_held(conn, target)


def erase(
    conn: Connection,
    target: Target,
    *,
    progress: Progress,
    ledger_file: Path | None = None,
    point: InjectionPoint = no_injection_point,
) -> None:
    """Delete everything of ours about a tenant or a lead.

    Raises ErasureRefusedError while rows of the source would bring it back, LedgerError where the file of the ledger
    cannot be used, and BlockedError while another session rebuilds.
    """
    require_no_standing_rows(conn, target)
    with _exclusively(conn):
        erasure_id = ledger.note(conn, target)
        if ledger_file is not None:
            synchronize(conn, ledger_file)
        _drain(conn, progress)
        _erase(conn, target, erasure_id, progress, point)
        files.renew_statistics(conn)


def replay(conn: Connection, *, progress: Progress) -> Replayed:
    """Erase again whatever the ledger names and is there again. What the source still has is left, and reported.

    Raises BlockedError while another session rebuilds.
    """
    replayed = Replayed([], [])
    with _exclusively(conn):
        _drain(conn, progress)
        for erasure_id, target in find_matches(conn):
            try:
                _erase(conn, target, erasure_id, progress, no_injection_point)
            except ErasureRefusedError as refused:
                replayed.refused.append(refused)
            else:
                replayed.erased.append(target)
        files.renew_statistics(conn)
    return replayed


def _erase(
    conn: Connection, target: Target, erasure_id: UUID, progress: Progress, point: InjectionPoint
) -> None:
    require_no_standing_rows(conn, target)
    delete_everything(conn, target, progress, point)
    ledger.finish(conn, erasure_id)


@contextmanager
def _exclusively(conn: Connection) -> Iterator[None]:
    """Keep rebuilds away, which would write back what they have read before."""
    pipeline.prepare_session(conn)
    with locks.try_session_lock(conn, locks.REBUILD) as is_ours:
        if not is_ours:
            raise BlockedError(
                "A rebuild or another erasure is under way: wait until `status` says that it has ended, then try again."
            )
        yield


def _drain(conn: Connection, progress: Progress) -> None:
    """Bring in what waits, the deletion of the source rows too, so that few keys in the queue are left to erase."""
    if not is_built(conn):
        return
    try:
        refresh(conn, retry_failed=False, progress=progress)
    except CaptureGapError:
        # A rebuild has to heal that. The erasure does not wait for it.
        return
