"""Clients that generators make of the OpenAPI document compile, and call every operation of a running API."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.response.openapi import document
from tests.support.node import MODULES, PYTHON_CLIENT, TOOLS, node
from tests.support.patience import UNREACHED
from tests.support.server import Database, Server
from tests.unit.api.conftest import Library, built_library
from tests.unit.api.serving import served

pytestmark = [pytest.mark.clients, pytest.mark.thorough]
HERE = Path(__file__).parent
# openapi-python-client knows no lines of JSON.
LINES_ARE_TEXT = {"content_type_overrides": {"application/x-ndjson": "text/plain"}}


@pytest.fixture(scope="module")
def library(server: Server, template: Database) -> Iterator[Library]:
    with built_library(server, template, "generators") as built:
        yield built


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "openapi.json").write_bytes(document(asks_who_calls=True))
    return tmp_path


def operations() -> set[str]:
    paths = orjson.loads(document())["paths"].values()
    return {operation["operationId"] for path in paths for operation in path.values()}


def run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=UNREACHED,
        env={"PATH": f"{PYTHON_CLIENT}/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_python_client_calls_every_operation(library: Library, folder: Path) -> None:
    python = PYTHON_CLIENT / "bin" / "python"
    (folder / "config.json").write_text(json.dumps(LINES_ARE_TEXT))
    options = (
        "--path",
        "openapi.json",
        "--config",
        "config.json",
        "--meta",
        "none",
        "--output-path",
        "leads_client",
    )
    said = run(folder, PYTHON_CLIENT / "bin" / "openapi-python-client", "generate", *options)
    assert "WARNING" not in said.upper()
    shutil.copy(HERE / "every_operation.py", folder)
    with served(library.database, folder) as server:
        base = f"http://127.0.0.1:{server.port}"
        printed = json.loads(run(folder, python, "every_operation.py", base, library.tenant, library.phone))
    answers: dict[str, Any] = printed["answers"]
    assert {name.replace("_", "") for name in answers} == {name.lower() for name in operations()}
    assert {status for status, _ in answers.values()} == {200}
    assert not {"NoneType", "Error"} & {kind for _, kind in answers.values()}
    assert set(printed["few"]) == {"name"}


def test_a_client_of_orval_compiles_and_calls_every_operation(library: Library, folder: Path) -> None:
    sender = {"mutator": {"path": "./send.ts", "name": "send"}}
    output = {"target": "./leads.ts", "client": "fetch", "override": sender}
    made = {"input": "./openapi.json", "output": output}
    (folder / "orval.config.cjs").write_text(f"module.exports = {json.dumps({'leads': made})}")
    for file in (*(HERE / "orval").iterdir(), HERE / "tsconfig.json"):
        shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(MODULES)
    for program, *options in (
        (TOOLS / "orval", "--config", "orval.config.cjs"),
        (TOOLS / "tsc", "--module", "commonjs", "--moduleResolution", "node10"),
    ):
        done = node(folder, program, *options)
        assert done.returncode == 0, done.stdout + done.stderr
    with served(library.database, folder) as server:
        base = f"http://127.0.0.1:{server.port}"
        done = node(folder, "out/program.js", base, library.tenant, library.phone)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed == {"statuses": dict.fromkeys(operations(), 200), "phone": library.phone}
