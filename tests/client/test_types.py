"""Typed clients: a linter finds nothing in the OpenAPI document, and programs with its types compile if right."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.response.openapi import document
from tests.support.node import MODULES, ROOT, TOOLS, node
from tests.support.patience import UNREACHED
from tests.support.server import Database, Server
from tests.unit.api.conftest import Library, built_library
from tests.unit.api.serving import served

pytestmark = pytest.mark.node
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def library(server: Server, template: Database) -> Iterator[Library]:
    with built_library(server, template, "client") as built:
        yield built


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of TypeScript with the types, and the programs of this folder."""
    made = tmp_path_factory.mktemp("client")
    # Stamps that are older than their lock files would set up the environment of this very test.
    old = [option for stamp in (".venv/trial.stamp", ".venv/npm/setup.stamp") for option in ("-o", stamp)]
    done = subprocess.run(
        ["make", *old, "client-types", f"CLIENT_TYPES={made / 'leads-api.d.ts'}"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=UNREACHED,
    )
    assert done.returncode == 0, done.stderr
    for file in (*HERE.glob("*.ts"), HERE / "tsconfig.json"):
        shutil.copy(file, made)
    (made / "package.json").write_text('{"type": "module"}')
    (made / "node_modules").symlink_to(MODULES)
    return made


@pytest.fixture(scope="module")
def compiled(folder: Path) -> subprocess.CompletedProcess[str]:
    return node(folder, TOOLS / "tsc")


def test_the_right_program_compiles_and_every_mistake_is_found(
    folder: Path, compiled: subprocess.CompletedProcess[str]
) -> None:
    assert (compiled.stdout, compiled.returncode) == ("", 0)
    assert (folder / "mistakes.ts").read_text("utf-8").count("// @ts-expect-error\n") > 10


@pytest.mark.usefixtures("compiled")
def test_what_compiles_reads_the_api(folder: Path, library: Library, tmp_path: Path) -> None:
    with served(library.database, tmp_path) as server:
        done = node(folder, "out/program.js", f"http://127.0.0.1:{server.port}", library.tenant)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    leads = library.model.of_tenant(library.tenant)
    chosen = {
        phone: lead
        for phone, lead in leads.items()
        if lead.lead_status in {"Hot", "Warm"} and {"whatsapp", "instagram"} & set(lead.platforms)
    }
    assert printed["total"] == len(chosen) > 0
    assert sorted(printed["names"]) == sorted(lead.name or phone for phone, lead in chosen.items())
    assert printed["on_instagram"] == sum("instagram" in lead.platforms for lead in leads.values())
    assert printed["unknown"] == "Lead not found"
    assert {"source", "tags"} <= set(printed["attributes"])
    assert printed["sources"] >= 0
    assert printed["with_email"] == sum(lead.email is not None for lead in leads.values())
    assert printed["from_nowhere"] == []
    from_agent = [message for message in chosen[printed["phone"]].messages if message.sender == "agent"]
    expected = [
        f"{message.agent_name if message.agent_name is not None else message.agent_id}: {message.status}"
        for message in from_agent
    ]
    assert printed["messages"] == [
        text for message, text in zip(from_agent, expected, strict=True) if message.timestamp.year >= 2000
    ]


@pytest.mark.usefixtures("compiled")
def test_a_typed_client_calls_every_path(folder: Path, library: Library, tmp_path: Path) -> None:
    with served(library.database, tmp_path) as server:
        done = node(
            folder, "out/every_path.js", f"http://127.0.0.1:{server.port}", library.tenant, library.phone
        )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    # The compiler has seen to it that they are all paths.
    assert set(printed["statuses"].values()) == {200}
    assert printed["phone"] == library.phone


def test_the_linter_of_redocly_finds_nothing(tmp_path: Path) -> None:
    options = ("--config", str(HERE / "redocly.yaml"), "--format", "json")
    for asks_who_calls in (True, False):
        (tmp_path / "openapi.json").write_bytes(document(asks_who_calls=asks_who_calls))
        done = node(tmp_path, TOOLS / "redocly", "lint", "openapi.json", *options)
        assert [problem["ruleId"] for problem in json.loads(done.stdout)["problems"]] == []
