"""What an operator is told where the read model is in a database of its own: each message names the one it is about."""

import json
import re
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.cli.places import place_of, places_of
from projector.database import locks
from projector.database.lock_waits import telling_waits
from projector.observe.status import find_attention, read_status, render
from projector.observe.status.servers import read_servers
from projector.operate.install import migrate
from projector.operate.uninstall import check_uninstall
from projector.report.errors import BlockedError, RightsError
from projector.sides import PLATFORM_SIDE, READ_MODEL_SIDE, on_read_model, place_of_error
from tests.exactness.platform import refresh_now
from tests.support.commands import projector
from tests.support.running import wait_for
from tests.support.server import Database

# What holds the read model changes nothing of this.
pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)

Connection = psycopg.Connection[TupleRow]


def settings(database: Database) -> dict[str, str]:
    return {"DATABASE_URL": database.url, "LEADS_READ_MODEL_URL": database.read_model_url}


def side(conn: Connection, name: str) -> Connection:
    return conn if name == PLATFORM_SIDE else on_read_model(conn)


def test_status_shows_both_servers(conn: Connection, database: Database, tmp_path: Path) -> None:
    done = projector(tmp_path, "status", **settings(database))
    assert done.returncode == 0, done.stdout + done.stderr
    first, second, *_ = done.stdout.splitlines()
    version = re.escape(conn.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]
    place = rf"of the %s: {database.name}\S* on \S+:\d+, PostgreSQL {version}, size \d+ [kM]B"
    assert re.search("^Servers +" + place % "platform" + "$", first)
    assert re.search("^ +of the read model: leads_\\S+ on ", second)
    [platform, other] = json.loads(projector(tmp_path, "status", "--json", **settings(database)).stdout)[
        "servers"
    ]
    assert (platform["side"], other["side"]) == ("platform", "read model")
    assert abs(other["clock_ahead"]) < 1
    assert "PUBLIC may; where nobody needs them, run in the database of the read model REVOKE" in done.stdout


@pytest.mark.parametrize("away", ["platform", "read model"])
def test_status_shows_the_server_that_is_there(
    conn: Connection, database: Database, tmp_path: Path, away: str
) -> None:
    conn.execute("INSERT INTO users (user_id) VALUES ('two')")
    conn.execute("INSERT INTO projector.changes (shard, kind, keys) VALUES (0, 'conversation', '{x}')")
    given = settings(database)
    name = {"platform": "DATABASE_URL", "read model": "LEADS_READ_MODEL_URL"}[away]
    given[name] = re.sub(r":\d+/", ":1/", given[name])
    done = projector(tmp_path, "status", **given)
    assert done.returncode == 1
    assert f"of the {away}: away" in done.stdout
    assert f"  - The database of the {away} cannot be reached: " in done.stdout
    assert "not known while a server is away" in done.stdout
    assert "not installed" not in done.stdout
    if away == "platform":
        assert re.search(r"of the read model: .*, as of \d{4}-", done.stdout)
        assert "The API goes on with what the read model holds" in done.stdout
    else:
        assert re.search(r"of the platform: .*, 1 change waits, the oldest for \d", done.stdout)
        assert "changes wait in the queue until it is back" in done.stdout
    found = json.loads(projector(tmp_path, "status", "--json", **given).stdout)
    assert (found["installed"], found["capture"]["state"]) == (None, "not known")
    assert found["queue"]["changes"] == (0 if away == "platform" else 1)


def test_status_without_any_server(database: Database, tmp_path: Path) -> None:
    nowhere = {name: re.sub(r":\d+/", ":1/", url) for name, url in settings(database).items()}
    done = projector(tmp_path, "status", **nowhere)
    assert done.returncode == 1
    assert done.stdout.count("cannot be reached") == 2
    assert "Both servers are away" in done.stdout


def test_clocks_that_differ_are_told(conn: Connection) -> None:
    assert find_attention(read_status(conn)) == []
    on_read_model(conn).execute(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
        " $$ SELECT pg_catalog.clock_timestamp() - interval '90 seconds' $$"
    )
    on_read_model(conn).execute("SET search_path = public, pg_catalog")
    [_, other] = read_servers(conn)
    assert other.clock_ahead == pytest.approx(-90, abs=1)
    found = read_status(conn)
    [sentence] = find_attention(found)
    assert re.match(
        f"The clock of {READ_MODEL_SIDE} is [0-9.]+ s behind that of {PLATFORM_SIDE}[.]", sentence
    )
    assert "its clock is " in render(found)


