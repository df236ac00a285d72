"""Capture: the triggers that queue every change of a source table, and how it is known that they still stand."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from projector import locks
from projector.errors import BlockedError, SourceMissingError
from projector.source import SOURCE_TABLES, SourceTable
from projector.statements import statement, steps

Connection = psycopg.Connection[TupleRow]

TRIGGERS = ("insert", "update", "delete", "truncate", "replica")
# The platform's writers wait at most this long behind an installation that waits for one of them.
_LOCK_TIMEOUT = "200ms"
_LOCK_PATIENCE = 60.0


def captured_tables() -> list[SourceTable]:
    """The source tables whose changes are captured."""
    return [table for table in SOURCE_TABLES if table.kind is not None]


def create_functions(conn: Connection) -> None:
    """Create or replace the trigger functions, in the caller's transaction.

    Triggers that were intact before stay so: a function that we replace ourselves is no gap.
    """
    for name in ("create_fingerprints", "create_broken_capture"):
        conn.execute(statement("capture", name), prepare=False)
    intact = conn.execute(
        "SELECT e.table_name, e.trigger_name FROM projector.capture_triggers AS e"
        " JOIN projector.capture_fingerprints AS n USING (table_name, trigger_name, fingerprint)"
    ).fetchall()
    for name, text in steps("capture").items():
        if name in ("create_queue_keys", "create_capture_messages"):
            conn.execute(text, prepare=False)
    for table in captured_tables():
        if table.name != "messages":
            conn.execute(_function(table), prepare=False)
    for trigger in intact:
        conn.execute(
            "UPDATE projector.capture_triggers AS e SET fingerprint = n.fingerprint"
            " FROM projector.capture_fingerprints AS n"
            " WHERE (e.table_name, e.trigger_name) = (%s, %s)"
            " AND n.table_name = e.table_name AND n.trigger_name = e.trigger_name"
            # Its table, itself and its state: what somebody else changed meanwhile stays a gap.
            " AND (string_to_array(n.fingerprint, ':'))[:5] = (string_to_array(e.fingerprint, ':'))[:5]",
            trigger,
        )
    # What must be there, before it is: an installation that comes only half way is then seen.
    conn.execute(
        "INSERT INTO projector.capture_triggers (table_name, trigger_name, fingerprint)"
        " SELECT t, 'leads_capture_' || g, '' FROM unnest(%s::text[]) AS t, unnest(%s::text[]) AS g"
        " ON CONFLICT DO NOTHING",
        ([table.name for table in captured_tables()], list(TRIGGERS)),
    )


def adjust_queue(conn: Connection) -> None:
    """Set how the queue is stored and replicated, each in a transaction of its own that gives way to the writers.

    Without the one, capture is only slower; without the other, it lacks what a publication of all tables asks for. So
    where somebody holds the queue's table for longer, the next migrate sets it.
    """
    for name in ("store_uncompressed", "identify_rows"):
        with suppress(psycopg.errors.LockNotAvailable), conn.transaction():
            conn.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
            conn.execute(statement("capture", name), prepare=False)


def find_gap(conn: Connection) -> str | None:
    """What the catalog says otherwise than when the triggers were installed; None while capture is intact."""
    row = conn.execute("SELECT reason FROM projector.broken_capture").fetchone()
    return None if row is None else row[0]


def install(conn: Connection, *, patience: float = _LOCK_PATIENCE) -> None:
    """Install every trigger that is missing or was changed, a table at a time.

    CREATE TRIGGER waits for the writers of its table, and new writers wait behind it: so it gives way after 200 ms and
    tries again, up to `patience` seconds. Raises BlockedError with what is in the way.
    """
    for table in captured_tables():
        _with_lock_timeout(conn, table.name, patience, lambda table=table: _install(conn, table))  # type: ignore[misc]


def uninstall(conn: Connection, *, patience: float = _LOCK_PATIENCE) -> None:
    """Drop the triggers wherever their tables are by now, a table at a time."""
    tables = conn.execute(
        "SELECT DISTINCT t.tgrelid::regclass::text FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid"
        " WHERE t.tgname = ANY(%s) AND t.tgparentid = 0 AND p.pronamespace = to_regnamespace('projector') ORDER BY 1",
        (_trigger_names(),),
    ).fetchall()
    for (table,) in tables:
        _with_lock_timeout(conn, table, patience, lambda table=table: _drop(conn, table))  # type: ignore[misc]


def reinstall(conn: Connection, *, patience: float = _LOCK_PATIENCE) -> None:
    """Install what is missing or was changed, after noting it as a gap, and note of every open gap that it was done.

    A rebuild that begins after this covers what was missed. An interrupted one is forgotten: what it had done may lack
    it. Nothing is done while an operator has capture switched off.
    """
    with _alone(conn, patience):
        if switched_off(conn) is not None:
            return
        reason = find_gap(conn)
        if reason is not None and _was_installed(conn):
            if not _unmended_gaps(conn):
                open_gap(conn, reason)
            # A trigger can have been changed by way of its function.
            with conn.transaction():
                create_functions(conn)
        gap_ids = _unmended_gaps(conn)
        install(conn, patience=patience)
        if gap_ids and switched_off(conn) is None:
            with conn.transaction():
                conn.execute("DELETE FROM projector.rebuild_tenants WHERE whole_rebuild")
                conn.execute(
                    "UPDATE projector.capture_gaps SET reinstalled_at = clock_timestamp()"
                    " WHERE gap_id = ANY(%s)",
                    (gap_ids,),
                )


def note_gap(conn: Connection) -> str | None:
    """Open a gap for what the catalog says at this moment; the answer is what is new in that.

    Where another session has mended it meanwhile, that session has noted it too.
    """
    with conn.transaction():
        conn.execute("LOCK TABLE projector.capture_gaps IN SHARE ROW EXCLUSIVE MODE")
        reason = find_gap(conn)
        return reason if reason is not None and open_gap(conn, reason) else None


def open_gap(conn: Connection, reason: str) -> bool:
    """Note that changes may have been missed from now on, for status and readiness; false where it is noted already."""
    with conn.transaction():
        conn.execute("LOCK TABLE projector.capture_gaps IN SHARE ROW EXCLUSIVE MODE")
        opened = conn.execute(
            "INSERT INTO projector.capture_gaps (reason) SELECT %s"
            " WHERE NOT EXISTS (SELECT FROM projector.capture_gaps"
            "  WHERE healed_at IS NULL AND reinstalled_at IS NULL AND reason = %s)",
            (reason, reason),
        )
        conn.execute(
            "UPDATE read_model.projection SET capture_gap = %s WHERE capture_gap IS DISTINCT FROM %s",
            (reason, reason),
        )
    return opened.rowcount > 0


def open_gaps(conn: Connection) -> list[tuple[int, datetime, str]]:
    """The gaps that are not healed: id, when noticed, why."""
    return conn.execute(
        "SELECT gap_id, noticed_at, reason FROM projector.capture_gaps WHERE healed_at IS NULL ORDER BY gap_id"
    ).fetchall()


def mended_gaps(conn: Connection) -> list[int]:
    """The open gaps whose triggers stand again: a whole rebuild that begins now heals them."""
    rows = conn.execute(
        "SELECT gap_id FROM projector.capture_gaps WHERE healed_at IS NULL AND reinstalled_at IS NOT NULL"
    ).fetchall()
    return [row[0] for row in rows]


def close_gaps(conn: Connection, gap_ids: list[int]) -> None:
    """Clear the gaps that a rebuild begun after the triggers stood again has healed."""
    with conn.transaction():
        conn.execute(
            "UPDATE projector.capture_gaps SET healed_at = clock_timestamp() WHERE gap_id = ANY(%s)",
            (gap_ids,),
        )
        conn.execute(
            "UPDATE read_model.projection SET capture_gap ="
            " (SELECT max(reason) FROM projector.capture_gaps WHERE healed_at IS NULL)"
        )


def switched_off(conn: Connection) -> str | None:
    """Why an operator switched capture off; None while it is on."""
    row = conn.execute("SELECT value FROM projector.settings WHERE name = 'capture_off'").fetchone()
    return None if row is None else row[0]


def switch_off(conn: Connection, reason: str) -> None:
    """Drop the triggers on purpose: the read model stands still and says so until capture is switched on again."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = f"capture was switched off on {stamp}: {reason}"
    conn.execute(
        "INSERT INTO projector.settings (name, value) VALUES ('capture_off', %s)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (text,),
    )
    with _alone(conn, _LOCK_PATIENCE):
        open_gap(conn, text)
        uninstall(conn)


