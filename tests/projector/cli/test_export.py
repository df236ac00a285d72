"""The command `export`."""

from pathlib import Path

from projector.progress import QUIET
from projector.rebuild import rebuild
from projector.refresh import refresh
from tests.projector.cli.calls import call
from tests.support.commands import projector
from tests.support.running import write_message, write_source
from tests.support.server import Database


def test_it_writes_a_file_and_says_what_is_in_it(tmp_path: Path, database: Database) -> None:
    with database.connect() as conn:
        write_source(conn)
        write_message(conn, "m1")
        rebuild(conn, tenants=None, progress=QUIET)
        refresh(conn, retry_failed=False, progress=QUIET)
    done = projector(
        tmp_path, "--database-url", database.url, "export", "--user", "u", "--output", "leads.csv"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("leads.csv: 1 lead, as of 20")
    assert (tmp_path / "leads.csv").read_text().count("\n") == 2
    messages = ("export", "--user", "u", "--kind", "messages.ndjson", "--output", "messages")
    for arguments, count in ((("--to", "2001-01-01"), 0), (("--from", "2001-01-01"), 1)):
        done = projector(tmp_path, "--database-url", database.url, *messages, *arguments)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "messages").read_text().count("\n") == count
    done = projector(tmp_path, "--database-url", database.url, "export", "--user", "v", "--output", "v.csv")
    assert (done.returncode, (tmp_path / "v.csv").exists()) == (1, False)


def test_wrong_usage() -> None:
    assert call("export", "--user", "u").exit_code == 2
    assert call("export", "--output", "x").exit_code == 2
    assert call("export", "--user", "u", "--output", "x", "--from", "2025-01-01").exit_code == 2
    assert call("export", "--user", "u", "--output", "x", "--kind", "leads.xls").exit_code == 2
