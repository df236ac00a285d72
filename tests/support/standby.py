"""Streaming standbys of a test's own server."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from projector.trial.postgres.embedded import EmbeddedServer, free_port
from tests.support.running import wait_for
from tests.support.server import postgresql

Connection = psycopg.Connection[TupleRow]

_PARENT = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Standby:
    """A running standby: the address of its database, its port, and the primary's."""

    url: str
    port: int
    primary_url: str

    def connect(self) -> Connection:
        """A connection as that of a program that is not ours."""
        return psycopg.connect(self.url, autocommit=True, application_name="test")

    def catch_up(self) -> None:
        """Wait until it shows what has been committed on the primary."""
        with psycopg.connect(self.primary_url, autocommit=True) as primary, self.connect() as conn:
            row = primary.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
            assert row is not None

            def is_there() -> bool:
                return conn.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() == (
                    True,
                )

            wait_for(is_there, f"the standby has replayed {row[0]}")

    def promote(self) -> None:
        with self.connect() as conn:
            assert conn.execute("SELECT pg_promote(wait_seconds => 300)").fetchone() == (True,)

    def both(self, **parameters: str) -> str:
        """The address that lists the primary, then this one."""
        given = conninfo_to_dict(self.primary_url)
        hosts = {"host": f"{given['host']},{given['host']}", "port": f"{given['port']},{self.port}"}
        return make_conninfo(self.primary_url, **hosts, **parameters)


@contextmanager
def running_standby(primary: EmbeddedServer, database: str = "leads", **settings: str) -> Iterator[Standby]:
    """A standby of that server with these settings, stopped and deleted at the end."""
    owner = primary.data.stat()
    folder = Path(tempfile.mkdtemp(prefix=f"leads-tests-{os.getpid()}-standby-", dir=_PARENT))
    # The server's user enters it.
    folder.chmod(0o755)
    data = folder / "data"
    shutil.chown(folder, owner.st_uid, owner.st_gid)

    def run(name: str, *arguments: str) -> None:
        command = [postgresql(name), *arguments]
        user = {"user": owner.st_uid, "group": owner.st_gid}
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **user)  # type: ignore[call-overload]

    try:
        url = primary.url("postgres")
        run("pg_basebackup", "-d", url, "-D", str(data), "-R", "-c", "fast", "-X", "stream")
        port = free_port()
        chosen = {
            "port": str(port),
            "unix_socket_directories": "",
            "wal_receiver_status_interval": "1s",
            **settings,
        }
        with (data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in chosen.items())
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "start")
        try:
            there = primary.url(database)
            yield Standby(make_conninfo(there, port=port), port, there)
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