def switch_on(conn: Connection) -> None:
    """Install the triggers again; the gap stays open until a refresh or the scheduler has healed it.

    Raises SourceMissingError where one of the platform's tables is not there.
    """
    for table in captured_tables():
        if _oid(conn, table.name) is None:
            raise SourceMissingError(
                f"The platform's table {table.name} is not there, and capture stays off. Try again once it is back; if"
                " it has moved to another schema, run migrate --source-schema NAME first."
            )
    conn.execute("DELETE FROM projector.settings WHERE name = 'capture_off'")
    reinstall(conn)


def _function(table: SourceTable) -> sql.Composed:
    """The trigger function of a table, from the one text for all of them."""

    def columns(row: LiteralString) -> sql.Composed:
        return sql.SQL(", ").join(
            sql.SQL(row) + sql.SQL(".") + sql.Identifier(name) for name in table.columns
        )

    return sql.SQL(statement("capture", "create_capture_function")).format(
        function=sql.Identifier(f"capture_{table.name}"),
        table=sql.Literal(table.name),
        kind=sql.Literal(table.kind),
        queue_key=sql.Identifier(table.queue_key),
        primary_key=sql.Identifier(table.primary_key),
        old_columns=columns("OLD"),
        new_columns=columns("NEW"),
        o_columns=columns("o"),
        n_columns=columns("n"),
    )


