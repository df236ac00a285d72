"""The tenants as `python -m projector tenants` lists them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from projector.operate.tenants import Tenant, Tenants, read_tenants, render
from projector.report.counted import escape_hidden
from projector.report.errors import NotInstalledError
from tests.support.commands import projector
from tests.support.running import value, write_conversations, write_message, write_source
from tests.support.server import Database
from tests.unit.projector.recovering import Connection, healed

MOMENT = datetime(2026, 11, 25, 1, 23, 4, 567, tzinfo=UTC)


def test_each_tenant_has_its_leads_messages_freshness_and_dead_letters(
    built: Connection, other: Connection, database: Database, tmp_path: Path
) -> None:
    write_source(other, "a")
    write_conversations(other, 2, "a", first=2)
    write_message(other, "m1", tenant="a")
    write_message(other, "m2", tenant="a")
    healed(built)
    for key, tenant in (("1", "u"), ("2", "gone"), ("3", None)):
        other.execute(
            "INSERT INTO projector.dead_letters VALUES ('contacts', %s, %s, '4915', 'bad', 1, now(), now())",
            (key, tenant),
        )
    as_of = value(other, "SELECT as_of FROM read_model.freshness")
    assert read_tenants(built) == Tenants(
        [Tenant("a", 3, 2, as_of, 0), Tenant("gone", 0, 0, as_of, 1), Tenant("u", 1, 0, as_of, 1)], 1
    )
    done = projector(tmp_path, "tenants", DATABASE_URL=database.url)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["a", "gone", "u"]
    assert lines[5:] == ["3 tenants, 4 leads.", "1 dead letter belongs to no known tenant: see `status`."]
    assert (done.returncode, done.stderr) == (0, "")
    machine = projector(tmp_path, "tenants", "--json", DATABASE_URL=database.url)
    found = json.loads(machine.stdout)
    assert found["dead_letters_without_tenant"] == 1
    assert found["tenants"][0] == {
        "user_id": "a",
        "leads": 3,
        "messages": 2,
        "as_of": found["tenants"][0]["as_of"],
        "dead_letters": 0,
    }
    assert value(
        other, "SELECT %s::timestamptz = as_of FROM read_model.freshness", found["tenants"][0]["as_of"]
    )


def test_the_columns_can_be_read() -> None:
    assert render(Tenants([Tenant("a", 12_345, 7, MOMENT, 0), Tenant("東京", 1, 1, MOMENT, 2)], 0)) == (
        "Tenant   Leads  Messages  As of                    Dead letters\n"
        "a       12,345         7  2026-11-25 01:23:04 UTC             0\n"
        "東京         1         1  2026-11-25 01:23:04 UTC             2\n"
        "\n"
        "2 tenants, 12,346 leads."
    )


def test_what_a_terminal_would_obey_is_written_out() -> None:
    said = render(Tenants([Tenant("\x1b[31mred\n\u202eevil", 1, 0, MOMENT, 0)], 0))
    assert said.splitlines()[1].startswith(r"\x1b[31mred\n\u202eevil  ")
    assert escape_hidden("Zoë 東京 👍") == "Zoë 東京 👍"
    assert escape_hidden("\ud800") == r"\ud800"


def test_without_a_tenant_it_says_so(database: Database, connection: Connection, tmp_path: Path) -> None:
    healed(connection)
    done = projector(tmp_path, "tenants", DATABASE_URL=database.url)
    assert (done.returncode, done.stdout) == (0, "The read model has no tenants: no lead exists yet.\n")
    machine = projector(tmp_path, "tenants", "--json", DATABASE_URL=database.url)
    assert json.loads(machine.stdout) == {"tenants": [], "dead_letters_without_tenant": 0}


@pytest.mark.parametrize("arguments", [("tenants",), ("tenants", "--json")])
def test_before_migrate_it_says_what_to_run_and_ends_as_status(
    source_database: Database, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = projector(tmp_path, *arguments, DATABASE_URL=source_database.url)
    status = projector(tmp_path, "status", DATABASE_URL=source_database.url)
    assert (done.returncode, done.stdout) == (status.returncode, "") == (1, "")
    assert (
        done.stderr == "Error: The read model is not installed in this database: run migrate, then rebuild.\n"
    )


def test_before_the_first_build_it_says_what_to_run(connection: Connection) -> None:
    with pytest.raises(NotInstalledError, match="never built: run rebuild"):
        read_tenants(connection)
