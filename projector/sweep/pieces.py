"""The pieces that a sweep compares at once, ordered by tenant and phone, and the position of a sweep.

A sweep visits every lead that the key table or any table of the read model has, rightly or not. A sweep of
everything stores its position by purpose and projection version: a killed sweep is resumed there, and never
at the position of another one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from projector.core import pipeline
from projector.database import rows
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION, query
from projector.model.leads import places_of_leads
from projector.sweep.drift import Item
from projector.sweep.leads import LeadKey

REBUILD, VERIFY = "rebuild", "verify"
"""The purposes: a rebuild of everything, and the present round of the scheduler's verify."""

START: Sequence[str] = ("", "")
"""Where a phase begins."""

PHASES = ("keys", "leads", "statistics")
"""The phases of a sweep. Leads are found by keys, so these come first."""

AGAIN = "again"
"""The last phase of a verify compares items that waited, or that differed before and were not reached."""

_IN_RANGE = (
    "(r.user_id, r.customer_phone) > (%(after_user)s, %(after_phone)s)"
    " AND (%(last_user)s::text IS NULL OR r.user_id <= %(last_user)s)"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """The items that one comparison covers: leads, keys, or the statistics of tenants.

    `keys` is None for all keys, and `tenants` for all tenants. `next_phase` and `after` are where the sweep is when the
    piece is done.
    """

    phase: str
    next_phase: str
    after: Sequence[str] = START
    leads: Sequence[LeadKey] = ()
    keys: Sequence[Item] | None = ()
    tenants: Sequence[str] | None = None


def pieces(
    conn: Connection,
    tenants: Sequence[str] | None,
    size: int,
    phase: str = PHASES[0],
    after: Sequence[str] = START,
) -> Iterator[Piece]:
    """Yield the pieces of these tenants, or of everything from a position on; `size` is how many leads one has."""
    if phase == "keys":
        yield Piece("keys", "leads", keys=None, tenants=tenants)
    if phase in {"keys", "leads"}:
        starts = [(after, None)] if tenants is None else [((name, ""), name) for name in sorted(set(tenants))]
        for start, last_user in starts:
            done = start
            while leads := find_next_leads(conn, places_of_leads(), done, size, last_user):
                done = leads[-1]
                yield Piece("leads", "leads", done, leads)
    if phase != AGAIN:
        yield Piece("statistics", AGAIN, tenants=tenants)


def find_next_leads(
    conn: Connection, places: Sequence[str], after: Sequence[str], size: int, last_user: str | None = None
) -> list[LeadKey]:
    """Return the next leads of these relations by tenant and phone, up to those of the last tenant."""
    parameters = {"after_user": after[0], "after_phone": after[1], "last_user": last_user, "size": size}
    return find_leads(conn, places, _IN_RANGE, parameters)


def find_leads(
    conn: Connection, relations: Sequence[str], condition: str, parameters: Mapping[str, object]
) -> list[LeadKey]:
    """Return the next leads, by tenant and phone, that one of the relations has.

    The condition is on `r`; `parameters` are those of it, and `size`, how many leads there are at most.
    """
    parts = (query("sweep", "find_leads_in", relation=place, condition=condition) for place in relations)
    text = " UNION ".join(f"({part.rstrip(';')})" for part in parts)
    text = query("sweep", "sort_leads", leads=text)
    return conn.execute(text, parameters, prepare=False).fetchall()


def sample_leads(conn: Connection, size: int, tenants: Sequence[str] | None) -> list[LeadKey]:
    """Return at most so many leads of these tenants, or of all, chosen at random."""
    parameters = {"size": size, **pipeline.tenants_parameter(tenants)}
    return conn.execute(query("sweep", "sample_leads"), parameters, prepare=False).fetchall()


def count_leads(conn: Connection, tenants: Sequence[str] | None) -> int:
    """Return about how many leads there are to compare."""
    parameters = pipeline.tenants_parameter(tenants)
    stored = rows.value(conn, query("sweep", "count_stored_leads"), parameters)
    keyed = rows.value(conn, query("sweep", "count_keyed_leads"), parameters)
    return int(max(stored, keyed))


def split_items(items: Sequence[Item]) -> tuple[list[LeadKey], list[Item]]:
    """Return the leads among some items, and the keys."""
    leads = [(item.user_id, item.customer_phone) for item in items if not item.key]
    return leads, [item for item in items if item.key]


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a sweep: its phase, and the last lead of that phase that is done.

    `parts` are the keys of the parts of the read model that there were when it began.
    """

    started_at: datetime
    phase: str = PHASES[0]
    after: Sequence[str] = START
    parts: Sequence[str] = ()


def read_position(conn: Connection, purpose: str) -> Position | None:
    """Return the position of the sweep with this purpose and our projection version; None without one."""
    return rows.row(conn, Position, query("sweep", "read_position"), _of(purpose))


def begin_sweep(conn: Connection, purpose: str, phase: str) -> Position:
    """Note that a sweep begins, and return its position. All others of this purpose are forgotten."""
    with conn.transaction():
        forget_sweep(conn, purpose)
        begun = {**_of(purpose), "phase": phase, "parts": read_parts(conn)}
        return rows.only_row(conn, Position, query("sweep", "begin_sweep"), begun)


def read_parts(conn: Connection) -> list[str]:
    """Return the keys of the parts of the read model that a build of everything fills from now on."""
    return rows.values(conn, query("sweep", "read_parts"))


def move_sweep(conn: Connection, purpose: str, phase: str, after: Sequence[str]) -> None:
    """Note how far a sweep is."""
    to = {"phase": phase, "after_first": after[0], "after_second": after[1]}
    conn.execute(query("sweep", "move_sweep"), {**_of(purpose), **to})


def forget_sweep(conn: Connection, purpose: str) -> None:
    """Forget where the sweeps of a purpose are."""
    conn.execute(query("sweep", "forget_sweep"), {"purpose": purpose})


def _of(purpose: str) -> dict[str, str]:
    return {"purpose": purpose, "version": PROJECTION_VERSION}
