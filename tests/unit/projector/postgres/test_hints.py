"""What `make run` suggests to try."""

import dataclasses
import shlex
import sys
import sysconfig
from pathlib import Path

import pytest

import projector
from projector import config
from projector.trial.postgres import hints
from projector.trial.postgres.hints import ExampleLead, command, needs_url, requests
from tests.support.commands import ROOT
from tests.support.running import write_conversations, write_source
from tests.unit.projector.recovering import Connection, healed

API = "http://localhost:4000"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> config.Config:
    """The defaults, as if started in the checkout."""
    monkeypatch.chdir(ROOT)
    return config.load(Path("there is no such file"))


def test_each_part_of_a_path_is_quoted() -> None:
    assert requests(API, ExampleLead("it's a/b", "web 1/2")) == [
        f"curl '{API}/users/it%27s%20a%2Fb/leads?limit=5'",
        f"curl '{API}/users/it%27s%20a%2Fb/leads/stats'",
        f"curl '{API}/users/it%27s%20a%2Fb/leads/web%201%2F2'",
    ]
    assert requests(API, None) == []


def test_the_example_is_of_the_tenant_with_most_leads(built: Connection, other: Connection) -> None:
    write_source(other, "a")
    write_conversations(other, 1, "a", first=2)
    healed(built)
    assert hints.find_example(built) == ExampleLead("a", "49151000001")


def test_the_example_is_that_of_the_documents_where_it_is_there(built: Connection, other: Connection) -> None:
    tenant = "789895c8-4bd6-43e9-bfea-a4171ec47197"
    write_source(other, tenant)
    write_conversations(other, 3, "u", first=2)
    healed(built)
    found = hints.find_example(built)
    assert found is not None
    assert found.user_id == tenant


def test_without_a_lead_there_is_no_example(connection: Connection) -> None:
    healed(connection)
    assert hints.find_example(connection) is None


def test_a_command_goes_to_the_checkout(settings: config.Config) -> None:
    python = shlex.quote(sys.executable)
    assert command("status", settings, is_embedded=True) == f"(cd {ROOT} && {python} -m projector status)"
    elsewhere = dataclasses.replace(settings, state_dir=Path("/srv/my leads"))
    assert command("status", elsewhere, is_embedded=True) == (
        f"(cd {ROOT} && LEADS_STATE_DIR='/srv/my leads' {python} -m projector status)"
    )


def test_an_installed_program_needs_no_folder(
    settings: config.Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(projector, "__file__", str(tmp_path / "projector" / "__init__.py"))
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    line = command("status", settings, is_embedded=True)
    assert line == f"LEADS_STATE_DIR={ROOT}/.leads {shlex.quote(sys.executable)} -m projector status"


@pytest.mark.parametrize(
    ("url", "is_secret"),
    [
        ("postgresql://host/db", False),
        ("host=h dbname=d", False),
        ("postgresql://u:secret@host/db", True),
        ("postgresql+psycopg://u:secret@host/db", True),
        ("host=h password=secret", True),
    ],
)
def test_a_url_is_repeated_unless_it_holds_a_password(
    settings: config.Config, url: str, *, is_secret: bool
) -> None:
    named = dataclasses.replace(settings, database_url=url)
    assert needs_url(named) is is_secret
    line = command("status", named, is_embedded=False)
    assert ("secret" in line, "--database-url" in line) == (False, not is_secret)
