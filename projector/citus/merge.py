"""The part of a batch that runs on Citus: once for each tenant, which a constant names in every statement."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql as composing

from projector import apart, locks, staging
from projector.citus.session import recover_prepared
from projector.look_ups import of_tenant
from projector.source_names import SourceConnection, own_connection
from projector.sql import query
from projector.steps import Step


def for_tenant(one: Step, user_id: str) -> Iterator[Step]:
    """The statements of a step for one tenant: first those that look up what it fetches."""
    _require_citus(one)
    for name, rows in one.fetches:
        table = composing.Identifier("pg_temp", name).as_string(None)
        filled = f"INSERT INTO {table} {rows}"
        for text in (query("pipeline", "clear_staging_table", staging_table=name), filled):
            sent = of_tenant(text, user_id)
            yield replace(
                one,
                name=f"{one.name} ({name})",
                text=sent,
                carries=(),
                point=None,
                returns_conditions=False,
                takes_parameters=False,
            )
    named = of_tenant(one.citus_text.decode(), user_id, is_formatted=one.takes_parameters)
    yield replace(one, text=named, carries=())


def create_fetched_tables(conn: psycopg.Connection[Any], found: Iterable[Step]) -> None:
    """Create the temporary tables for what these steps fetch, on both sessions of the read model."""
    own = own_connection(conn)
    for name, rows in dict(pair for one in found for pair in one.fetches).items():
        columns = apart.describe(own.read_model, of_tenant(rows, "").decode())
        for session in (own.read_model, _merging(conn)):
            session.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns})".encode())


def fetch(session: SourceConnection, one: Step, user_id: str) -> bytes:
    """Look up what a step fetches for a tenant, into temporary tables of its own; return the text of the step."""
    _require_citus(one)
    for name, rows in one.fetches:
        named = of_tenant(rows, user_id).decode()
        session.execute(f"DROP TABLE IF EXISTS pg_temp.{name}".encode())
        session.execute(f"CREATE TEMPORARY TABLE {name} ({apart.describe(session, named)})".encode())
        session.execute(f"INSERT INTO pg_temp.{name} {named}".encode())
        session.execute(f"ANALYZE pg_temp.{name}".encode())
    return of_tenant(one.citus_text.decode(), user_id, is_formatted=one.takes_parameters)


def staged_tenants(conn: psycopg.Connection[Any], tables: Sequence[str]) -> dict[str, list[str]]:
    """Return the tenants of which the platform's side has staged rows, in order, with the tables that have some."""
    asked = " UNION ALL ".join(
        query("citus", "find_staged_tenants", staging_table=table).rstrip(";")
        for table in tables
        if table not in staging.OF_ALL_TENANTS
    )
    found: dict[str, list[str]] = {}
    for user_id, table in sorted(conn.execute(asked.encode()).fetchall()):
        found.setdefault(user_id, []).append(table)
    return found


def carry_for_all(conn: psycopg.Connection[Any], *, writes: bool) -> None:
    """Begin the merges of a batch: clear the staging tables, and carry over what each of them needs."""
    session = _session(conn, writes=writes)
    staging.clear_one(session)
    for table in staging.OF_ALL_TENANTS:
        apart.copy_table(conn, session, table)


@contextmanager
def merging(
    conn: psycopg.Connection[Any], user_id: str, tables: Sequence[str], *, writes: bool
) -> Iterator[SourceConnection]:
    """The session that merges a tenant, with what these tables have of it; commits at the end if it `writes`.

    A comparison runs in the transaction of the caller, who holds the tenant's lock.
    """
    session = _session(conn, writes=writes)
    recover_prepared(conn)
    if not writes:
        _carry(conn, session, user_id, tables)
        yield session
        return
    with session.transaction():
        wanted = {"lock_class": locks.MERGE, "user_id": user_id}
        session.execute(query("citus", "lock_tenant"), wanted)
        session.execute(query("citus", "begin_merge"), wanted)
        _carry(conn, session, user_id, tables)
        yield session
        session.execute(query("citus", "end_merge"), wanted)
    recover_prepared(conn)
    own_connection(conn).between_commits()


def _carry(
    conn: psycopg.Connection[Any], session: SourceConnection, user_id: str, tables: Sequence[str]
) -> None:
    session.execute(staging.CLEAR_OF_TENANT)
    for table in tables:
        apart.copy_table(conn, session, table, user_id)


def _session(conn: psycopg.Connection[Any], *, writes: bool) -> SourceConnection:
    return _merging(conn) if writes else own_connection(conn).read_model


def _merging(conn: psycopg.Connection[Any]) -> SourceConnection:
    own = own_connection(conn).merging
    if own is None:
        raise AssertionError
    return own


def _require_citus(one: Step) -> None:
    """A statement for PostgreSQL alone can take rows of another tenant for those that it means."""
    if one.is_for_postgresql:
        raise AssertionError(one.name)
