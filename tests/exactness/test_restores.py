"""A database that was restored, upgraded or recovered claims nothing that it lacks, and becomes exact again.

What an operator runs then stands in docs/your-database.md. Failover is in tests/acceptance/test_standby.py and
test_platform_failover.py, a subscription that was made again in test_publications.py.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from projector.core.batch import refresh_batch
from projector.database import locks
from projector.database.rows import Connection
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.operate.erase import erase, ledger, replay
from projector.operate.erase.ledger import Target
from projector.operate.install import migrate
from projector.report.errors import CaptureGapError, NotInstalledError
from projector.report.progress import QUIET
from projector.scheduler.refresh import look
from projector.sweep.recovery import refresh_and_heal
from projector.trial.postgres.embedded import EmbeddedServer
from projector.trial.postgres.programs import Programs, find_programs, find_runner, run_program
from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform, assert_exact, refresh_now, texts, value
from tests.support.ports import free_port
from tests.support.running import wait_until
from tests.support.server import FAST, connect, older_postgresql, postgresql, running_server
from tests.support.standby import running_standby

AS_OF = (
    "SELECT least(min(moment), (SELECT min(late_as_of) FROM read_model.tenants))"
    " FROM read_model.freshness, unnest(shards) AS moment"
)


def run(name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL that is beside those of the tests' server."""
    subprocess.run([postgresql(name), *arguments], check=True, capture_output=True, cwd="/")


