"""A look at the queue between two batches: whether there is anything to do, and how fresh the read model is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import TupleRow, class_row, scalar_row

from projector.core.preconditions import require_version
from projector.database import locks
from projector.database.sql import PROJECTION_VERSION, query
from projector.report.errors import CaptureGapError

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found, as the query `look` of sql/queries/look.sql returns it."""

    has_changes: bool
    gap: str | None
    migrated_version: str | None
    freshness_frozen: bool
    has_letters: bool
    fresh_until: datetime | None
    is_fed: bool


def has_changes(conn: Connection) -> bool:
    """Return whether a change waits, and look at nothing else."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(query("look", "has_changes"), {"shards": list(locks.SHARDS)}).fetchone())


def look(conn: Connection, at_least: timedelta) -> Look:
    """Look at everything that a batch looks at. Move freshness where nothing waits, if it is `at_least` so old.

    The connection is in autocommit mode: the clock has to be read before the snapshot.

    Raises CaptureGapError if capture is not intact, and NotInstalledError if another projection version has migrated.
    """
    parameters = {"shard_class": locks.SHARD, "shards": list(locks.SHARDS)}
    # One statement, so that a projector with nothing to do asks little.
    text = query("look", "look_and_advance", looked=query("look", "look").rstrip(";"))
    wanted = {**parameters, "version": PROJECTION_VERSION, "at_least": at_least}
    with conn.cursor(row_factory=class_row(Look)) as cursor:
        found = cursor.execute(text, wanted).fetchone()
    if found is None:
        raise AssertionError
    require_version(found.migrated_version)
    if found.gap is not None:
        raise CaptureGapError(found.gap)
    return found
