"""The lines of nginx in docs/start.md: what the API answers behind them, and what stays with the platform."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest

from tests.rules.files import read
from tests.support.ports import free_port
from tests.unit.api.conftest import Library
from tests.unit.api.serving import get, served, wait_until_it_answers

pytestmark = pytest.mark.nginx


class Platform(BaseHTTPRequestHandler):
    """Answers whatever it is asked, with the path as it came."""

    def answer(self) -> None:
        body = f"platform {self.command} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
    setattr(Platform, f"do_{method}", Platform.answer)


@contextmanager
def platform() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Platform) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def nginx(folder: Path, *ports: int) -> Iterator[int]:
    """Run nginx with the lines of the page, and other ports: of the platform, and of the API."""
    [lines] = re.findall(r"```nginx\n(.*?)```", read("docs/start.md"), re.DOTALL)
    own = free_port()
    for written, port in zip(("127.0.0.1:3000", "127.0.0.1:4000"), ports, strict=True):
        lines = lines.replace(written, f"127.0.0.1:{port}")
    lines = lines.replace("listen 8080", f"listen 127.0.0.1:{own}")
    kept = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off; {kept} {lines} }}"
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        ["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL
    )
    try:
        wait_until_it_answers(own, process)
        yield own
    finally:
        process.terminate()
        process.wait()


def test_leads_are_read_from_the_api_and_all_else_is_the_platforms(library: Library, tmp_path: Path) -> None:
    base = f"/users/{quote(library.tenant)}"
    of_leads = (
        "leads", "leads?limit=1", "leads/stats", f"leads/{library.phone}", f"leads/%2B{library.phone}/messages",
        "leads.csv", "leads.ndjson", "messages.ndjson", "lead-changes", "status-changes",
    )  # fmt: skip
    of_platform = (
        "GET /users/u", "GET /leads", "GET /users/u/messages/m%2B1/status", "PUT /users/u/leads/1",
        "DELETE /users/u/leads/1", "POST /users/u/leads", "GET /users/u/leadsx", "POST /login?x=%20",
    )  # fmt: skip
    with platform() as other, served(library.database, tmp_path, LEADS_AUTH="none") as server:
        folder = tmp_path / "nginx"
        folder.mkdir()
        with nginx(folder, other, server.port) as port:
            for path in of_leads:
                status, headers, body = get(port, f"{base}/{path}")
                assert (status, headers["x-content-type-options"]) == (200, "nosniff"), path
                assert not body.startswith(b"platform")
            status, _, body = get(port, f"{base}/leads/lookup", "POST", b'{"customer_phones": ["1"]}')
            assert (status, b"success" in body) == (200, True)
            for method, path, is_of_leads in (
                ("GET", "leads", True), ("POST", "leads/lookup", True),
                ("POST", "leads", False), ("DELETE", "leads/1", False),
            ):  # fmt: skip
                preflight = {"Origin": "https://app.example.com", "Access-Control-Request-Method": method}
                body = get(port, f"{base}/{path}", "OPTIONS", headers=preflight)[2]
                assert body.startswith(b"platform") != is_of_leads, (method, path)
            for asked in of_platform:
                assert (
                    get(port, asked.partition(" ")[2], asked.partition(" ")[0])[2]
                    == f"platform {asked}".encode()
                )
