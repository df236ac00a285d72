"""What has to hold before a run."""

from pathlib import Path

import pytest

from projector.core.preconditions import is_built, require_built, require_installed, require_tenants
from projector.database.sql import PROJECTION_VERSION
from projector.report.errors import NotInstalledError, TenantNotFoundError
from projector.report.progress import QUIET
from projector.sweep.verify import verify
from tests.support.commands import projector
from tests.support.running import value, write_message
from tests.support.server import Database
from tests.unit.projector.recovering import Connection, messages


@pytest.mark.parametrize("command", ["rebuild", "verify"])
def test_the_commands_name_an_unknown_tenant(
    database: Database, built: Connection, tmp_path: Path, command: str
) -> None:
    for user_id, code in (("nobody", 1), ("u", 0)):
        done = projector(tmp_path, "--database-url", database.url, command, "--user", user_id)
        assert done.returncode == code, done.stderr
        assert ("There is no tenant 'nobody'" in done.stderr) == bool(code)
    # What is left of a tenant that the platform deleted can still be cleared away.
    built.execute("ALTER TABLE users DISABLE TRIGGER ALL")
    built.execute("DELETE FROM users")
    assert projector(tmp_path, "--database-url", database.url, command, "--user", "u").returncode == 0


def test_a_database_without_a_read_model_is_named(source_database: Database) -> None:
    with (
        source_database.connect() as conn,
        pytest.raises(NotInstalledError, match="run migrate, then rebuild"),
    ):
        require_installed(conn)


def test_a_read_model_of_an_older_version_is_named(connection: Connection) -> None:
    require_installed(connection)
    connection.execute("DROP TABLE projector.source_keys")
    with pytest.raises(NotInstalledError, match="by an older version: run migrate"):
        require_installed(connection)


@pytest.mark.parametrize("command", ["refresh", "rebuild", "verify", "status", "run"])
def test_a_program_of_another_projection_version_than_the_migrated_one_stops(
    database: Database, built: Connection, tmp_path: Path, command: str
) -> None:
    built.execute("UPDATE projector.settings SET value = 'another' WHERE name = 'projection_version'")
    write_message(built, "m1")
    done = projector(tmp_path, "--database-url", database.url, command)
    assert done.returncode == 1
    sentence = (
        f"This program has projection version {PROJECTION_VERSION}, and the database was last migrated for"
        " another: run migrate with this program, or run the program that migrated last."
    )
    assert sentence in " ".join(done.stderr.split())
    assert messages(built) == 0
    assert value(built, "SELECT count(*) FROM projector.runs WHERE kind <> 'refresh'") == 1
    assert projector(tmp_path, "--database-url", database.url, "migrate").returncode == 0
    require_installed(built)


def test_a_read_model_that_was_never_built_is_not_verified(connection: Connection) -> None:
    assert not is_built(connection)
    for check in (
        lambda: require_built(connection),
        lambda: verify(connection, tenants=None, sample=None, heal=False, progress=QUIET),
    ):
        with pytest.raises(NotInstalledError, match="never built: run rebuild, or start the scheduler"):
            check()
    assert value(connection, "SELECT count(*) FROM projector.runs") == 0


def test_a_built_read_model_may_be_verified(built: Connection) -> None:
    assert is_built(built)
    require_built(built)


def test_the_first_unknown_tenant_is_named(built: Connection) -> None:
    require_tenants(built, ["u"])
    with pytest.raises(TenantNotFoundError, match="no tenant 'x'"):
        require_tenants(built, ["u", "x", "y"])
