"""Which databases a connection leads to, for a question to the operator."""

import psycopg
from psycopg.rows import TupleRow

from projector.sides import both


def place_of(conn: psycopg.Connection[TupleRow]) -> str:
    """Return the platform's database in words."""
    return f"the database {conn.info.dbname} on {conn.info.host}"


def places_of(conn: psycopg.Connection[TupleRow]) -> str:
    """Return the databases of both sides in words. Two of them may have one name on one host, at two ports."""
    sides = both(conn)
    if len(sides) == 1:
        return place_of(conn)
    return " and ".join(f"{place_of(side)}:{side.info.port}" for side in sides)
