"""The command `erase`: what it asks, says and answers."""

from pathlib import Path

import pytest

from tests.support.commands import projector
from tests.support.running import value
from tests.support.server import Database
from tests.unit.projector.cli.calls import call
from tests.unit.projector.erasure import world
from tests.unit.projector.recovering import Connection


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Say what to do"),
        (["--user", "u", "--replay"], "exclude each other"),
        (["--phone", "4915"], "--phone needs --user"),
        (["--replay", "--phone", "4915"], "--phone needs --user"),
    ],
)
def test_a_wrong_call_is_named(arguments: list[str], said: str) -> None:
    done = call("erase", *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_a_lead_is_erased_after_a_question(
    connection: Connection, other: Connection, database: Database, tmp_path: Path
) -> None:
    world.built_world(connection, other)
    lead = ["--user", world.ERASED_TENANT, "--phone", "+49 777 000-123"]
    refused = projector(tmp_path, "erase", *lead, "--yes", DATABASE_URL=database.url)
    assert refused.returncode == 1
    assert (
        "rows of the tenant or the lead, which would bring it back: 1 row of contacts, 1 row of conversations"
        in refused.stderr
    )
    assert world.PHONE not in refused.stderr
    world.delete_lead(other)
    blank = projector(tmp_path, "erase", "--user", "x", "--phone", " ", DATABASE_URL=database.url)
    assert (blank.returncode, "blank" in blank.stderr) == (2, True)
    asked = projector(tmp_path, "erase", *lead, DATABASE_URL=database.url, text="n\n")
    assert asked.returncode == 1
    assert f"Erase lead {world.PHONE} of tenant needle-tenant (1 lead and 3 messages) from" in asked.stdout
    assert value(other, "SELECT count(*) FROM projector.erasures") == 0
    ledger = str(tmp_path / "erased.jsonl")
    done = projector(
        tmp_path, "erase", *lead, "--ledger", ledger, "--vacuum", DATABASE_URL=database.url, text="y\n"
    )
    assert done.returncode == 0
    assert f"Erased: lead {world.PHONE} of tenant needle-tenant. The read model had 1 lead" in done.stdout
    assert "files of the read model" in done.stdout
    assert world.PHONE not in done.stderr
    assert world.find_left(other, world.NEEDLES) == []


def test_a_replay_after_a_restore(
    connection: Connection, other: Connection, database: Database, tmp_path: Path
) -> None:
    world.built_world(connection, other)
    ledger = str(tmp_path / "erased.jsonl")
    world.delete_tenant(other)
    projector(
        tmp_path, "erase", "--user", world.ERASED_TENANT, "--ledger", ledger, "--yes",
        DATABASE_URL=database.url,
    )  # fmt: skip
    nothing = projector(tmp_path, "erase", "--replay", "--ledger", ledger, DATABASE_URL=database.url)
    assert (nothing.returncode, "Nothing that the ledger names" in nothing.stdout) == (0, True)
    # A backup from before the erasure.
    other.execute("DELETE FROM projector.erasures")
    other.execute("INSERT INTO read_model.tenants (user_id) VALUES (%s)", (world.ERASED_TENANT,))
    synchronized = projector(tmp_path, "erase", "--ledger", ledger, DATABASE_URL=database.url)
    assert "The ledger took 1 new line from" in synchronized.stdout
    done = projector(tmp_path, "erase", "--replay", "--yes", DATABASE_URL=database.url)
    assert (done.returncode, "Erased: tenant needle-tenant." in done.stdout) == (0, True)
    assert value(other, "SELECT count(*) FROM read_model.tenants WHERE user_id = 'needle-tenant'") == 0
    other.execute("INSERT INTO users (user_id) VALUES (%s)", (world.ERASED_TENANT,))
    refused = projector(tmp_path, "erase", "--replay", "--yes", DATABASE_URL=database.url)
    assert refused.returncode == 1
    assert "users: 1 row, such as needle-tenant" in refused.stdout
