"""The two sides of a connection: the platform's database, and the database that the read model is in.

The source tables, their triggers, the queue and everything else in the schema `projector` stay with the platform. The
read model and the keys of the API are on the other side. Each step and query in sql/ runs on one of them. One server
can hold both sides: then both are the same connection.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from projector.database.source_names import SourceConnection, note_side, own_connection
from projector.database.sql import side_of_text
from projector.database.steps import ONE_SERVER, READ_MODEL
from projector.report.errors import ProjectorError

ONLY_SIDE, PLATFORM_SIDE, READ_MODEL_SIDE = (
    "the database",
    "the database of the platform",
    "the database of the read model",
)
"""What messages call a database that holds both sides, and one that holds one of them."""


def on_read_model(conn: psycopg.Connection[Any]) -> SourceConnection:
    """Return the connection to the read model that belongs to a connection of ours to the platform's database."""
    return own_connection(conn).read_model


def is_apart(conn: psycopg.Connection[Any]) -> bool:
    """Return whether the read model is in another database than the source tables."""
    return own_connection(conn).apart is not None


def both(conn: psycopg.Connection[Any]) -> tuple[SourceConnection, ...]:
    """Return the connections to both sides: that to the platform's database first, and one where both are the same."""
    own = own_connection(conn)
    return (own,) if own.apart is None else (own, own.apart)


def side_of(conn: psycopg.Connection[Any], table: str) -> SourceConnection:
    """Return the connection to the database that a table of ours is in, by its qualified name."""
    return own_connection(conn) if table.startswith("projector.") else on_read_model(conn)


def place_of_text(conn: psycopg.Connection[Any], text: str) -> SourceConnection | None:
    """Return the connection that a file of sql/install runs on, by its header.

    None for what brings over the tables of version 0.1, where the read model is in another database: it has none.
    """
    side = side_of_text(text)
    if side == ONE_SERVER and is_apart(conn):
        return None
    return on_read_model(conn) if side == READ_MODEL else own_connection(conn)


def lost_side(conn: psycopg.Connection[Any]) -> str | None:
    """Return which database is away, in words; None where both connections are open."""
    own = own_connection(conn)
    if any(one is not None and one.closed for one in (own.apart,)):
        return READ_MODEL_SIDE
    if not own.closed:
        return None
    return ONLY_SIDE if own.apart is None else PLATFORM_SIDE


@contextmanager
def naming_lost_side(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Note on an error of PostgreSQL which database is away, if one is."""
    try:
        yield
    except psycopg.Error as error:
        error.__dict__["_leads_lost_side"] = lost_side(conn)
        raise


@contextmanager
def naming_side(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Note on an error in which database it came up, where there are two."""
    try:
        yield
    except (psycopg.Error, ProjectorError) as error:
        note_side(conn, error)
        raise


def place_of_error(error: BaseException | None) -> str:
    """Return in which database a statement failed, as the beginning of a sentence.

    Empty where one database holds both sides, where no statement failed, and for a lost connection, of which the
    message itself says that.
    """
    while error is not None and getattr(error, "_leads_lost_side", None) is None:
        side = getattr(error, "_leads_side", None)
        if side is not None:
            return f"In {side}: "
        error = error.__cause__
    return ""


def lost_side_of(error: BaseException) -> str:
    """Return which database was lost when a statement failed, in words."""
    return getattr(error, "_leads_lost_side", None) or ONLY_SIDE
