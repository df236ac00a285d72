"""A read model on Citus: what is its own, besides being as exact as in any other database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from api.app import create_app
from api.config import Config
from api.database.login_check import look
from api.database.session import Session
from projector import locks, pipeline
from projector.citus import tenants
from projector.citus.session import recover_prepared
from projector.errors import RightsError
from projector.install import migrate
from projector.progress import QUIET
from projector.rebuild import rebuild
from projector.sides import is_distributed, on_read_model
from projector.source_names import SourceConnection, own_connection
from projector.sql import steps
from projector.verify import verify
from projector.verify.rounds import find_tenants
from tests.conftest import MakeDatabase
from tests.exactness.apart.test_two_commits import dies, move, one_batch, phones
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now, value
from tests.support.citus import DISTRIBUTED, READ_MODEL, goes_to_one_server, stand_in
from tests.support.commands import projector
from tests.support.roles import logins
from tests.support.running import wait_for
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

pytestmark = pytest.mark.parametrize("engine", ["citus"], indirect=True)


def fill(platform: Platform, *user_ids: str) -> None:
    """A lead of each tenant, with a message."""
    for user_id in user_ids:
        agent = platform.agent(user_id if user_id == "one" else platform.tenant(user_id))
        platform.message(platform.conversation(agent, "4901"))


def merging(conn: Connection) -> SourceConnection:
    found = own_connection(conn).merging
    assert found is not None
    return found


def test_each_table_is_placed_by_its_tenant_or_copied(conn: Connection) -> None:
    placed: dict[str, str | None] = dict(
        on_read_model(conn)
        .execute(
            "SELECT c.relname, p.colocated_with FROM pg_dist_partition AS p"
            " INNER JOIN pg_class AS c ON c.oid = p.logicalrelid"
        )
        .fetchall()
    )
    assert set(placed) == READ_MODEL
    assert {name for name in placed if name in DISTRIBUTED and placed[name] != "read_model.tenants"} == {
        "tenants"
    }
    assert {name for name in placed if placed[name] is None} == READ_MODEL - DISTRIBUTED
    migrate(conn, create_source=False, on_citus=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Citus can hold the read model in a database of its own only: set LEADS_READ_MODEL_URL"),
        ({"LEADS_READ_MODEL_URL": "plain"}, "The database of the read model has no Citus"),
    ],
)
def test_a_database_that_cannot_be_on_citus_is_refused(
    source_database: Database,
    empty_database: Database,
    tmp_path: Path,
    settings: dict[str, str],
    message: str,
) -> None:
    given = dict.fromkeys(settings, empty_database.url)
    done = projector(
        tmp_path, "migrate", DATABASE_URL=source_database.url, LEADS_READ_MODEL_ENGINE="citus", **given
    )
    assert done.returncode == 2, done.stderr
    assert message in done.stderr


def test_the_database_says_that_it_is_distributed(
    make_database: MakeDatabase, source_template: Database, tmp_path: Path
) -> None:
    """No command needs the setting after migrate: statements for PostgreSQL alone would delete rows of others."""
    platform, read_model = make_database(source_template), make_database(None)
    both = Database(platform.url, platform.name, read_model.url)
    with read_model.connect() as conn:
        stand_in(conn)
    urls = {"DATABASE_URL": both.url, "LEADS_READ_MODEL_URL": both.read_model_url}
    done = projector(tmp_path, "migrate", LEADS_READ_MODEL_ENGINE="citus", **urls)
    assert done.returncode == 0, done.stderr
    for command in (["rebuild"], ["refresh"], ["verify", "--all"], ["status"], ["tenants"]):
        done = projector(tmp_path, *command, **urls)
        assert done.returncode == 0, done.stdout + done.stderr
    with both.connect() as conn:
        assert is_distributed(conn)


def test_a_tenant_is_merged_in_a_transaction_of_its_own(platform: Platform, conn: SourceConnection) -> None:
    fill(platform, "one", "two", "three")
    seen: list[int] = []
    conn.between_commits = lambda: seen.append(
        value(on_read_model(conn), "SELECT count(*) FROM read_model.leads")
    )
    one_batch(conn)
    del conn.between_commits
    assert seen == [1, 2, 3, 3]
    refresh_now(conn)
    assert_exact(conn)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_batch_may_die_after_each_tenant(platform: Platform, conn: SourceConnection, number: int) -> None:
    fill(platform, "one", "two", "three")
    one_batch(conn)
    platform.conn.execute("UPDATE messages SET text = 'changed'")
    platform.conn.execute("UPDATE conversations SET customer_phone = '4902'")
    assert dies(conn, one_batch, number)
    assert phones(conn) == sorted(["4902"] * min(number, 3) + ["4901"] * (3 - min(number, 3)))
    platform.conn.execute("UPDATE conversations SET customer_phone = '4903'")
    refresh_now(conn)
    assert phones(conn) == ["4903"] * 3
    assert_exact(conn)


def test_what_a_batch_moves_is_noted_before_its_first_tenant_commits(
    platform: Platform, conn: SourceConnection
) -> None:
    conversation = platform.conversation(platform.agent("one"), "4901")
    refresh_now(conn)
    move(platform, conversation, "4902")
    assert dies(conn, one_batch, 1)
    move(platform, conversation, "4903")
    refresh_now(conn)
    assert phones(conn) == ["4903"]
    assert_exact(conn)


def test_a_merge_waits_for_one_that_is_still_being_committed(
    platform: Platform, conn: SourceConnection, database: Database
) -> None:
    """As of a process that was killed: the locks of its other session are free already."""
    fill(platform, "one")
    with database.connect() as other:
        ghost = merging(other)
        ghost.execute("SELECT pg_advisory_lock(%s, hashtext('one'))", (locks.MERGE,))
        worker = threading.Thread(target=refresh_now, args=(conn,))
        worker.start()
        waits = (
            "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = %s"
        )
        wait_for(lambda: value(ghost, waits, locks.MERGE) or not worker.is_alive(), "the merge waits")
        assert phones(other) == []
        ghost.execute("SELECT pg_advisory_unlock_all()")
        worker.join()
    assert_exact(conn)


def test_freshness_waits_until_nothing_is_in_doubt(platform: Platform, conn: SourceConnection) -> None:
    """A server that is lost while a transaction commits has done its part only after it is asked to."""
    refresh_now(conn)
    read_model = on_read_model(conn)
    before = value(read_model, "SELECT as_of FROM read_model.freshness")
    fill(platform, "one")
    merging(conn).execute("DO $$ BEGIN RAISE WARNING 'connection to a server was lost'; END $$")
    assert merging(conn).in_doubt
    read_model.execute(
        "CREATE OR REPLACE FUNCTION pg_catalog.recover_prepared_transactions() RETURNS integer LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE connection_failure USING MESSAGE = 'the server is away'; END $$"
    )
    with pytest.raises(psycopg.Error, match="the server is away"):
        refresh_now(conn)
    assert value(read_model, "SELECT as_of FROM read_model.freshness") == before
    assert value(conn, "SELECT count(*) > 0 FROM projector.changes")
    read_model.execute(
        "CREATE OR REPLACE FUNCTION pg_catalog.recover_prepared_transactions() RETURNS integer LANGUAGE sql AS"
        " 'SELECT 0'"
    )
    refresh_now(conn)
    assert not merging(conn).in_doubt
    assert value(read_model, "SELECT as_of FROM read_model.freshness") > before
    assert_exact(conn)


def test_a_server_that_is_away_is_asked_again(conn: SourceConnection) -> None:
    """Citus only warns of it."""
    merging(conn).in_doubt = True
    on_read_model(conn).execute(
        "CREATE OR REPLACE FUNCTION pg_catalog.recover_prepared_transactions() RETURNS integer LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE WARNING 'transaction recovery cannot connect'; RETURN 0; END $$"
    )
    with pytest.raises(psycopg.OperationalError, match="a server of Citus cannot be reached"):
        recover_prepared(conn)
    assert merging(conn).in_doubt


def test_a_login_that_may_not_ask_is_told_what_it_lacks(conn: SourceConnection) -> None:
    merging(conn).in_doubt = True
    on_read_model(conn).execute(
        "CREATE OR REPLACE FUNCTION pg_catalog.recover_prepared_transactions() RETURNS integer LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE insufficient_privilege; END $$"
    )
    with pytest.raises(RightsError, match="GRANT EXECUTE ON FUNCTION"):
        recover_prepared(conn)


def test_a_merge_begins_with_the_row_of_its_tenant(
    platform: Platform, conn: SourceConnection, database: Database
) -> None:
    """What a server has prepared is in no snapshot, and holds that row, or is that row."""
    fill(platform, "one")
    with database.connect() as other, on_read_model(other).transaction():
        on_read_model(other).execute("INSERT INTO read_model.tenants (user_id, version) VALUES ('one', 1)")
        worker = threading.Thread(target=refresh_now, args=(conn,))
        worker.start()
        waits = (
            "SELECT count(*) = 1 FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND query LIKE '%SET dead_letters = t.dead_letters%'"
        )
        wait_for(lambda: value(platform.conn, waits) or not worker.is_alive(), "the merge waits")
        assert worker.is_alive()
    worker.join()
    assert_exact(conn)
    assert value(on_read_model(conn), "SELECT version FROM read_model.tenants") == 2


def test_a_tenant_without_leads_gets_no_row(platform: Platform, conn: SourceConnection) -> None:
    platform.contact("one", "4901", "Ann")
    refresh_now(conn)
    assert value(on_read_model(conn), "SELECT count(*) FROM read_model.tenants") == 0
    assert_exact(conn)


def test_a_new_session_ends_what_is_in_doubt(database: Database, conn: Connection) -> None:
    on_read_model(conn).execute("CREATE TABLE public.asked (at timestamptz)")
    on_read_model(conn).execute(
        "CREATE OR REPLACE FUNCTION pg_catalog.recover_prepared_transactions() RETURNS integer LANGUAGE sql AS"
        " 'INSERT INTO public.asked VALUES (now()) RETURNING 1'"
    )
    with database.connect() as other:
        assert value(on_read_model(conn), "SELECT count(*) FROM public.asked") == 1
        recover_prepared(other)
    assert value(on_read_model(conn), "SELECT count(*) FROM public.asked") == 1


def test_a_lost_session_of_merges_is_a_lost_read_model(platform: Platform, database: Database) -> None:
    fill(platform, "one")
    with database.connect() as conn, database.connect() as other:
        on_read_model(other).execute(
            "SELECT pg_terminate_backend(%s, 10000)", (merging(conn).info.backend_pid,)
        )
        with pytest.raises(psycopg.OperationalError):
            refresh_now(conn)
        refresh_now(other)
        assert_exact(other)


def test_a_first_build_goes_on_where_it_was_killed(platform: Platform, conn: SourceConnection) -> None:
    fill(platform, "one", "two", "three")
    on_read_model(conn).execute("UPDATE read_model.projection SET built_at = NULL")
    number, came_so_far = 0, True
    while came_so_far:
        number += 1
        came_so_far = dies(
            conn, lambda made: _ignored(rebuild(made, tenants=None, progress=QUIET, resume=True)), number
        )
    assert number > 3
    refresh_now(conn)
    assert_exact(conn)


def _ignored(_result: object) -> None:
    """What a rebuild returns."""


def test_a_step_for_postgresql_alone_does_not_run(conn: Connection) -> None:
    with pytest.raises(AssertionError, match="80_build_tenants"):
        pipeline.run_steps(conn, steps("rebuild/first_build/80_build_tenants"))


def test_tenants_are_found_in_their_order(platform: Platform, conn: Connection) -> None:
    fill(platform, "one", "two", "three")
    refresh_now(conn)
    on_read_model(conn).execute(
        "INSERT INTO read_model.lead_counts (user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat,"
        " has_extraction, has_email, leads) VALUES ('four', 'Cold', 0, false, false, false, false, false, 1)"
    )
    assert find_tenants(conn, "", 10) == [("four", 0), ("one", 1), ("three", 1), ("two", 1)]
    assert find_tenants(conn, "four", 2) == [("one", 1), ("three", 1)]
    assert tenants.find_leads(conn, ("", ""), None, 10) == [("one", "4901")]
    assert tenants.find_leads(conn, ("one", "4901"), None, 10) == [("three", "4901")]
    assert tenants.find_leads(conn, ("one", "4901"), "one", 10) == []
    found = verify(conn, tenants=None, sample=None, heal=True, progress=QUIET)
    assert {drift.user_id for drift in found.drifts} == {"four"}
    assert_exact(conn)


@pytest.mark.parametrize("phone", [None, "4901"])
def test_an_erasure_takes_nothing_of_other_tenants(
    platform: Platform, conn: Connection, database: Database, tmp_path: Path, phone: str | None
) -> None:
    fill(platform, "one", "two", "three")
    refresh_now(conn)
    platform.conn.execute(
        "DELETE FROM conversations WHERE agent_id IN (SELECT agent_id FROM agents WHERE user_id = 'two')"
    )
    platform.conn.execute("DELETE FROM agents WHERE user_id = 'two'")
    platform.conn.execute("DELETE FROM phone_numbers WHERE user_id = 'two'")
    platform.conn.execute("DELETE FROM users WHERE user_id = 'two'")
    urls = {"DATABASE_URL": database.url, "LEADS_READ_MODEL_URL": database.read_model_url}
    of_lead = [] if phone is None else ["--phone", phone]
    done = projector(tmp_path, "erase", "--user", "two", *of_lead, "--vacuum", "--yes", **urls)
    assert done.returncode == 0, done.stdout + done.stderr
    left = "SELECT array_agg(DISTINCT user_id ORDER BY user_id) FROM read_model.lead_messages"
    assert value(on_read_model(conn), left) == ["one", "three"]
    # As of a backup that has a row of what was erased.
    on_read_model(conn).execute(
        "INSERT INTO read_model.lead_tombstones (user_id, customer_phone, version, deleted_at)"
        " VALUES ('two', '4901', 1, now())"
    )
    done = projector(tmp_path, "erase", "--replay", "--yes", **urls)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "are there again" in done.stdout
    assert value(on_read_model(conn), "SELECT count(*) FROM read_model.lead_tombstones") == 0
    refresh_now(conn)
    assert_exact(conn)


LOGIN = "leads_test_citus_login"
WEEK = "from_date=2025-01-01&to_date=2025-01-07"
ASKED = (
    "",
    "?offset=1&limit=1",
    "?sort_by=name&sort_order=asc",
    "?sort_by=total_score&lead_status=Hot",
    "?platform=whatsapp,webchat&has_email=true",
    "?search=a",
    "?search=a&ignore_accents=true",
    "?days=30&min_total_score=5",
    "?agent_id=x&is_active=true",
    "?last_message_sender=user&has_conversation=true",
    f"?{WEEK}",
    "/stats",
    f"/stats/series?{WEEK}&by=day",
    "/4901",
    "/4901/messages",
    "/4901/messages?sort_order=desc&limit=1",
    "/nobody",
)


@contextmanager
def reader(database: Database) -> Iterator[str]:
    """The URL of the read model for a login of the API's own."""
    read_model = Database(database.read_model_url, "")
    with read_model.connect() as conn, logins(conn, LOGIN):
        conn.execute(f"GRANT leads_api TO {LOGIN}")
        yield read_model.by(LOGIN).url


