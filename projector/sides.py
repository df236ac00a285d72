"""The two sides of a connection: the platform's database, and the database that the read model is in.

The source tables, their triggers, the queue and everything else in the schema `projector` stay with the platform. The
read model and the keys of the API are on the other side. Each step and query in sql/ runs on one of them. One server
holds both sides, so both are the same connection.
"""

from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projector.source_names import own_connection


def on_read_model(conn: psycopg.Connection[Any]) -> psycopg.Connection[TupleRow]:
    """Return the connection to the read model that belongs to a connection of ours to the platform's database."""
    return own_connection(conn).read_model


def side_of(conn: psycopg.Connection[Any], table: str) -> psycopg.Connection[TupleRow]:
    """Return the connection to the database that a table of ours is in, by its qualified name."""
    return own_connection(conn) if table.startswith("projector.") else on_read_model(conn)
