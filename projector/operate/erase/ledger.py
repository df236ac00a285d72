"""The ledger of erasures: in the database, and in a file that outlives the database.

A line names no customer once its erasure has ended. It has salted hashes, by which `find_matches` finds what exists
again. A restored backup brings back the ledger of its time. So a file outside the database has the ledger too, and each
takes the lines of the other.
"""

import getpass
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from projector.database.rows import Connection, value, values
from projector.database.sql import query
from projector.report.counted import escape_hidden
from projector.report.errors import ProjectorError

_FIELDS = ("erasure_id", "salt", "tenant_hash", "lead_hash", "asked_at", "asked_by")


@dataclass(frozen=True, slots=True)
class Target:
    """The subject of an erasure: a tenant, or its lead with this canonical phone."""

    user_id: str
    customer_phone: str | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """Return the parameters user_id and customer_phone of a query."""
        return {"user_id": self.user_id, "customer_phone": self.customer_phone}

    def __str__(self) -> str:
        """Name it for the operator."""
        tenant = f"tenant {escape_hidden(self.user_id)}"
        if self.customer_phone is None:
            return tenant
        return f"lead {escape_hidden(self.customer_phone)} of {tenant}"


def note(conn: Connection, target: Target) -> UUID:
    """Write a line into the ledger, before anything is deleted; return its erasure_id.

    An erasure of the same tenant or lead that has not ended continues with its line.
    """
    for erasure_id, unfinished in read_unfinished(conn):
        if unfinished == target:
            return erasure_id
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = f"uid {os.getuid()}"
    noted: UUID = value(conn, query("operate", "note"), {**target.parameters, "asked_by": account})
    return noted


def finish(conn: Connection, erasure_id: UUID) -> None:
    """Note that everything was deleted."""
    conn.execute(query("operate", "finish"), {"erasure_id": erasure_id})


def read_unfinished(conn: Connection) -> list[tuple[UUID, Target]]:
    """Return the erasures that have not ended, with their targets."""
    return [
        (UUID(line["erasure_id"]), Target(line["user_id"], line["customer_phone"]))
        for line in values(conn, query("operate", "read_lines"))
        if line["finished_at"] is None and line["user_id"] is not None
    ]


def synchronize(conn: Connection, file: Path) -> tuple[int, int]:
    """Copy missing lines from the file to the ledger and from the ledger to the file; return both numbers.

    Creates the file, readable by its owner alone. Raises ProjectorError, before anything is written, if a line of the
    file cannot be read, or if the file cannot be written.
    """
    try:
        lines = _read(file)
        with conn.transaction():
            taken = sum(value(conn, query("operate", "add_line"), {"line": Jsonb(line)}) for line in lines)
        in_file = {line["erasure_id"] for line in lines}
        stored = values(conn, query("operate", "read_lines"))
        missing = [
            {name: line[name] for name in _FIELDS} for line in stored if line["erasure_id"] not in in_file
        ]
        if missing or not file.exists():
            _append(file, missing)
    except OSError as error:
        raise ProjectorError(
            f"The ledger file {file} cannot be used: {error.strerror}. Nothing was erased."
        ) from error
    return taken, len(missing)


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    lines = []
    for number, text in enumerate(file.read_text("utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            UUID(line["erasure_id"])
            lines.append({name: line[name] for name in _FIELDS})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ProjectorError(
                f"Line {number} of the ledger file {file} is no line of a ledger: mend or remove it."
                " Nothing was erased."
            ) from None
    return lines


def _append(file: Path, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    # An editor may have left the last line without an end, which would swallow the next one.
    if file.exists() and not file.read_bytes().endswith(b"\n") and file.stat().st_size:
        text = "\n" + text
    file.touch(mode=0o600)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