def _install(conn: Connection, table: SourceTable) -> None:
    """Make the triggers of one table as they must be, where one is not, and note their fingerprints."""
    if switched_off(conn) is not None:
        return
    row = conn.execute(
        "SELECT count(*) FILTER (WHERE n.fingerprint = e.fingerprint), count(*) FILTER (WHERE e.fingerprint <> '')"
        " FROM projector.capture_triggers AS e LEFT JOIN projector.capture_fingerprints AS n"
        " USING (table_name, trigger_name) WHERE e.table_name = %s",
        (table.name,),
    ).fetchone()
    if row is not None and row[0] == row[1] == len(TRIGGERS):
        return
    # It broke after the look at all tables: without a gap, what was missed since would never be known.
    if row is not None and row[1] and not _unmended_gaps(conn):
        conn.execute(
            "INSERT INTO projector.capture_gaps (reason, reinstalled_at) VALUES (%s, clock_timestamp())",
            (f"the triggers on {table.name} were changed",),
        )
        conn.execute("DELETE FROM projector.rebuild_tenants WHERE whole_rebuild")
    _drop(conn, table.name)
    partitioned = _is_partitioned(conn, table.name)
    for trigger in TRIGGERS:
        for command in _commands(table, trigger, partitioned=partitioned):
            conn.execute(command)
    conn.execute("DELETE FROM projector.capture_triggers WHERE table_name = %s", (table.name,))
    conn.execute(
        "INSERT INTO projector.capture_triggers SELECT table_name, trigger_name, fingerprint"
        " FROM projector.capture_fingerprints WHERE table_name = %s",
        (table.name,),
    )


def _commands(table: SourceTable, trigger: str, *, partitioned: bool) -> list[sql.Composed]:
    """The commands that make one trigger.

    An ordinary session fires the statement triggers: they see COPY and cascades, and cost one insert a statement. Under
    replica role these do not fire for rows, so a row trigger stands in there. A partitioned table has the row trigger
    alone, always: a write straight to a partition fires no other.
    """
    name = sql.Identifier(f"leads_capture_{trigger}")
    on = sql.Identifier(table.name)
    function = sql.SQL("projector.") + sql.Identifier(f"capture_{table.name}")
    event = {
        "insert": "AFTER INSERT ON {on} REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT",
        "update": "AFTER UPDATE ON {on} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT",
        "delete": "AFTER DELETE ON {on} REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT",
        "truncate": "AFTER TRUNCATE ON {on} FOR EACH STATEMENT",
        "replica": "AFTER INSERT OR UPDATE OR DELETE ON {on} FOR EACH ROW",
    }[trigger]
    text = "CREATE TRIGGER {name} " + event + " EXECUTE FUNCTION {function}()"
    create = sql.SQL(text).format(name=name, on=on, function=function)
    enabled = {"truncate": "ENABLE ALWAYS", "replica": "ENABLE ALWAYS" if partitioned else "ENABLE REPLICA"}
    state = enabled.get(trigger, "DISABLE" if partitioned else None)
    if state is None:
        return [create]
    alter = sql.SQL("ALTER TABLE {on} " + state + " TRIGGER {name}").format(on=on, name=name)
    return [create, alter]


