"""The ledger of erasures: in the database, and in a file that outlives the database.

A line names nobody. It has salted hashes, with which `find_matches` finds who of the ledger is there again. A backup
that is restored brings back the ledger of its time. So a file outside the database has the ledger too: each takes the
lines of the other.
"""

import getpass
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from projector.core.pipeline import Connection
from projector.database.sql import query
from projector.operate.erase.standing import Target
from projector.report.errors import LedgerError

_FIELDS = ("erasure_id", "salt", "tenant_hash", "lead_hash", "asked_at", "asked_by")
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Synchronized:
    """How many lines the ledger took from the file, and the file from the ledger."""

    taken: int
    written: int


def note(conn: Connection, target: Target) -> UUID:
    """Write a line into the ledger, before anything is deleted; return its erasure_id.

    A line of the same tenant or lead whose erasure did not end goes on.
    """
    row = conn.execute(
        query("erasure", "note"), {**target.parameters, "asked_by": _account()}, prepare=False
    ).fetchone()
    if row is None:
        raise AssertionError
    found: UUID = row[0]
    return found


def finish(conn: Connection, erasure_id: UUID) -> None:
    """Note that everything of ours was deleted."""
    conn.execute(query("erasure", "finish"), {"erasure_id": erasure_id})


def find_matches(conn: Connection) -> list[tuple[UUID, Target]]:
    """Return the tenants and leads that the ledger names and that are there again, here or in the source."""
    with conn.transaction():
        # It goes through whole tables.
        conn.execute("SELECT set_config('enable_seqscan', 'on', true)")
        read_model = conn
        stored = [
            row
            for asked in (
                query("erasure", "find_stored_tenants"),
                query("erasure", "find_tenants_of_messages"),
                query("erasure", "find_tenants_with_keys"),
            )
            for row in read_model.execute(asked, prepare=False).fetchall()
        ]
        tenants = conn.execute(
            query("erasure", "find_matching_tenants"), {"stored": [row[0] for row in stored]}, prepare=False
        ).fetchall()
        wanted = {
            "salts": [salt for salt, _, _ in tenants],
            "user_ids": [user_id for _, user_id, _ in tenants],
            "tenant_hashes": [tenant_hash for _, _, tenant_hash in tenants],
        }
        (hashes,) = conn.execute(query("erasure", "read_lead_hashes")).fetchone() or ([],)
        leads = _find_stored_leads(conn, {**wanted, "hashes": hashes})
        wanted |= {
            "lead_users": [user_id for user_id, _, _ in leads],
            "lead_phones": [phone for _, phone, _ in leads],
            "lead_hashes": [lead_hash for _, _, lead_hash in leads],
        }
        found = conn.execute(query("erasure", "find_matches"), wanted, prepare=False).fetchall()
    return [(erasure_id, Target(user_id, phone)) for erasure_id, user_id, phone in found]


def _find_stored_leads(conn: Connection, wanted: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The leads of these tenants that the read model has and the ledger names."""
    read_model = conn
    return read_model.execute(query("erasure", "find_stored_leads"), wanted, prepare=False).fetchall()


def synchronize(conn: Connection, file: Path) -> Synchronized:
    """Take the lines of the file into the ledger, and write those into the file that it lacks.

    Creates the file, for its owner alone. Raises LedgerError, before anything is written, where a line of the file
    cannot be read, and where the file cannot be written.
    """
    try:
        lines = _read(file)
        with conn.transaction():
            taken = sum(conn.execute(query("erasure", "add_line"), line).rowcount for line in lines)
        known = {line["erasure_id"] for line in lines}
        missing = [
            line
            for (line,) in conn.execute(query("erasure", "read_lines")).fetchall()
            if line["erasure_id"] not in known
        ]
        if missing or not file.exists():
            _append(file, missing)
    except OSError as error:
        raise LedgerError(
            f"The ledger file {file} cannot be used: {error.strerror}. Nothing was erased."
        ) from error
    return Synchronized(taken, len(missing))


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
            raise LedgerError(
                f"Line {number} of the ledger file {file} is no line of a ledger: mend or remove it."
                " Nothing was erased."
            ) from None
    return lines


def _append(file: Path, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    # An editor may have left the last line without an end, which would swallow the next one.
    if file.exists() and not file.read_bytes().endswith(b"\n") and file.stat().st_size:
        text = "\n" + text
    file.touch(mode=_MODE)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
