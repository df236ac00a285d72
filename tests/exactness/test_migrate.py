"""An installation with the tables of an older version: `migrate` leaves it with exact answers, and loses nothing."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from projector.statements import steps
from psycopg.rows import TupleRow

from api.app import create_app
from api.config import Config
from projector import refresh as refreshes
from projector.errors import NotInstalledError
from projector.install import migrate
from projector.status import read_status
from tests.exactness.interleaving import Stepped, refreshing
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now, value, waiting
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

QUERIES = ("", "?days=1", "?days=40", "?lead_status=Hot", "?to_date=2025-01-01", "?offset=2", "/stats")

HOUR_STATS = """
DROP TABLE read_model.lead_totals;
CREATE TABLE read_model.lead_hour_stats (
    user_id text COLLATE "C" NOT NULL,
    hour timestamptz NOT NULL,
    leads integer NOT NULL,
    CONSTRAINT lead_hour_stats_pkey PRIMARY KEY (user_id, hour)
) WITH (fillfactor = 70);
GRANT SELECT ON read_model.lead_hour_stats TO leads_api;
INSERT INTO read_model.lead_hour_stats
SELECT user_id, date_trunc('hour', last_message_at, 'UTC'), count(*)
FROM read_model.leads WHERE last_message_at IS NOT NULL GROUP BY 1, 2
"""
# How an older projector moved them.
MERGE_HOUR_STATS = (
    "INSERT INTO read_model.lead_hour_stats AS s (user_id, hour, leads)"
    " SELECT d.user_id, d.hour, sum(d.leads) FROM stage_stats AS d WHERE d.hour IS NOT NULL"
    " GROUP BY d.user_id, d.hour HAVING sum(d.leads) <> 0"
    " ON CONFLICT (user_id, hour) DO UPDATE SET leads = s.leads + excluded.leads"
)


@pytest.fixture
def several(filled: Platform) -> Platform:
    """Four leads: of now and of old, hot and not, and one that was never active."""
    agent = filled.agent("one", platform="webchat")
    filled.conversation(agent, "silent")
    for phone, status, at in (
        ("100", "Hot", datetime.now(UTC)),
        ("200", "Warm", datetime(2025, 1, 1, tzinfo=UTC)),
    ):
        conversation = filled.conversation(agent, phone)
        filled.message(conversation, at=f"{at:%Y-%m-%d %H:%M:%S}")
        filled.conn.execute(
            "INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag)"
            " VALUES (gen_random_uuid(), %s, %s)",
            (conversation, status),
        )
    refresh_now(filled.conn)
    return filled


def answers(database: Database) -> dict[str, Any]:
    """What the API answers, but for what differs from one time to the next."""
    app = create_app(Config(database.url, rate_limit="", log_level="ERROR"))
    client = app.test_client()
    found = {}
    for query in QUERIES:
        answer = client.get(f"/users/one/leads{query}")
        assert answer.status_code == 200, query
        found[query] = {
            key: told for key, told in answer.get_json().items() if key not in {"timestamp", "correlationId"}
        }
    app.extensions["leads_database"].engine.dispose()
    return found


def migrate_now(database: Database) -> None:
    """Migrate, as the command line does it."""
    with database.connect() as own:
        migrate(own, create_source=False)


def test_an_older_installation_answers_as_before_without_a_rebuild(several: Platform) -> None:
    conn = several.conn
    before = answers(several.database)
    conn.execute(HOUR_STATS.encode(), prepare=False)
    migrate_now(several.database)
    assert answers(several.database) == before
    assert value(conn, "SELECT to_regclass('read_model.lead_hour_stats') IS NULL")
    assert_exact(conn)
    several.message("c", "newer", at="2025-06-01 10:00:00")
    refresh_now(conn)
    migrate_now(several.database)
    assert_exact(conn)


def test_who_may_read_the_older_table_may_read_the_one_in_its_place(several: Platform) -> None:
    conn = several.conn
    conn.execute(HOUR_STATS.encode(), prepare=False)
    conn.execute("GRANT SELECT ON read_model.lead_hour_stats TO pg_read_all_stats")
    migrate_now(several.database)
    assert value(conn, "SELECT has_table_privilege('pg_read_all_stats', 'read_model.lead_totals', 'SELECT')")


@pytest.mark.parametrize(
    "older",
    [HOUR_STATS.partition(";")[2], "DROP VIEW projector.broken_capture"],
    ids=["hour stats", "no view"],
)
def test_nothing_runs_after_the_migrate_of_an_older_version(several: Platform, older: str) -> None:
    conn = several.conn
    conn.execute(older.encode(), prepare=False)
    for run in (refresh_now, rebuild_now, read_status):
        with pytest.raises(NotInstalledError, match="run migrate"):
            run(conn)
    migrate_now(several.database)
    assert_exact(conn)


def test_what_was_counted_before_an_older_version_was_put_back_is_counted_anew(several: Platform) -> None:
    conn = several.conn
    conn.execute(
        "UPDATE read_model.lead_totals SET leads = leads + 1, bucket_start = bucket_start - interval '1 hour'"
    )
    conn.execute(HOUR_STATS.partition(";")[2].encode(), prepare=False)
    migrate_now(several.database)
    assert_exact(conn)


def test_a_migrate_gives_way_to_the_writers_of_the_queue(several: Platform) -> None:
    conn = several.conn
    conn.execute("ALTER TABLE projector.changes REPLICA IDENTITY DEFAULT")
    identity = "SELECT relreplident::text FROM pg_class WHERE oid = 'projector.changes'::regclass"
    with several.database.connect() as writer:
        writer.execute("BEGIN")
        writer.execute("UPDATE messages SET text = text || '!'")
        # It does not wait for the end of this transaction, while all other writers would wait behind it.
        migrate_now(several.database)
        assert value(conn, identity) == "d"
        writer.execute("COMMIT")
    migrate_now(several.database)
    assert value(conn, identity) == "f"


def test_the_merge_of_an_older_projector_is_waited_for(
    several: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = several.conn
    conn.execute(HOUR_STATS.encode(), prepare=False)
    monkeypatch.setattr(refreshes, "require_installed", lambda _: None)
    monkeypatch.setitem(steps("merge_leads"), "merge_span_stats", MERGE_HOUR_STATS)
    monkeypatch.setitem(steps("merge_leads"), "delete_empty_span_stats", "SELECT")
    several.message("c", "newer", at="2025-06-01 10:00:00")
    with refreshing(several.database, "merged") as old:
        old.reach("merged")
        with Stepped(several.database, lambda own, _: migrate(own, create_source=False)) as migration:
            migration.waits(conn)
            old.finish()
            migration.finish()
    assert_exact(conn)


def test_an_older_projector_that_still_runs_fails_and_loses_no_change(
    several: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = several.conn
    conn.execute(HOUR_STATS.encode(), prepare=False)
    migrate_now(several.database)
    several.message("c", "newer", at="2025-06-01 10:00:00")
    with monkeypatch.context() as older:
        older.setitem(steps("merge_leads"), "merge_span_stats", MERGE_HOUR_STATS)
        with pytest.raises(psycopg.errors.UndefinedTable):
            refresh_now(conn)
    assert len(waiting(conn)) == 1
    refresh_now(conn)
    assert_exact(conn)
