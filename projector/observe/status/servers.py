"""The two servers of a read model in a database of its own: where each is, and whether it answers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import TupleRow, class_row, dict_row

from projector.database.connect import connect
from projector.database.sql import query
from projector.report.errors import ProjectorError
from projector.sides import both, is_apart

Connection = psycopg.Connection[TupleRow]

PLATFORM, READ_MODEL = "platform", "read model"


@dataclass(frozen=True, slots=True)
class ServerState:
    """One of the two servers.

    `place` is its database and address, `version` that of PostgreSQL. `clock_ahead` is by how many seconds its clock is
    before that of the platform's server. `problem` says why the server cannot be reached. While the other one cannot
    be, `changes` and `lag` are what waits here, and `as_of` is how fresh the read model is here.
    """

    side: str
    place: str | None = None
    version: str | None = None
    clock_ahead: float | None = None
    problem: str | None = None
    changes: int | None = None
    lag: float | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    version: str
    clock: datetime


def read_servers(conn: Connection) -> list[ServerState]:
    """Return the servers of the platform and of the read model; none where one database holds both."""
    if not is_apart(conn):
        return []
    (platform, seen, at), (other, other_seen, other_at) = ((one, *_look(one)) for one in both(conn))
    expected = seen.clock + timedelta(seconds=other_at - at)
    return [
        ServerState(PLATFORM, _place(platform), seen.version, 0.0),
        ServerState(
            READ_MODEL,
            _place(other),
            other_seen.version,
            round((other_seen.clock - expected).total_seconds(), 3),
        ),
    ]


def find_lost(servers: Sequence[ServerState]) -> list[ServerState]:
    """Return those of the servers that cannot be reached."""
    return [server for server in servers if server.problem is not None]


def find_servers(urls: Sequence[str], application_name: str, counted_up_to: int) -> list[ServerState]:
    """Return the servers of the platform and of the read model, each by a connection of its own.

    Changes that wait are counted up to a bound.
    """
    platform, other = urls
    return [
        _find(PLATFORM, platform, application_name, counted_up_to),
        _find(READ_MODEL, other, application_name, counted_up_to),
    ]


def _find(side: str, url: str, application_name: str, counted_up_to: int) -> ServerState:
    try:
        with connect(url, application_name=application_name, of=f" of the {side}") as conn:
            state = ServerState(side, _place(conn), _look(conn)[0].version)
            found = _read_queue(conn, counted_up_to) if side == PLATFORM else _read_as_of(conn)
            return replace(state, **found)
    except (ProjectorError, psycopg.Error) as error:
        return ServerState(side, problem=str(error).strip().partition("\n")[0].rstrip("."))


def _read_queue(conn: Connection, bound: int) -> dict[str, int | float | None]:
    if conn.execute(query("status", "is_installed")).fetchone() != (True,):
        return {}
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("status", "read_queue"), {"bound": bound}).fetchone() or {}


def _read_as_of(conn: Connection) -> dict[str, datetime | None]:
    if conn.execute(query("status", "has_projection")).fetchone() != (True,):
        return {}
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query("status", "read_projection")).fetchone() or {}
    return {"as_of": found.get("as_of")}


def _look(conn: Connection) -> tuple[_Seen, float]:
    """Return what a server says of itself, and the moment at which it did."""
    with conn.cursor(row_factory=class_row(_Seen)) as cursor:
        seen = cursor.execute(query("status", "read_server")).fetchone()
    if seen is None:
        raise AssertionError
    return seen, time.monotonic()


def _place(conn: Connection) -> str:
    return f"{conn.info.dbname} on {conn.info.host}:{conn.info.port}"
