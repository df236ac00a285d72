"""What the documents give for “when a lead becomes Hot, do this once”, killed between doing and remembering."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from projector.database.rows import Connection
from tests.exactness.platform import refresh_now
from tests.support.commands import ROOT
from tests.support.node import MODULES, has_node_tools
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.running import wait_for
from tests.support.server import Database
from tests.unit.api.serving import served

FLOWS = ROOT / "docs" / "flows"
# Types are no part of what Node.js runs.
_TRANSPILE = (
    "const ts = require(process.argv[1]); const fs = require('fs');"
    "fs.writeFileSync('flow.mjs', ts.transpileModule(fs.readFileSync(process.argv[2], 'utf8'),"
    " {compilerOptions: {module: 'esnext', target: 'es2022'}}).outputText)"
)


def _command(kind: str, folder: Path) -> list[str]:
    if kind == "py":
        return [sys.executable, str(FLOWS / "when_hot.py")]
    if not has_node_tools():
        pytest.skip("needs the tools of Node.js: `make client-types`")
    transpile = ["node", "-e", _TRANSPILE, str(MODULES / "typescript"), str(FLOWS / "when_hot.ts")]
    subprocess.run(transpile, check=True, cwd=folder, timeout=UNREACHED)
    return [str(shutil.which("node")), "flow.mjs"]


class Called(ThreadingHTTPServer):
    """What the flow calls: it takes each key once.

    It kills the flow at the first call that `kills` is set for, and refuses that for which `refuses` is.
    """

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.statuses: set[tuple[str | None, str]] = set()
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = False
        self.refuses = False
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Called

    def do_POST(self) -> None:
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.append(self.headers["Idempotency-Key"])
        self.server.statuses.add((self.headers["Content-Type"], change["lead_status"]))
        if self.server.kills and self.server.process is not None:
            self.server.kills = False
            self.server.process.kill()
            return
        self.send_response(429 if self.server.refuses else 204)
        self.end_headers()
        self.server.refuses = False

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(
    command: list[str], folder: Path, called: Called, api: int
) -> Iterator["subprocess.Popen[bytes]"]:
    urls = {
        "TENANT_URL": f"http://127.0.0.1:{api}/users/u",
        "HOOK_URL": f"http://127.0.0.1:{called.server_port}/",
    }
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **urls})
    called.process = process
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


def become(conn: Connection, status: str, hour: int) -> str:
    """Have the newest extraction of the lead give it this status; returns what identifies the change."""
    extraction = str(uuid4())
    conn.execute(
        "INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag, extracted_at)"
        " SELECT %s, conversation_id, %s, '2026-01-01'::timestamp + make_interval(hours => %s) FROM conversations",
        (extraction, status, hour),
    )
    refresh_now(conn)
    phone = conn.execute("SELECT customer_phone FROM conversations").fetchone()
    assert phone is not None
    return f"{phone[0]}/{extraction}/{status}"


@pytest.mark.parametrize("kind", ["py", pytest.param("ts", marks=pytest.mark.node)])
def test_what_is_done_once_is_done_once(filled: Database, tmp_path: Path, kind: str) -> None:
    command = _command(kind, tmp_path)
    memory = tmp_path / ("when_hot.db" if kind == "py" else "when_hot.json")
    journal = tmp_path / "when_hot.db-journal"
    called = Called()
    Thread(target=called.serve_forever, daemon=True).start()
    with filled.connect() as conn, served(filled, tmp_path) as api:

        def wait_until_done(key: str) -> None:
            # SQLite has committed once its journal is gone.
            wait_for(
                lambda: key.encode() in memory.read_bytes() and not journal.exists(),
                f"{key}, of {called.keys}",
                PATIENCE,
            )

        become(conn, "Hot", 1)
        become(conn, "Cold", 2)
        with running(command, tmp_path, called, api.port):
            wait_for(lambda: memory.exists() and b"AAAA" in memory.read_bytes(), "a token", PATIENCE)
            second = become(conn, "Hot", 3)
            wait_until_done(second)
        become(conn, "Warm", 4)
        third = become(conn, "Hot", 5)
        called.kills = True
        with running(command, tmp_path, called, api.port) as flow:
            # It has done it, and does not remember.
            assert flow.wait(PATIENCE) != 0
        with running(command, tmp_path, called, api.port):
            wait_until_done(third)
            become(conn, "Warm", 6)
            called.refuses = True
            fourth = become(conn, "Hot", 7)
            wait_until_done(fourth)
        # No token is known any more: it begins with the export.
        become(conn, "Warm", 8)
        fifth = become(conn, "Hot", 9)
        conn.execute("UPDATE read_model.tenants SET epoch = gen_random_uuid()")
        with running(command, tmp_path, called, api.port):
            wait_until_done(fifth)
            become(conn, "Warm", 10)
            sixth = become(conn, "Hot", 11)
            wait_until_done(sixth)
    called.shutdown()
    called.server_close()
    assert called.keys == [second, third, third, fourth, fourth, fifth, sixth]
    assert called.statuses == {("application/json", "Hot")}
