"""Queries of an embedded server."""

from collections.abc import Callable

import psycopg

from projector.trial.postgres.embedded import EmbeddedServer

StartServer = Callable[..., EmbeddedServer]


def one(server: EmbeddedServer, query: str) -> object:
    with psycopg.connect(server.url(), autocommit=True) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])
