"""What `migrate` installs and removes. tests/exactness/ shows that an update of an older version loses nothing."""

import pytest

from projector.capture import gaps
from projector.capture.fit import Fit
from projector.database import locks
from projector.database.rows import Connection, values
from projector.operate import install as installing
from projector.operate.install import migrate
from projector.report.errors import BlockedError, ProjectorError
from tests.support.running import value, write_message
from tests.support.server import Database
from tests.unit.projector.recovering import (
    SABOTAGE,
    healed,
    messages,
    ready,
)

OBJECTS = (
    "SELECT array_agg(c.oid::regclass || ':' || c.oid ORDER BY c.oid) FROM pg_class AS c"
    " WHERE c.relnamespace = ANY('{read_model,projector,leads_access}'::regnamespace[])"
)


def test_every_table_view_for_readers_and_column_has_its_description_in_the_database(
    connection: Connection,
) -> None:
    missing = connection.execute(
        "SELECT c.oid::regclass::text, a.attname::text, d.description FROM pg_class AS c CROSS JOIN LATERAL"
        " (SELECT attname, attnum FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped"
        " UNION ALL SELECT NULL, 0) AS a LEFT JOIN pg_description AS d ON d.objoid = c.oid AND d.objsubid = a.attnum"
        " AND d.classoid = 'pg_class'::regclass"
        " WHERE c.relnamespace = any('{read_model,projector,leads_access}'::regnamespace[]) AND c.relkind = 'r'"
        " OR c.relnamespace = 'leads_sql'::regnamespace"
    ).fetchall()
    described = {(table, column): text for table, column, text in missing}
    assert [place for place, text in described.items() if not text] == []
    assert ("leads_sql.leads", None) in described
    assert (
        described["read_model.lead_conversations", "platform"]
        == "Platform of the agent's channel, as stored."
    )


def test_a_second_migrate_changes_nothing_but_what_it_mends(built: Connection, other: Connection) -> None:
    before = value(built, OBJECTS)
    assert migrate(built, create_source=False) == []
    assert value(built, OBJECTS) == before
    other.execute(SABOTAGE)
    write_message(other, "missed")
    notices = migrate(other, create_source=False)
    assert any("leads_capture_insert on messages is missing" in notice for notice in notices)
    assert gaps.find_gap(built) is None
    assert not ready(built)
    healed(built)
    assert (messages(built), ready(built)) == (1, True)


def test_readers_need_not_wait_for_a_migrate_that_changes_no_table(
    built: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API reads these tables at each request, and a migrate goes on for a while after the text of the tables."""
    locked: list[list[str]] = []

    def define(conn: Connection, fit: Fit) -> None:
        locked.append(
            values(
                other,
                "SELECT l.relation::regclass::text FROM pg_locks AS l WHERE l.pid = %(pid)s AND l.relation IS NOT NULL"
                " AND l.mode = 'AccessExclusiveLock'",
                {"pid": conn.info.backend_pid},
            )
        )
        original(conn, fit)

    original = installing._define  # noqa: SLF001
    monkeypatch.setattr(installing, "_define", define)
    migrate(built, create_source=False)
    [names] = locked
    assert [name for name in names if name.startswith("read_model.")] == []


@pytest.mark.parametrize(
    "held",
    [
        "LOCK TABLE read_model.leads IN ACCESS EXCLUSIVE MODE",
        # A batch in progress.
        f"SELECT pg_advisory_xact_lock({locks.SHARD}, 3)",
    ],
)
def test_what_another_session_holds_is_not_waited_for_long(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setattr(installing, "TABLE_PATIENCE_SECONDS", 0.0)
    with database.connect() as holder, holder.transaction():
        holder.execute(held.encode())
        with pytest.raises(BlockedError, match="other sessions hold them"):
            migrate(connection, create_source=False)
    assert migrate(connection, create_source=False) == []


def test_a_column_that_nothing_adds_is_told_with_the_file_that_names_it(connection: Connection) -> None:
    connection.execute("ALTER TABLE read_model.lead_profiles DROP COLUMN email CASCADE")
    with pytest.raises(
        ProjectorError, match=r'^Nothing was changed, because schema\.sql failed: column "email" '
    ):
        migrate(connection, create_source=False)