@pytest.mark.parametrize("name", [PLATFORM_SIDE, READ_MODEL_SIDE])
def test_a_statement_that_fails_names_its_database(conn: Connection, name: str) -> None:
    for statement in ("SELECT 1 / 0", "SELECT FROM projector.no_such_table"):
        with pytest.raises(psycopg.Error) as raised:
            side(conn, name).execute(statement.encode())
        assert place_of_error(raised.value) == f"In {name}: "
    blocked = BlockedError("It was in the way.")
    blocked.__cause__ = raised.value
    assert place_of_error(blocked) == f"In {name}: "


@pytest.mark.parametrize(
    ("name", "table"), [(PLATFORM_SIDE, "projector.source_keys"), (READ_MODEL_SIDE, "read_model.leads")]
)
def test_a_refresh_that_fails_says_where(
    conn: Connection, database: Database, tmp_path: Path, name: str, table: str
) -> None:
    conn.execute("INSERT INTO users (user_id) VALUES ('u')")
    conn.execute("INSERT INTO phone_numbers (id, user_id, platform) VALUES ('p', 'u', 'whatsapp')")
    conn.execute("INSERT INTO agents (agent_id, user_id, phone_number_id) VALUES ('a', 'u', 'p')")
    conn.execute(
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone) VALUES ('c', 'a', '49')"
    )
    side(conn, name).execute(f"ALTER TABLE {table} RENAME COLUMN customer_phone TO phone".encode())
    with pytest.raises(psycopg.Error) as raised:
        refresh_now(conn)
    assert place_of_error(raised.value) == f"In {name}: "
    done = projector(tmp_path, "refresh", **settings(database))
    assert done.returncode == 1
    assert f"In {name}: The read model is not installed, or not complete" in done.stderr


@pytest.mark.parametrize("name", [PLATFORM_SIDE, READ_MODEL_SIDE])
def test_a_schema_of_others_is_named_with_its_database(
    source_database: Database, empty_database: Database, name: str
) -> None:
    both = Database(source_database.url, source_database.name, empty_database.url)
    with both.connect() as conn:
        side(conn, name).execute("CREATE SCHEMA read_model")
        side(conn, name).execute("CREATE TABLE read_model.others (id integer)")
        with pytest.raises(RightsError) as raised:
            migrate(conn, create_source=False)
        assert place_of_error(raised.value) == f"In {name}: "


def test_what_others_made_on_the_read_model_is_named_with_its_database(conn: Connection) -> None:
    on_read_model(conn).execute("CREATE VIEW public.mine AS SELECT * FROM read_model.leads")
    with pytest.raises(Exception, match="mine") as raised:
        check_uninstall(conn, drop_dependents=False)
    assert place_of_error(raised.value) == f"In {READ_MODEL_SIDE}: "


def test_a_question_names_both_databases(conn: Connection) -> None:
    names = [conn.info.dbname, on_read_model(conn).info.dbname]
    assert place_of(conn).startswith(f"the database {names[0]} on ")
    assert re.fullmatch(
        rf"the database {names[0]} on \S+ and the database {names[1]} on \S+", places_of(conn)
    )


def test_a_stranger_who_holds_our_locks_is_named_with_its_database(
    conn: Connection, database: Database
) -> None:
    with Database(database.read_model_url, "").connect(application_name="mine") as other:
        other.execute("SELECT pg_advisory_lock(%s, 1)", (locks.TENANT,))
        [holder] = read_status(conn).lock_holders
        assert (holder.pid, holder.place) == (other.info.backend_pid, READ_MODEL_SIDE)


def test_a_wait_for_a_table_of_the_read_model_is_told(conn: Connection, database: Database) -> None:
    told: list[str] = []
    with database.connect() as holder:
        read_model = on_read_model(holder)
        read_model.execute("BEGIN")
        read_model.execute("LOCK TABLE read_model.leads")

        def release() -> None:
            wait_for(lambda: bool(told), "a sentence")
            read_model.execute("COMMIT")

        with telling_waits(conn, database.connect, told.append):
            thread = threading.Thread(target=release)
            thread.start()
            on_read_model(conn).execute("SELECT count(*) FROM read_model.leads")
            thread.join()
    assert told[0].startswith(f"Waiting for the table read_model.leads in {READ_MODEL_SIDE}: process ")
