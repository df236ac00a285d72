"""The command `demo`."""

from pathlib import Path

from tests.support.commands import projector
from tests.support.server import Database


def test_demo_asks_before_it_writes_into_a_database_of_the_platform(
    tmp_path: Path, source_database: Database
) -> None:
    def users() -> int:
        with source_database.connect() as conn:
            return len(conn.execute("SELECT FROM users").fetchall())

    arguments = ["--database-url", source_database.url, "demo", "--tenants", "2", "--leads", "3"]
    done = projector(tmp_path, *arguments)
    assert (done.returncode, users()) == (1, 0)
    done = projector(tmp_path, *arguments, "--yes", LEADS_LOG_FORMAT="text")
    assert (done.returncode, users()) == (0, 2)
    assert done.stdout.startswith("2 tenants, 6 leads, ")
    assert "Loading demo leads: 6 of 6 leads" in done.stderr
