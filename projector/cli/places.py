"""Which databases a connection leads to, for a question to the operator."""

import psycopg
from psycopg.rows import TupleRow

from projector.sides import both


def place_of(conn: psycopg.Connection[TupleRow]) -> str:
    """Return the platform's database in words."""
    return f"the database {conn.info.dbname} on {conn.info.host}"


def places_of(conn: psycopg.Connection[TupleRow]) -> str:
    """Return the databases of both sides in words."""
    return " and ".join(map(place_of, both(conn)))