def _drop(conn: Connection, table: str) -> None:
    """Drop the triggers of a table, and those that a partition of it has had since it was a table of its own."""
    found = conn.execute(
        "SELECT t.tgname::text, t.tgrelid::regclass::text FROM pg_trigger AS t"
        " WHERE t.tgname = ANY(%s) AND t.tgparentid = 0 AND (t.tgrelid = to_regclass(%s)"
        "  OR t.tgrelid IN (SELECT relid FROM pg_partition_tree(to_regclass(%s))))",
        (_trigger_names(), table, table),
    ).fetchall()
    for trigger, owner in found:
        conn.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(trigger), sql.SQL(owner)))


def _trigger_names() -> list[str]:
    return [f"leads_capture_{trigger}" for trigger in TRIGGERS]


@contextmanager
def _alone(conn: Connection, patience: float) -> Iterator[None]:
    """Be the only session that changes triggers: so a gap is noted as mended by whoever mended all of it."""
    deadline = time.monotonic() + patience
    while True:
        row = conn.execute("SELECT pg_try_advisory_lock(%s, 0)", (locks.MIGRATION,)).fetchone()
        if row is not None and row[0]:
            break
        if time.monotonic() > deadline:
            raise BlockedError("Another session is changing the triggers. Try again when it has ended.")
        time.sleep(0.05)
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s, 0)", (locks.MIGRATION,))


def _unmended_gaps(conn: Connection) -> list[int]:
    """The open gaps whose triggers were not installed again since."""
    rows = conn.execute(
        "SELECT gap_id FROM projector.capture_gaps WHERE healed_at IS NULL AND reinstalled_at IS NULL"
    ).fetchall()
    return [row[0] for row in rows]


def _was_installed(conn: Connection) -> bool:
    return (
        conn.execute("SELECT FROM projector.capture_triggers WHERE fingerprint <> '' LIMIT 1").fetchone()
        is not None
    )


def _oid(conn: Connection, table: str) -> int | None:
    row = conn.execute("SELECT to_regclass(%s)::oid", (table,)).fetchone()
    return None if row is None else row[0]


def _is_partitioned(conn: Connection, table: str) -> bool:
    row = conn.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)", (table,)).fetchone()
    return bool(row and row[0])


def _with_lock_timeout(conn: Connection, table: str, patience: float, work: Callable[[], Any]) -> None:
    """Do the work in a transaction that never waits long for a lock, again and again until it succeeds."""
    deadline = time.monotonic() + patience
    pause = 0.05
    while True:
        try:
            with conn.transaction():
                conn.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
                work()
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > deadline:
                raise BlockedError(
                    f"The triggers of {table} could not be changed in {patience:.0f} s:"
                    f" {_blockers(conn, table)}. End that transaction, or try again when it has ended."
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, 2.0)
        else:
            return


def _blockers(conn: Connection, table: str) -> str:
    rows = conn.execute(
        "SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename),"
        " coalesce('for ' || date_trunc('second', clock_timestamp() - a.xact_start)::text, 'for a time hidden from us')"
        " FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
        " WHERE l.relation = to_regclass(%s) AND l.granted AND a.pid <> pg_backend_pid() ORDER BY a.xact_start LIMIT 3",
        (table,),
    ).fetchall()
    held = "; ".join(f"process {pid} ({name}) has held it {age}" for pid, name, age in rows)
    prepared = conn.execute(
        # Its session is gone; what tells its locks is that it holds the one of its own id among them.
        "SELECT p.gid FROM pg_locks AS l JOIN pg_locks AS own ON own.virtualtransaction = l.virtualtransaction"
        " AND own.locktype = 'transactionid' AND own.pid IS NULL"
        " JOIN pg_prepared_xacts AS p ON p.transaction = own.transactionid"
        " WHERE l.pid IS NULL AND l.relation = to_regclass(%s) LIMIT 1",
        (table,),
    ).fetchone()
    if prepared is not None:
        return f"the prepared transaction {prepared[0]!r} has it (see pg_prepared_xacts)"
    return held or "other sessions keep using it"
