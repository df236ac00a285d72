"""The programs with LEADS_READ_MODEL_URL: every command, a running scheduler, and either server gone."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config
from projector.operate.install import migrate
from projector.sides import on_read_model
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.platform import assert_exact
from tests.support.commands import projector
from tests.support.running import running_scheduler, wait_until, write_message, write_source
from tests.support.server import Database, connect

# What holds the read model changes nothing of this.
pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)

GONE = "the database is gone; trying again until it is back"


@pytest.fixture
def sides(make_database: Callable[[Database | None], Database], source_template: Database) -> Database:
    """A platform's database, and an empty one for the read model; nothing is installed."""
    platform, read_model = make_database(source_template), make_database(None)
    return Database(platform.url, platform.name, read_model.url)


def settings(sides: Database) -> dict[str, str]:
    return {"DATABASE_URL": sides.url, "LEADS_READ_MODEL_URL": sides.read_model_url}


def test_every_command_takes_both(sides: Database, tmp_path: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = projector(tmp_path, *arguments, **settings(sides))
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    with Database(sides.url, sides.name).connect() as platform:
        run("migrate")
        write_source(platform)
        assert "1 lead" in run("rebuild")
        write_message(platform, "m1")
        assert "1 message" in run("refresh")
        status = json.loads(run("status", "--json"))
        assert status["capture"]["state"] == "intact"
        assert "u" in run("tenants")
        run("verify", "--all")
        [phone] = platform.execute("SELECT customer_phone FROM conversations").fetchone() or [None]
        assert str(phone) in run("explain", "u", str(phone))
        with sides.connect() as conn:
            assert_exact(conn)
        app = create_app(Config(sides.read_model_url, rate_limit="", log_level="ERROR"))
        try:
            assert app.test_client().get("/users/u/leads").json["pagination"]["total"] == 1  # type: ignore[index]
        finally:
            app.extensions["leads_database"].engine.dispose()
        platform.execute("DELETE FROM users")
        run("erase", "--user", "u", "--vacuum", "--yes")
        run("uninstall", "--yes")


def test_without_the_setting_nothing_is_done(sides: Database, tmp_path: Path) -> None:
    assert projector(tmp_path, "migrate", **settings(sides)).returncode == 0
    for command in (["refresh"], ["migrate"], ["rebuild"], ["run"]):
        done = projector(tmp_path, *command, DATABASE_URL=sides.url)
        assert done.returncode == 1, command
        assert "The read model is in a database of its own: set LEADS_READ_MODEL_URL." in done.stderr, command


def test_a_read_model_beside_the_source_is_not_looked_for_elsewhere(
    make_database: Callable[[Database | None], Database],
    template: Database,
    tmp_path: Path,
) -> None:
    together, other = make_database(template), make_database(None)
    done = projector(tmp_path, "refresh", DATABASE_URL=together.url, LEADS_READ_MODEL_URL=other.url)
    assert done.returncode == 1
    assert "The read model is in the platform's database" in done.stderr


def test_a_message_says_which_database_cannot_be_reached(sides: Database, tmp_path: Path) -> None:
    nowhere = re.sub(r":\d+/", ":1/", sides.url)
    done = projector(tmp_path, "refresh", DATABASE_URL=sides.url, LEADS_READ_MODEL_URL=nowhere)
    assert done.returncode == 1
    assert "The database of the read model cannot be reached" in done.stderr
    done = projector(tmp_path, "refresh", DATABASE_URL=nowhere, LEADS_READ_MODEL_URL=sides.read_model_url)
    assert done.returncode == 1
    assert "The database of the platform cannot be reached" in done.stderr


@pytest.mark.parametrize("away", ["platform", "read model"])
def test_a_scheduler_goes_on_when_a_server_is_back(
    start_server: Callable[..., EmbeddedServer], tmp_path: Path, away: str
) -> None:
    servers = {"platform": start_server(), "read model": start_server()}
    urls = {name: server.url() for name, server in servers.items()}
    given = {"LEADS_READ_MODEL_URL": urls["read model"]}
    with connect(urls["platform"], read_model_url=urls["read model"]) as conn:
        migrate(conn, create_source=True)
        write_source(conn)
    with running_scheduler(urls["platform"], tmp_path, **given) as scheduler:
        with connect(urls["read model"]) as stored:
            wait_until(stored, "count(*) = 1 FROM read_model.leads")
        servers[away].stop(mode="immediate")
        scheduler.wait_for_event(GONE)
        told = [line for line in scheduler.logged() if line["event"] == GONE]
        assert f"database of the {away}" in told[0]["error"]
        servers[away].start()
        scheduler.wait_for_event("the database is back")
        with connect(urls["platform"], read_model_url=urls["read model"]) as conn:
            write_message(conn, "m1")
            wait_until(on_read_model(conn), "count(*) = 1 FROM read_model.lead_messages")
        assert scheduler.terminate() == 0
