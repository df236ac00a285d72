"""Streaming standbys of a test's own server."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from projector.database.rows import Connection
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.ports import free_port
from tests.support.running import value, wait_until
from tests.support.server import postgresql, server_folder


@dataclass(frozen=True, slots=True)
class Standby:
    """A running standby: the address of its database, its port, and the primary's."""

    url: str
    port: int
    primary_url: str

    def connect(self) -> Connection:
        """Return a connection as that of a program that is not ours."""
        return Connection.connect(self.url, autocommit=True, application_name="test")

    def catch_up(self) -> None:
        """Wait until it shows what has been committed on the primary."""
        with psycopg.connect(self.primary_url, autocommit=True) as primary, self.connect() as conn:
            committed = value(primary, "SELECT pg_current_wal_flush_lsn()::text")
            wait_until(conn, "pg_last_wal_replay_lsn() >= %s::pg_lsn", committed)

    def promote(self) -> None:
        with self.connect() as conn:
            assert conn.execute("SELECT pg_promote(wait_seconds => 300)").fetchone() == (True,)

    def both(self, **parameters: str) -> str:
        """Return the address that lists the primary, then this one."""
        parts = conninfo_to_dict(self.primary_url)
        hosts = {"host": f"{parts['host']},{parts['host']}", "port": f"{parts['port']},{self.port}"}
        return make_conninfo(self.primary_url, **hosts, **parameters)


@contextmanager
def running_standby(primary: EmbeddedServer, database: str = "leads", **settings: str) -> Iterator[Standby]:
    """Run a standby of that server with these settings; it is stopped and deleted at the end."""
    owner = primary.data.stat()

    def run(name: str, *arguments: str) -> None:
        command = [postgresql(name), *arguments]
        user = {"user": owner.st_uid, "group": owner.st_gid}
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **user)  # type: ignore[call-overload]

    with server_folder(in_memory=True) as folder:
        shutil.chown(folder, owner.st_uid, owner.st_gid)
        data, url, port = folder / "data", primary.url("postgres"), free_port()
        run("pg_basebackup", "-d", url, "-D", str(data), "-R", "-c", "fast", "-X", "stream")
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
