"""The commands of the embedded server."""

from pathlib import Path

from tests.support.commands import projector


def test_the_embedded_server_from_start_to_removal(tmp_path: Path) -> None:
    assert projector(tmp_path, "server", "status").returncode == 1
    try:
        started = projector(tmp_path, "server", "start")
        assert started.returncode == 0
        assert "PostgreSQL runs on 127.0.0.1:" in started.stdout
        url = projector(tmp_path, "server", "url").stdout.strip()
        password = url.split(":")[2].split("@")[0]
        status = projector(tmp_path, "server", "status")
        assert status.returncode == 0
        assert password not in started.stdout + status.stdout
        # Without DATABASE_URL a command finds the embedded server.
        missing = projector(tmp_path, "migrate")
        assert missing.returncode == 1
        assert "users" in missing.stderr
        assert projector(tmp_path, "migrate", "--create-source").returncode == 0
        assert projector(tmp_path, "server", "stop").returncode == 0
        assert projector(tmp_path, "server", "status").returncode == 1
        assert "did not run" in projector(tmp_path, "server", "stop").stdout
        assert projector(tmp_path, "server", "remove").returncode == 1
        assert (tmp_path / ".leads" / "postgres").exists()
    finally:
        assert projector(tmp_path, "server", "remove", "--yes").returncode == 0
    assert not (tmp_path / ".leads" / "postgres").exists()