def ask_everything(url: str) -> None:
    """Ask each kind of question, and each once more with the ETag of its answer."""
    config = Config(
        url, engine="citus", role="", tenant_setting="transaction", rate_limit="", log_level="ERROR"
    )
    app = create_app(config)
    client = app.test_client()
    try:
        for path in ASKED:
            answer = client.get(f"/users/one/leads{path}")
            assert answer.status_code == (404 if "nobody" in path else 200), (path, answer.text)
            known = {"If-None-Match": answer.headers.get("ETag", "")}
            assert client.get(f"/users/one/leads{path}", headers=known).status_code in (200, 304, 404)
        for path in ("/users/one/lead-changes", "/users/one/leads.csv", "/users/one/leads.ndjson"):
            assert client.get(path).status_code == 200, path
        assert client.get("/health/ready").status_code == 200
    finally:
        app.extensions["leads_database"].engine.dispose()


def test_each_request_goes_to_one_server(
    platform: Platform, conn: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(platform, "one", "two")
    rebuild_now(conn)
    refresh_now(conn)
    sent: list[str] = []
    prepare = Session._prepare  # noqa: SLF001  # Where each statement of the API passes.

    def noted(session: Session, text: bytes, values: list[object]) -> bytes:
        sent.append(text.decode())
        return prepare(session, text, values)

    monkeypatch.setattr(Session, "_prepare", noted)
    with reader(database) as url:
        ask_everything(url)
    assert len(set(sent)) > len(ASKED) / 2
    assert [text for text in sent if not goes_to_one_server(text)] == []


def test_an_api_that_is_not_told_of_citus_says_so(conn: Connection, database: Database) -> None:
    assert is_distributed(conn)
    with reader(database) as url:
        [sentence] = look(Config(url, role=""))
        assert sentence.endswith("Set LEADS_READ_MODEL_ENGINE=citus")
        assert look(Config(url, engine="citus", role="", tenant_setting="transaction")) == []
