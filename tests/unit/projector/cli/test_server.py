"""The commands of the embedded server."""

import re
from pathlib import Path

from tests.support.commands import run_command


def test_the_embedded_server_from_start_to_removal(tmp_path: Path) -> None:
    assert run_command(tmp_path, "server", "status").returncode == 1
    try:
        started = run_command(tmp_path, "server", "start")
        assert started.returncode == 0
        assert "PostgreSQL runs on 127.0.0.1:" in started.stdout
        url = run_command(tmp_path, "server", "url").stdout.strip()
        password = url.split(":")[2].split("@")[0]
        status = run_command(tmp_path, "server", "status")
        assert status.returncode == 0
        assert password not in started.stdout + status.stdout
        # Without DATABASE_URL a command finds the embedded server.
        missing = run_command(tmp_path, "migrate")
        assert missing.returncode == 1
        assert re.search(r"table phone_numbers is missing; .* --create-source", missing.stderr)
        assert run_command(tmp_path, "migrate", "--create-source").returncode == 0
        assert run_command(tmp_path, "server", "stop").returncode == 0
        assert run_command(tmp_path, "server", "status").returncode == 1
        assert "did not run" in run_command(tmp_path, "server", "stop").stdout
        assert run_command(tmp_path, "server", "remove").returncode == 1
        assert (tmp_path / ".leads" / "postgres").exists()
    finally:
        assert run_command(tmp_path, "server", "remove", "--yes").returncode == 0
    assert not (tmp_path / ".leads" / "postgres").exists()
