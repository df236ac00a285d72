"""Either server away while an operator runs a command: what is printed, and what another try does."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from projector.database.schema import source_commands
from projector.operate.install import migrate
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.platform import assert_exact, rebuild_now
from tests.support.commands import environment, projector
from tests.support.patience import PATIENCE
from tests.support.running import running_scheduler, value, wait_until, write_message, write_source
from tests.support.server import FAST, connect, running_server

SIDES = ("platform", "read model")
ERASE, UNINSTALL = ("erase", "--user", "u", "--yes"), ("uninstall", "--yes")
# Of each side, a table that both commands want.
WANTED = {"platform": "projector.source_keys", "read model": "read_model.leads"}
HAS_OURS = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('projector', 'read_model')"


@dataclass
class Pair:
    """Two servers, the platform's with tenants, and the read model on the other."""

    servers: dict[str, EmbeddedServer]

    def settings(self, **others: str) -> dict[str, str]:
        return {
            "DATABASE_URL": self.servers["platform"].url(),
            "LEADS_READ_MODEL_URL": self.servers["read model"].url(),
            **others,
        }

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        urls = self.settings()
        return connect(urls["DATABASE_URL"], read_model_url=urls["LEADS_READ_MODEL_URL"])

    def install(self) -> None:
        with self.connect() as conn:
            migrate(conn, create_source=False)
            rebuild_now(conn)


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    # What was committed survives a server that is stopped at once.
    settings = {**FAST, "synchronous_commit": "on"}
    with running_server(**settings) as platform, running_server(**settings) as read_model:
        found = Pair({"platform": platform, "read model": read_model})
        with connect(platform.url()) as conn:
            conn.execute(source_commands(), prepare=False)
            write_source(conn, "v")
        yield found


@pytest.fixture
def pair(running: Pair) -> Pair:
    """Both with the read model installed, and a tenant whose rows the platform has deleted since."""
    with connect(running.servers["platform"].url()) as conn:
        write_source(conn, "u")
        write_message(conn, "m")
        running.install()
        conn.execute("DELETE FROM users WHERE user_id = 'u'")
    return running


@pytest.mark.parametrize("away", SIDES)
def test_a_command_names_the_server_that_is_away_and_changes_nothing(
    pair: Pair, tmp_path: Path, away: str
) -> None:
    erasures = "SELECT count(*) FROM projector.erasures"
    with pair.connect() as conn:
        before = value(conn, erasures)
    pair.servers[away].stop(mode="immediate")
    try:
        for command in (ERASE, UNINSTALL):
            done = projector(tmp_path, *command, **pair.settings())
            assert (done.returncode, done.stdout) == (1, ""), command
            assert done.stderr.startswith(f"Error: The database of the {away} cannot be reached: "), command
    finally:
        pair.servers[away].start()
    with pair.connect() as conn:
        assert value(conn, erasures) == before
    done = projector(tmp_path, *ERASE, **pair.settings())
    assert "Erased: tenant u. The read model had 1 lead and 1 message of it." in done.stdout
    with pair.connect() as conn:
        assert_exact(conn)


@pytest.mark.parametrize("away", SIDES)
@pytest.mark.parametrize("command", [ERASE, UNINSTALL], ids=["erase", "uninstall"])
def test_a_command_whose_server_goes_away_says_so_and_ends_with_another_try(
    pair: Pair, tmp_path: Path, command: tuple[str, ...], away: str
) -> None:
    server = pair.servers[away]
    with closing(connect(server.url())) as holder, closing(connect(server.url())) as watcher:
        holder.execute("BEGIN")
        holder.execute(f"LOCK TABLE {WANTED[away]}".encode())
        with subprocess.Popen(
            [sys.executable, "-m", "projector", *command],
            cwd=tmp_path,
            env=environment(**pair.settings()),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            wait_until(watcher, "EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            server.stop(mode="immediate")
            printed, said = process.communicate(timeout=PATIENCE)
    server.start()
    assert (process.returncode, printed) == (1, "")
    assert f"Error: The connection to the database of the {away} was lost: " in said
    assert "Run the command again once it is back." in said
    done = projector(tmp_path, *command, **pair.settings())
    assert done.returncode == 0, done.stderr
    with pair.connect() as conn:
        if command == ERASE:
            assert_exact(conn)
        else:
            assert value(conn, HAS_OURS) == 0
            assert value(conn, "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0


@pytest.mark.parametrize("away", SIDES)
def test_a_scheduler_that_starts_while_a_server_is_away_waits_for_it(
    pair: Pair, tmp_path: Path, away: str
) -> None:
    pair.servers[away].stop(mode="immediate")
    started = False
    try:
        urls = pair.settings()
        with running_scheduler(
            urls["DATABASE_URL"], tmp_path, LEADS_READ_MODEL_URL=urls["LEADS_READ_MODEL_URL"]
        ) as scheduler:
            gone = "the database is gone; trying again until it is back"
            scheduler.wait_for_event(gone)
            [told] = [line["error"] for line in scheduler.logged() if line["event"] == gone]
            assert told.startswith(f"The database of the {away} cannot be reached: ")
            pair.servers[away].start()
            started = True
            scheduler.wait_for_event("the database is back")
            with connect(pair.servers["read model"].url()) as conn:
                wait_until(conn, "NOT EXISTS (SELECT FROM read_model.leads WHERE user_id = 'u')")
            assert scheduler.terminate() == 0
    finally:
        if not started:
            pair.servers[away].start()
    with pair.connect() as conn:
        assert_exact(conn)


@pytest.mark.parametrize(
    ("lost", "setting"), [("platform", "DATABASE_URL"), ("read model", "LEADS_READ_MODEL_URL")]
)
def test_an_empty_database_stands_for_one_that_is_lost(
    pair: Pair, tmp_path: Path, lost: str, setting: str
) -> None:
    server = pair.servers[lost]
    with connect(server.url("postgres")) as conn:
        conn.execute("DROP DATABASE IF EXISTS empty")
        conn.execute("CREATE DATABASE empty")
    done = projector(tmp_path, *UNINSTALL, **pair.settings(**{setting: server.url("empty")}))
    assert done.returncode == 0, done.stderr
    assert f"There was nothing to remove in the database of the {lost}, empty on 127.0.0.1:" in done.stdout
    [kept] = (pair.servers[side].url() for side in SIDES if side != lost)
    with connect(kept) as conn:
        assert value(conn, HAS_OURS) == 0
    # With the right address, the rest goes too.
    with connect(server.url()) as conn:
        assert value(conn, HAS_OURS) > 0
        assert projector(tmp_path, *UNINSTALL, **pair.settings()).returncode == 0
        assert value(conn, HAS_OURS) == 0


def test_the_question_tells_two_databases_of_one_name_apart(pair: Pair, tmp_path: Path) -> None:
    done = projector(tmp_path, "uninstall", text="n\n", **pair.settings())
    assert done.returncode == 1
    found = re.search(r"from the database (\S+ on \S+) and the database (\S+ on \S+)\?", done.stdout)
    assert found is not None, done.stdout
    assert len(set(found.groups())) == 2
