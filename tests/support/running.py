"""A scheduler as an operator runs it, and waiting for what it does."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from projector.database.rows import Connection
from tests.support.commands import started
from tests.support.patience import PATIENCE


def wait_for(
    fact: Callable[[], object],
    what: str,
    patience: float = PATIENCE,
    pause: float = 0.02,
    sees: Callable[[], object] = lambda: "",
) -> None:
    """Wait until a condition is met. Fails after some seconds, with the last answer and what `sees()` returns."""
    deadline = time.monotonic() + patience
    while not (answer := fact()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not so after {patience:.0f} s, but {answer!r}: {what}\n{sees()}".rstrip())
        time.sleep(pause)


def value(conn: psycopg.Connection[Any], query: str, *values: object) -> Any:  # noqa: ANN401  # Whatever was asked for.
    """Return the first column of the first row; None where there is no row."""
    row = conn.execute(query.encode(), values or None).fetchone()
    return None if row is None else row[0]


def wait_until(conn: Connection, condition: str, *values: object, patience: float = PATIENCE) -> None:
    def sessions() -> str:
        doing = "pid, application_name, state, wait_event, pg_blocking_pids(pid), left(query, 200)"
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        return "\n".join(
            map(str, conn.execute(f"SELECT {doing} FROM pg_stat_activity WHERE {others}".encode()))
        )

    wait_for(lambda: value(conn, f"SELECT {condition}", *values) is True, condition, patience, sees=sessions)


class Scheduler:
    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def events(self, job: str = "") -> list[str]:
        """Return the events of the log, or those of a job."""
        return [str(line["event"]) for line in self.logged() if not job or line.get("job") == job]

    def wait_for_event(self, event: str, times: int = 1, job: str = "") -> None:
        wait_for(
            lambda: self.events(job).count(event) >= times, f"{event} in the log: {self._log.read_text()}"
        )

    def terminate(self) -> int:
        """Ask it to end; the answer is its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running_scheduler(url: str, folder: Path, **settings: str) -> Iterator[Scheduler]:
    """Run a scheduler on a database; it is killed at the end, if it still runs."""
    log = folder / f"{time.monotonic_ns()}.log"
    chosen = {"DATABASE_URL": url, "LEADS_REFRESH_SECONDS": "0.05", "LEADS_LOG_FORMAT": "json", **settings}
    with started(["-m", "projector", "run"], folder, log, **chosen) as process:
        scheduler = Scheduler(process, log)
        try:
            yield scheduler
        finally:
            scheduler.kill()


def write_source(conn: Connection, tenant: str = "u") -> None:
    """Write a tenant with an agent, a channel and one conversation."""
    conn.execute("INSERT INTO users (user_id) VALUES (%s)", (tenant,))
    conn.execute(
        "INSERT INTO phone_numbers (id, user_id, platform) VALUES (%s, %s, 'whatsapp')",
        (f"p-{tenant}", tenant),
    )
    conn.execute(
        "INSERT INTO agents (agent_id, user_id, phone_number_id, name) VALUES (%s, %s, %s, 'Ada')",
        (f"a-{tenant}", tenant, f"p-{tenant}"),
    )
    write_conversations(conn, 1, tenant)


def write_conversations(conn: Connection, count: int, tenant: str = "u", first: int = 1) -> None:
    """Write more conversations of a tenant, `c-TENANT-1` of the lead 49151000001 and so on."""
    conn.execute(
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone)"
        " SELECT 'c-' || %(tenant)s || '-' || n, 'a-' || %(tenant)s, 49151000000 + n"
        " FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n",
        {"tenant": tenant, "first": first, "last": first + count - 1},
    )


def write_message(conn: Connection, message_id: str, text: str = "Hello", tenant: str = "u") -> None:
    conn.execute(
        "INSERT INTO messages (message_id, conversation_id, sender, text) VALUES (%s, %s, 'user', %s)",
        (message_id, f"c-{tenant}-1", text),
    )
