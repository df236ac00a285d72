"""Writers from outside: pgbench, from where PostgreSQL's binaries are."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from projector.config import environment_for_postgresql
from tests.benchmarks.fixtures import Database
from tests.support.running import value
from tests.support.server import postgresql

_INSERT = r"""
\set number random(1, :count)
INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status)
SELECT 'benchmark-' || nextval('benchmark.numbers'), conversation_id, 'user',
    'Is this still to be had? Thank you!', now() AT TIME ZONE 'UTC', 'sent'
FROM {};
"""
# One message in a conversation that is not the last one's, or in a hundred; `:count` is how many there are.
SINGLE = _INSERT.format("benchmark.conversations WHERE number = :number")
HUNDRED = _INSERT.format(
    "generate_series(0, 99) AS step"
    " INNER JOIN benchmark.conversations ON conversations.number = 1 + (:number + step * 7919) % :count"
)


@contextmanager
def writing(
    database: Database, script: str, *, clients: int, seconds: float, rate: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """Give writers under way; `tps` waits for them and tells how fast they were."""
    with database.connect() as conn:
        count = value(conn, "SELECT count(*) FROM benchmark.conversations")
    # It knows whole seconds only; a shorter run is so many transactions.
    length = f"-T{round(seconds)}" if seconds >= 1 else "-t50"
    command = [postgresql("pgbench"), "-n", "-Mprepared", f"-c{clients}", "-j1", length, f"-Dcount={count}"]
    command += ["-R", str(rate)] if rate else []
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        with subprocess.Popen(
            [*command, "-f", file.name, database.url],
            env=environment_for_postgresql(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def tps(process: subprocess.Popen[str]) -> float:
    """Return transactions a second, without the time to connect, at the end."""
    output, errors = process.communicate()
    match = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
    if process.returncode or match is None:
        raise RuntimeError(f"pgbench failed: {errors.strip()}")
    return float(match[1])
