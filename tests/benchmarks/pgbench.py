"""Writers from outside: pgbench, from where PostgreSQL's binaries are."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from projector.config import environment_for_postgresql
from projector.trial.postgres.programs import find_programs

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


@cache
def find() -> Path:
    """Return the program, which is beside those of the server."""
    given = os.environ.get("LEADS_PG_BIN")
    return find_programs(Path(given) if given else None, None, Path()).folder / "pgbench"


@contextmanager
def writing(  # noqa: PLR0913  # pgbench's own options.
    url: str, script: str, *, clients: int, seconds: float, count: int, rate: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """Give writers under way; `tps` waits for them and tells how fast they were."""
    with tempfile.TemporaryDirectory(prefix="leads-benchmark-") as folder:
        file = Path(folder) / "writers.sql"
        file.write_text(script)
        # It knows whole seconds only; a shorter run is so many transactions.
        length = f"-T{round(seconds)}" if seconds >= 1 else "-t50"
        command = [str(find()), "-n", "-Mprepared", f"-c{clients}", "-j1", length]
        command += ["-D", f"count={count}", "-f", str(file), *(["-R", str(rate)] if rate else []), url]
        with subprocess.Popen(
            command,
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
    found = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
    if process.returncode or found is None:
        raise RuntimeError(f"pgbench failed: {errors.strip()}")
    return float(found[1])
