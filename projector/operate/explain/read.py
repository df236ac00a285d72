"""Reads what competes for the fields of a lead, in the caller's transaction."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from projector.core.batch import first_line, is_lead_failure
from projector.core.pipeline import Connection
from projector.database.sql import definition, query
from projector.operate.explain.model import Letter, WaitingChange

LOOKED_AT = 10_000
"""So many waiting changes, and keys of them, are looked at: an explanation costs the same however long the queue is."""

SHOWN_CHARACTERS = 200
"""At this length a text of a losing row is cut."""

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """What decides how a difference is to be read, as the queries read_projection and read_state return it."""

    version: str
    gap: str | None
    is_rebuilding: bool
    truncates: bool
    is_longer: bool
    is_tenant: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a source row. `is_own`: it belongs to the lead now; `is_known`: the read model knows it under it."""

    kind: str
    key: str
    is_own: bool
    is_known: bool


@dataclass(slots=True)
class Evidence:
    """All that was read of a lead; the rankings have at most so many rows as were asked for, winners first."""

    state: State
    keys: list[Key]
    stored: dict[str, Any] | None = None
    computed: dict[str, Any] | None = None
    failure: str | None = None
    waiting: list[WaitingChange] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    extractions: list[Found] = field(default_factory=list)
    contacts: list[Found] = field(default_factory=list)
    conversations: list[Found] = field(default_factory=list)
    last_messages: list[Found] = field(default_factory=list)
    first_messages: list[Found] = field(default_factory=list)
    sends: list[Found] = field(default_factory=list)

    @property
    def counted_sends(self) -> list[Found]:
        """The template sends that count, the newest first."""
        return [send for send in self.sends if send["is_counted"]]


def read_evidence(
    conn: Connection, user_id: str, phone: str, *, spellings: Iterable[str], size: int
) -> Evidence:
    """Read what there is of a lead; `size` bounds each ranking, `spellings` are forms that the phone may be stored in.

    Needs a transaction of one snapshot.
    """
    lead = {"user_id": user_id, "customer_phone": phone, "bound": LOOKED_AT, "size": size}
    state = _read_state(conn, lead)
    with conn.cursor(row_factory=class_row(Key)) as cursor:
        given = {**lead, "spellings": sorted(set(spellings))}
        keys = cursor.execute(query("explain", "find_keys"), given).fetchall()
    found = Evidence(state, keys)
    every = {**lead, **_arrays(keys)}
    with conn.cursor(row_factory=class_row(WaitingChange)) as changes:
        found.waiting = changes.execute(query("explain", "find_waiting"), every).fetchall()
    with conn.cursor(row_factory=class_row(Letter)) as letters:
        found.letters = letters.execute(query("explain", "find_letters"), every).fetchall()
    found.stored = _document(conn.execute(query("explain", "read_document"), lead).fetchone())
    own = {**lead, **_arrays(key for key in keys if key.is_own), "characters": SHOWN_CHARACTERS}
    _compute(conn, found, own)
    for name in ("extractions", "contacts", "conversations", "last_messages", "first_messages", "sends"):
        with conn.cursor(row_factory=dict_row) as ranked:
            setattr(found, name, ranked.execute(query("explain", f"rank_{name}"), own).fetchall())
    return found


def _read_state(conn: Connection, lead: Found) -> State:
    with conn.cursor(row_factory=dict_row) as stored:
        projection = stored.execute(query("explain", "read_projection"), lead).fetchone()
    with conn.cursor(row_factory=dict_row) as states:
        state = states.execute(query("explain", "read_state"), lead).fetchone()
    if projection is None or state is None:
        raise LookupError("read_model.projection has no row.")
    return State(
        version=projection["version"],
        gap=projection["gap"] or state["gap"],
        is_rebuilding=state["is_rebuilding"],
        truncates=state["truncates"],
        is_longer=state["is_longer"],
        is_tenant=state["is_tenant"] or projection["is_tenant"],
    )


def canonical_phone(conn: Connection, phone: str) -> str | None:
    """Return the canonical form of a phone; None for a blank."""
    row = conn.execute(query("explain", "canonical_phone"), {"phone": phone}).fetchone()
    return None if row is None else row[0]


def count_leads(conn: Connection, user_id: str) -> int:
    """Return how many leads a tenant has."""
    row = conn.execute(query("explain", "count_leads"), {"user_id": user_id}).fetchone()
    return 0 if row is None else row[0]


def compute_statement() -> bytes:
    """Return the statement that computes a lead by the definition."""
    return query(
        "explain",
        "compute_document",
        leads="own_lead",
        keys="own_keys",
        fence="OFFSET 0",
        messages="own_messages",
        lead_profiles="own_profile",
        lead_conversations="own_conversations",
        last_messages=f"({definition('last_messages', messages='newest_messages')})",
    ).encode()


def _compute(conn: Connection, found: Evidence, own: dict[str, Any]) -> None:
    """Compute the lead; where its data make the definition fail, note the error."""
    try:
        with conn.transaction():
            found.computed = _document(conn.execute(compute_statement(), own).fetchone())
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        found.failure = first_line(error)


def _arrays(keys: Iterable[Key]) -> dict[str, list[str]]:
    chosen = list(keys)
    return {"kinds": [key.kind for key in chosen], "keys": [key.key for key in chosen]}


def _document(row: tuple[Any, ...] | None) -> dict[str, Any] | None:
    return None if row is None else json.loads(row[0])
