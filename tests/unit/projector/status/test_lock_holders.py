"""Which sessions hold the locks of the projectors, and which of them are none of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from projector.database import locks
from projector.observe.status import find_attention, read_status, render
from projector.observe.status.lock_holders import read_lock_holders
from tests.support.commands import projector
from tests.support.server import Database
from tests.unit.projector.status.reading import Connection, one_sentence

STRANGER = "leads_test_stranger"


@pytest.fixture
def stranger(built: Connection) -> Iterator[Database]:
    """The database for a login that has no right but to connect."""
    built.execute(f"CREATE ROLE {STRANGER} LOGIN PASSWORD 'x'".encode())
    try:
        yield Database(url_of(built), built.info.dbname).by(STRANGER)
    finally:
        built.execute(f"DROP ROLE {STRANGER}".encode())


def url_of(conn: Connection) -> str:
    """The address of a connection's database, for another login too."""
    info = conn.info
    host = quote(info.host, safe="")
    return f"postgresql://{info.user}:{info.password}@{host}:{info.port}/{info.dbname}"


def take(conn: Connection, lock_class: int, key: int = 0) -> None:
    conn.execute("SELECT pg_advisory_lock(%s, %s)", (lock_class, key))


def test_nobody_holds_a_lock_at_rest(built: Connection) -> None:
    # Our own locks, and those of others that are no locks of ours, are left out.
    take(built, locks.REBUILD)
    built.execute("SELECT pg_advisory_lock(1, 2), pg_advisory_lock(2010369)")
    assert read_lock_holders(built) == []
    assert "Locks" not in render(read_status(built))


def test_a_stranger_who_stops_the_projector_is_named(
    built: Connection, stranger: Database, tmp_path: Path
) -> None:
    with stranger.connect(application_name="grab\x1b[31m") as conn:
        pid = conn.info.backend_pid
        for shard in locks.SHARDS:
            take(conn, locks.SHARD, shard)
        take(conn, locks.REBUILD)
        [holder] = read_lock_holders(built)
        assert (holder.pid, holder.login, holder.is_ours) == (pid, STRANGER, False)
        assert holder.purposes == ["rebuilds", "refreshes"]
        assert holder.since is not None
        sentence = one_sentence(read_status(built))
        assert sentence.startswith(
            f"Process {pid} keeps rebuilds and refreshes waiting: it holds locks of the projector and is no session of"
            f" it (login {STRANGER}, program grab"
        )
        assert f"SELECT pg_terminate_backend({pid});" in sentence
        assert "\x1b" not in sentence
        done = projector(tmp_path, "--database-url", url_of(built), "status", "--json")
        assert done.returncode == 1
        assert [held["pid"] for held in json.loads(done.stdout)["locks"]] == [pid]


def test_a_session_of_ours_is_shown_and_needs_nobody(built: Connection) -> None:
    own = Database(url_of(built), built.info.dbname)
    with own.connect(application_name="leads-projector rebuild") as conn:
        take(conn, locks.JOB, locks.VERIFY_JOB)
        status = read_status(built)
        assert find_attention(status) == []
        [holder] = status.lock_holders
        assert holder.is_ours
        assert f"process {conn.info.backend_pid}, leads-projector rebuild" in render(status)