@contextmanager
def upgraded(old: EmbeddedServer, older: Path, newer: Programs) -> Iterator[str]:
    """Upgrade the files of a server that was stopped; give the address of the new one, which is stopped at the end."""
    folder = old.folder / "upgraded"
    folder.mkdir()
    shutil.chown(folder, *(old.data.stat().st_uid, old.data.stat().st_gid))
    (old.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\nlocal all all trust\n")
    data, port = folder / "data", free_port()

    def done(name: str, *arguments: str | Path) -> None:
        command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', folder, newer.folder / name, *arguments]
        ended = run_program(command, newer.runner)
        assert ended.returncode == 0, ended.stdout

    done("initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--no-sync", "--no-data-checksums")
    done("pg_upgrade", "-b", older, "-d", old.data, "-D", data, "-U", "postgres", "-s", folder, "-N")
    options = f"-c fsync=off -c port={port} -c unix_socket_directories="
    done("pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/leads"
    finally:
        done("pg_ctl", "-D", data, "-m", "immediate", "stop")


def heal(conn: Connection) -> None:
    """Do what `python -m projector refresh` does."""
    refresh_and_heal(conn, retry_failed=False, progress=QUIET)


def assert_claims_nothing_new(conn: Connection, before: datetime, write: Callable[[], object]) -> None:
    """Assert that nothing moves as-of over a change that is not brought in, and that `status` says why."""
    write()
    with suppress(CaptureGapError, NotInstalledError, psycopg.errors.UndefinedTable):
        look(conn, timedelta(0))
    with suppress(CaptureGapError, NotInstalledError, psycopg.errors.UndefinedTable):
        refresh_batch(conn, locks.SHARDS)
    assert value(conn, AS_OF) <= before
    assert any(
        "missed" in sentence or "migrate" in sentence for sentence in find_attention(read_status(conn))
    )


def delete_lead(conn: Connection) -> None:
    """Delete the rows of the platform that make the lead."""
    for table in ("messages", "extractions", "conversations", "contacts", "template_sends"):
        conn.execute(f"DELETE FROM {table}".encode())


def test_a_dump_that_was_restored(filled: Platform, make_database: MakeDatabase, tmp_path: Path) -> None:
    """Into a new database, with changes that waited when it was made, in parallel. A plain one is below."""
    filled.message("c", "waits")
    made = make_database(None)
    backup = str(tmp_path / "backup")
    run("pg_dump", "--format=directory", "--jobs=2", "--file", backup, filled.database.url)
    run("pg_restore", "--jobs=2", "--dbname", made.url, backup)
    before = value(filled.conn, AS_OF)
    with made.connect() as conn:
        restored = Platform(conn, first=5000)
        assert value(conn, AS_OF) == before
        assert_claims_nothing_new(conn, before, lambda: restored.message("c", "later"))
        migrate(conn, create_source=False)
        heal(conn)
        assert {"waits", "later"} <= set(texts(conn, "one", "4915"))
        assert_exact(conn)
        assert value(conn, AS_OF) > before
        assert find_attention(read_status(conn)) == []


@pytest.mark.parametrize("schema", ["read_model", "projector"])
def test_a_schema_of_ours_that_was_restored_alone(schema: str, filled: Platform, tmp_path: Path) -> None:
    """The queue rows of what was brought in since are gone."""
    conn = filled.conn
    backup = str(tmp_path / "backup")
    run("pg_dump", "--format=custom", "--schema", schema, "--file", backup, filled.database.url)
    filled.message("c", "since")
    refresh_now(conn)
    conn.execute(f"DROP SCHEMA {schema} CASCADE".encode())
    run("pg_restore", "--dbname", filled.database.url, backup)
    with filled.database.connect() as after:
        before = value(after, AS_OF)
        restored = Platform(after, first=5000)
        assert_claims_nothing_new(after, before, lambda: restored.message("c", "later"))
        migrate(after, create_source=False)
        assert any("missed" in sentence for sentence in find_attention(read_status(after)))
        heal(after)
        assert {"since", "later"} <= set(texts(after, "one", "4915"))
        assert_exact(after)


def test_who_was_erased_since_the_backup_is_erased_again(
    filled: Platform, make_database: MakeDatabase, tmp_path: Path
) -> None:
    backup, file = str(tmp_path / "backup"), tmp_path / "erased.jsonl"
    target = Target("one", "4915")
    run("pg_dump", "--file", backup, filled.database.url)
    delete_lead(filled.conn)
    refresh_now(filled.conn)
    erase(filled.conn, target, ledger_file=file, progress=QUIET)
    made = make_database(None)
    run("psql", "--quiet", "--file", backup, made.url)
    with made.connect() as conn:
        migrate(conn, create_source=False)
        heal(conn)
        ledger.synchronize(conn, file)
        erased, refused = replay(conn, progress=QUIET)
        assert (erased, len(refused), bool(texts(conn, "one", "4915"))) == ([], 1, True)
        delete_lead(conn)
        assert replay(conn, progress=QUIET) == ([target], [])
        refresh_now(conn)
        assert_exact(conn)
        assert texts(conn, "one", "4915") == []


def test_a_rewrite_of_the_catalog_is_no_gap(filled: Platform) -> None:
    for table in ("pg_class", "pg_attribute", "pg_trigger", "pg_proc", "pg_inherits"):
        filled.conn.execute(f"VACUUM (FULL, FREEZE) pg_catalog.{table}".encode())
    filled.message("c", "more")
    refresh_now(filled.conn)
    assert "more" in texts(filled.conn, "one", "4915")
    assert find_attention(read_status(filled.conn)) == []
    assert_exact(filled.conn)


def test_a_recovery_to_a_moment_before_a_batch() -> None:
    """Source, queue and read model go back together: the changes of that time wait again, and as-of is that of then."""
    with running_server(**FAST) as server, connect(server.url()) as conn:
        migrate(conn, create_source=True)
        heal(conn)
        platform = Platform(conn)
        lead = platform.conversation(platform.agent(platform.tenant("one")), "4915")
        refresh_now(conn)
        target = {"recovery_target_name": "before_the_batch", "recovery_target_action": "promote"}
        with running_standby(server, **target) as copy:
            platform.message(lead, "waits")
            before = value(conn, AS_OF)
            conn.execute("SELECT pg_create_restore_point('before_the_batch')")
            refresh_now(conn)
            platform.message(lead, "lost")
            refresh_now(conn)
            with copy.connect() as recovered:
                wait_until(recovered, "NOT pg_is_in_recovery()")
            with connect(copy.url) as recovered:
                assert value(recovered, AS_OF) == before
                assert texts(recovered, "one", "4915") == []
                Platform(recovered, first=5000).message(lead, "later")
                refresh_now(recovered)
                assert texts(recovered, "one", "4915") == ["later", "waits"]
                assert find_attention(read_status(recovered)) == []
                assert_exact(recovered)


@pytest.mark.thorough
@pytest.mark.older_postgresql
def test_an_upgrade_of_the_server_under_a_filled_queue() -> None:
    """Waiting changes are kept, and the triggers have another identity."""
    older, newer = older_postgresql(), find_programs(None, find_runner(Path()), Path())
    assert older is not None
    with running_server(older, **FAST) as old:
        with connect(old.url()) as conn:
            migrate(conn, create_source=True)
            heal(conn)
            platform = Platform(conn)
            lead = platform.conversation(platform.agent(platform.tenant("one")), "4915")
            refresh_now(conn)
            platform.message(lead, "waits")
            before = value(conn, AS_OF)
            # A late minor version of 15 notes this of each column, which an early one of a newer version cannot read.
            conn.execute(
                "UPDATE pg_catalog.pg_attribute SET attoptions = NULL WHERE attoptions::text LIKE '{pg_attver=%}'"
            )
        old.stop()
        with upgraded(old, older, newer) as url, connect(url) as conn:
            platform = Platform(conn, first=5000)
            assert_claims_nothing_new(conn, before, lambda: platform.message(lead, "later"))
            migrate(conn, create_source=False)
            heal(conn)
            assert texts(conn, "one", "4915") == ["later", "waits"]
            assert find_attention(read_status(conn)) == []
            assert_exact(conn)
