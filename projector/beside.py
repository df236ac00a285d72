"""Rebuild everything beside: compute a new read model in one pass, catch up with what changed, swap it in.

1. From now on refreshes note the changes that they take (projector.replay). Batches that may not know so yet are waited
   for.
2. One REPEATABLE READ snapshot of the source fills tables in the schema read_model_next; then their indexes are made.
3. The noted changes are applied there, by the steps of a refresh, until few are left.
4. With all shards owned, the last of them are applied and the tables change schemas: a few milliseconds in which
   readers wait. Behind a reader that holds a table the swap gives up its place at once and tries again, so that no
   other reader queues behind it.

Readers never see an empty or a half-built table. A reader in an older REPEATABLE READ snapshot would find the new
tables empty: the swap waits for such readers, for a while; the caller then rebuilds in place.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import structlog
from psycopg import sql
from psycopg.rows import TupleRow

from projector import batch, locks
from projector.progress import Progress
from projector.source import SOURCE_TABLES
from projector.statements import schema_sections, statement, steps

Connection = psycopg.Connection[TupleRow]

NEXT = "read_model_next"
OLD = "read_model_old"
READ_TABLES = (
    "leads",
    "lead_profiles",
    "lead_conversations",
    "lead_messages",
    "lead_counts",
    "lead_daily_counts",
    "lead_totals",
)
KEY_TABLES = ("conversation_keys", "contact_keys", "send_keys")

SWAP_PATIENCE = 600.0
"""Seconds for which a swap waits for old snapshots and for readers that hold a table."""

_SWAP_LOCK_TIMEOUT = "40ms"
# Longer than it takes until an autovacuum that is in the way gives up; no reader of the live tables waits behind it.
# It is longer, too, than it takes PostgreSQL to look for a deadlock: so whoever waits for a table holds no other.
_DROP_LOCK_TIMEOUT = "3s"
_FEW = 200
_BUILD_MEMORY = "64MB"
_BUILDS = 3

_log = structlog.get_logger(__name__)


class CannotSwapError(Exception):
    """Something hangs on the tables, or holds them, that a swap would break: rebuild in place instead."""


def rebuild_beside(
    conn: Connection, progress: Progress, *, pause: batch.Pause, patience: float
) -> batch.Written:
    """Rebuild everything and swap it in; the answer counts the leads and messages there are then."""
    dependent = conn.execute(statement("beside", "find_dependents"), {"tables": _live_tables()}).fetchone()
    if dependent is not None:
        raise CannotSwapError(f"{dependent[0]} depends on the tables of the read model")
    drop_leftovers(conn)
    _check_is_dropped(conn)
    try:
        _begin_replay(conn)
        pause("replaying")
        built = _build_steadily(conn, progress)
        pause("built")
        _create_indexes(conn, progress)
        pause("indexed")
        _swap(conn, built, pause, patience)
    finally:
        if not conn.closed:
            conn.execute("SELECT set_config('enable_seqscan', 'off', false)")
            _end_replay(conn)
            drop_leftovers(conn)
    row = conn.execute(
        "SELECT (SELECT count(*) FROM read_model.leads), (SELECT count(*) FROM read_model.lead_messages)"
    ).fetchone()
    return batch.Written(*row) if row else batch.Written(0, 0)


def drop_leftovers(conn: Connection) -> None:
    """Drop what an earlier swap or an interrupted rebuild left; old tables that are still read stay for later."""
    conn.execute("DROP TABLE IF EXISTS pg_temp.contained_changes")
    for schema in (NEXT, OLD):
        if not _drop(conn, schema):
            _log.info("old tables are still read and stay for now", schema=schema)


def _drop(conn: Connection, schema: str) -> bool:
    """Drop a schema with its tables, one at a time; false where another session holds one of them."""
    found = conn.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r' ORDER BY 1",
        (schema,),
    ).fetchall()
    drops = [sql.SQL("TABLE IF EXISTS {}").format(sql.Identifier(schema, name)) for (name,) in found]
    held = [not _drop_one(conn, drop) for drop in drops]
    return not any(held) and _drop_one(conn, sql.SQL("SCHEMA IF EXISTS {}").format(sql.Identifier(schema)))


def _drop_one(conn: Connection, what: sql.Composable) -> bool:
    try:
        with conn.transaction():
            conn.execute("SELECT set_config('lock_timeout', %s, true)", (_DROP_LOCK_TIMEOUT,))
            conn.execute(sql.SQL("DROP {} CASCADE").format(what))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _check_is_dropped(conn: Connection) -> None:
    """Raise CannotSwapError where the schema beside could not be dropped."""
    row = conn.execute("SELECT to_regnamespace(%s) IS NULL", (NEXT,)).fetchone()
    if row != (True,):
        raise CannotSwapError(f"another session holds tables of {NEXT}, which an earlier rebuild left")


def _begin_replay(conn: Connection) -> None:
    conn.execute("TRUNCATE projector.replay")
    conn.execute(
        "INSERT INTO projector.settings (name, value) VALUES ('rebuilding_beside', 'on') ON CONFLICT DO NOTHING"
    )
    # A batch that did not see the setting owns a shard. Once each was owned here, every later take notes its changes,
    # and what the earlier ones took was committed before the snapshot that follows.
    for shard in locks.SHARDS:
        with conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (locks.SHARD, shard))


def _end_replay(conn: Connection) -> None:
    conn.execute("DELETE FROM projector.settings WHERE name = 'rebuilding_beside'")
    conn.execute("TRUNCATE projector.replay")


def _build_steadily(conn: Connection, progress: Progress) -> str:
    """Build, and build again where the platform rewrote a table meanwhile: its rows may have been taken for none."""
    deadline = time.monotonic() + SWAP_PATIENCE
    builds = 0
    while builds < _BUILDS:
        before = source_files(conn)
        try:
            built = _build(conn, progress)
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() > deadline:
                raise CannotSwapError("another session holds a table of the platform") from error
            time.sleep(0.5)
            continue
        builds += 1
        if source_files(conn) == before:
            return built
        _log.warning("a source table was truncated or rewritten meanwhile: building again")
        drop_leftovers(conn)
        _check_is_dropped(conn)
    raise CannotSwapError("the platform keeps truncating or rewriting its tables")


def source_files(conn: Connection) -> list[str]:
    """Which files hold the source rows: others after a TRUNCATE or a rewrite, which no snapshot heeds."""
    tables = [table.name for table in SOURCE_TABLES]
    row = conn.execute(statement("beside", "find_source_files"), {"tables": tables}).fetchone()
    return [] if row is None else row[0]


def _build(conn: Connection, progress: Progress) -> str:
    """Fill the tables beside; the answer is the transaction that did it."""
    before = conn.isolation_level
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    work = steps("build")
    progress.start("rebuild: rows", len(work) + 1, "steps")
    try:
        with conn.transaction():
            batch.limit_lock_waits(conn)
            conn.execute("SELECT set_config('work_mem', %s, true)", (_BUILD_MEMORY,))
            conn.execute("SELECT set_config('enable_seqscan', 'on', true)")
            conn.execute("SELECT set_config('plan_cache_mode', 'auto', true)")
            _create_tables(conn)
            conn.execute(statement("beside", "note_contained"), prepare=False)
            for name, text in work.items():
                if name == "build_stats":
                    conn.execute(_compose(), prepare=False)
                    progress.advance(1)
                conn.execute(text, prepare=False)
                if name in _ANALYZED:
                    conn.execute(
                        sql.SQL("ANALYZE {}").format(sql.Identifier(NEXT, _ANALYZED[name])), prepare=False
                    )
                progress.advance(1)
            row = conn.execute("SELECT pg_current_xact_id()::xid::text").fetchone()
    finally:
        conn.isolation_level = before
        progress.finish()
    return row[0] if row else ""


# What later steps join: without statistics of it the planner would guess.
_ANALYZED = {
    "build_conversation_keys": "conversation_keys",
    "build_contact_keys": "contact_keys",
    "build_send_keys": "send_keys",
    "build_messages": "lead_messages",
    "build_conversations": "lead_conversations",
    "build_last_messages": "last_messages",
    "build_profiles": "lead_profiles",
}


def _create_tables(conn: Connection) -> None:
    """The tables of schema.sql in the schema beside, without their indexes and constraints."""
    for section, schema in (("read_model", "read_model"), ("keys", "projector")):
        text = re.sub(rf"\b{schema}\b(?=\.| IS |;)", NEXT, schema_sections()[section])
        conn.execute(text, prepare=False)
    conn.execute(
        sql.SQL("DROP TABLE {0}.tenants, {0}.freshness, {0}.projection").format(sql.Identifier(NEXT)),
        prepare=False,
    )
    conn.execute(
        sql.SQL(
            'CREATE TABLE {}.last_messages (user_id text COLLATE "C", customer_phone text COLLATE "C",'
            ' sender text COLLATE "C", text text COLLATE "C")'
        ).format(sql.Identifier(NEXT)),
        prepare=False,
    )
    for (drop,) in conn.execute(statement("beside", "find_index_drops"), {"schema": NEXT}).fetchall():
        conn.execute(drop, prepare=False)


def _compose() -> LiteralString:
    return batch.compose_statement(
        leads=sql.Identifier(NEXT, "leads"),
        profiles=sql.Identifier(NEXT, "lead_profiles"),
        conversations=sql.Identifier(NEXT, "lead_conversations"),
        last_messages=sql.Identifier(NEXT, "last_messages"),
    )


def _create_indexes(conn: Connection, progress: Progress) -> None:
    """The indexes and keys that the live tables have, on the tables beside; statistics of them."""
    creates = conn.execute(
        statement("beside", "find_index_creates"),
        {"tables": _live_tables()},
    ).fetchall()
    progress.start("rebuild: indexes", len(creates), "indexes")
    conn.execute("SELECT set_config('maintenance_work_mem', %s, false)", (_BUILD_MEMORY,))
    for (create,) in creates:
        text = re.sub(r"\b(read_model|projector)\.", f"{NEXT}.", create)
        conn.execute(text, prepare=False)
        progress.advance(1)
    for name in (*READ_TABLES, *KEY_TABLES):
        conn.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(NEXT, name)), prepare=False)
    conn.execute(
        "SELECT set_config('maintenance_work_mem', reset_val, false) FROM pg_settings"
        " WHERE name = 'maintenance_work_mem'"
    )
    for (grant,) in conn.execute(
        statement("beside", "find_grants"),
        {"tables": [f"read_model.{name}" for name in READ_TABLES], "schema": NEXT, "name": None},
    ).fetchall():
        conn.execute(grant, prepare=False)
    _give_to_owners(conn)
    progress.finish()


def _live_tables() -> list[str]:
    """The tables that a swap replaces."""
    return [f"read_model.{name}" for name in READ_TABLES] + [f"projector.{name}" for name in KEY_TABLES]


def _give_to_owners(conn: Connection) -> None:
    """Let the tables beside belong to whom the live ones do: a rebuild by somebody else must not take them away."""
    owned = conn.execute(
        statement("beside", "find_owners"), {"tables": _live_tables(), "schema": NEXT}
    ).fetchall()
    try:
        for (command,) in owned:
            conn.execute(command, prepare=False)
    except psycopg.errors.InsufficientPrivilege as error:
        raise CannotSwapError("the tables of the read model belong to another role") from error


def _swap(conn: Connection, built: str, pause: batch.Pause, patience: float) -> None:
    conn.execute("SELECT set_config('enable_seqscan', 'off', false)")
    deadline = time.monotonic() + patience
    waited = 0.01
    written = built
    while True:
        # A reader that was there before the round before is a long one: no need to hold refreshes up for it.
        before = written
        while True:
            changes, last = _replay(conn)
            written = last or written
            if changes <= _FEW:
                break
        pause("caught up")
        # The tables that make room take the place of those that an earlier swap moved aside.
        if not _old_snapshot(conn, before, built) and _drop(conn, OLD):
            written, is_swapped = _try_swap(conn, written, built, pause, waited)
            if is_swapped:
                return
        if time.monotonic() > deadline:
            raise CannotSwapError("an old snapshot, or a reader that holds a table, did not end in time")
        time.sleep(waited)
        waited = min(waited * 2, 0.5)


def _old_snapshot(conn: Connection, written: str, built: str) -> bool:
    """Whether a session reads in a snapshot that lacks rows which these transactions wrote beside, or earlier ones."""
    row = conn.execute(
        statement("beside", "find_old_snapshot"), {"written": written, "built": built}
    ).fetchone()
    return bool(row and row[0])


def _try_swap(
    conn: Connection, written: str, built: str, pause: batch.Pause, patience: float
) -> tuple[str, bool]:
    """Apply the last changes and swap, while no refresh runs; the answer has the last transaction that wrote beside.

    The tables take the place of the old ones only when every snapshot that could be read in has all of their rows: so
    they say the same as the old ones to each reader of this server, whenever it began. A reader of a standby may miss
    the changes of the last moment until its transaction ends.
    """
    with _owned_shards(conn):
        while True:
            changes, last = _replay(conn)
            written = last or written
            if not changes:
                break
        pause("replayed")
        deadline = time.monotonic() + patience
        while _old_snapshot(conn, written, built):
            if time.monotonic() > deadline:
                return written, False
            time.sleep(0.002)
        try:
            with conn.transaction():
                conn.execute("SELECT set_config('lock_timeout', %s, true)", (_SWAP_LOCK_TIMEOUT,))
                conn.execute(statement("beside", "drop_contained"), prepare=False)
                for command in _swap_commands():
                    conn.execute(command, prepare=False)
                for text in steps("swap").values():
                    conn.execute(text, prepare=False)
                pause("swapped")
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            # A deadlock with a reader of several tables is found first where deadlock_timeout was set very low.
            return written, False
    return written, True


@contextmanager
def _owned_shards(conn: Connection) -> Iterator[None]:
    """Own every shard of the queue, through several transactions."""
    try:
        for shard in locks.SHARDS:
            conn.execute("SELECT pg_advisory_lock(%s, %s)", (locks.SHARD, shard))
        yield
    finally:
        if not conn.closed:
            conn.execute(
                "SELECT pg_advisory_unlock(classid::integer, objid::integer) FROM pg_locks WHERE locktype = 'advisory'"
                " AND pid = pg_backend_pid() AND classid = %s AND objsubid = 2",
                (locks.SHARD,),
            )


def _swap_commands() -> list[sql.Composed]:
    live = [("read_model", name) for name in READ_TABLES] + [("projector", name) for name in KEY_TABLES]
    tables = sql.SQL(", ").join(sql.Identifier(schema, name) for schema, name in live)
    commands = [
        # All locks first: the moves that follow then wait for nothing.
        sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(tables),
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(OLD)),
    ]
    for schema, name in live:
        for table, target in ((sql.Identifier(schema, name), OLD), (sql.Identifier(NEXT, name), schema)):
            commands.append(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(table, sql.Identifier(target)))
    return commands


def _replay(conn: Connection) -> tuple[int, str | None]:
    """Apply the next of the noted changes beside; the answer is how many there were, and the transaction."""
    with conn.transaction():
        changes = _replay_batch(conn)
        if not changes:
            return 0, None
        row = conn.execute("SELECT pg_current_xact_id()::xid::text").fetchone()
    return changes, row[0] if row else None


def _replay_batch(conn: Connection) -> int:
    batch.clear_stage(conn)
    taken = conn.execute(statement("beside", "take_replay"), {"size": 500}).fetchone()
    if taken is None or not taken[0]:
        return 0
    with conn.pipeline():
        for kind in ("take", "resolve", "recompute", "merge", "merge_leads"):
            for name, query in batch.merge_statements() if kind == "merge" else steps(kind).items():
                if name in _NOT_BESIDE:
                    continue
                if name == "collect_stale_keys":
                    conn.execute(_beside(query), {"retried_kind": None, "retried_key": None, "strict": True})
                else:
                    conn.execute(_beside(query))
    changes: int = taken[0]
    return changes


# The take is another one, tenants are not locked where nobody else writes, and the tenants' rows are not beside.
_NOT_BESIDE = {
    "open_batch",
    "wait_for_shards",
    "take_changes",
    "advance_freshness",
    "find_grown",
    "lock_tenants",
    "touch_tenants",
}


def _beside(text: LiteralString) -> LiteralString:
    """A step of a refresh, on the tables beside."""
    for schema, tables in (("read_model", READ_TABLES), ("projector", KEY_TABLES)):
        text = re.sub(rf"\b{schema}\.({'|'.join(tables)})\b", rf"{NEXT}.\1", text)
    # What a change stands for is spread over the notes, and nothing is a dead letter here: a rebuild is strict.
    text = text.replace("projector.changes", "projector.replay")
    return text.replace("projector.dead_letters", "(SELECT * FROM projector.dead_letters LIMIT 0)")
