"""A role that may create in the platform's schema plants what our statements name: none of it ever runs.

PostgreSQL looks for operators, functions, types and tables on the search_path, and takes a function whose arguments
fit better before its own. Whatever is found there runs with the rights of the session: those of a superuser, where the
projector has them.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product

import pytest

from projector.capture import control
from projector.core.refresh import refresh
from projector.database import connect as db
from projector.database.rows import Connection
from projector.database.sql import all_texts
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.operate.explain import explain_lead
from projector.operate.install import migrate
from projector.operate.tenants import read_tenants
from projector.operate.uninstall import uninstall
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from projector.trial.demo import load
from tests.exactness.feed_copy import serving
from tests.exactness.platform import Platform, forget_build
from tests.support.cases import cases
from tests.support.roles import logins

PLANTER = "leads_test_planter"

SCALARS = ("text", "varchar", "timestamp", "timestamptz", "integer", "bigint", "boolean", "uuid")
OPERATORS = (
    "=", "<>", "<", ">", "<=", ">=", "||", "~~", "~", "+", "-", "*", "/", "@>", "<@", "&&", "->", "->>",
)  # fmt: skip
"""Operators of the statements of both programs, and types that their operands have."""

TYPES = ("text", "timestamptz", "uuid", "date", "jsonb", "name", "oid")
"""Types that SQL finds by their names; those of the standard, such as varchar, are keywords."""

CATALOGS = ("pg_class", "pg_proc", "pg_namespace", "pg_roles", "pg_trigger", "pg_index", "pg_locks")

API_FUNCTIONS = "lower strpos sum count coalesce to_json to_char timezone date_trunc"


def called_functions() -> list[str]:
    """Return what looks like a function of PostgreSQL in the SQL of the project, and what the API calls."""
    words = {word for text in all_texts() for word in re.findall(r"(?<![.\w])([a-z]\w+)\(", text)}
    return sorted(words | {*API_FUNCTIONS.split()})


def plant(conn: Connection, schema: str) -> None:
    """Create the functions, operators, types and catalogs, each of which raises an error when it runs."""
    conn.execute("SET search_path = pg_catalog")
    body = "LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'planted, and runs as %', current_user; END$$"
    commands = [f"CREATE FUNCTION {schema}.planted() RETURNS boolean {body}"]
    for name in called_functions():
        arguments = [
            "", *SCALARS, *(f"{type_}[]" for type_ in SCALARS),
            *(", ".join(pair) for pair in product(SCALARS, SCALARS)),
            *(", ".join(three) for three in product(("text", "varchar"), repeat=3)),
        ]  # fmt: skip
        commands += [f'CREATE FUNCTION {schema}."{name}"({types}) RETURNS text {body}' for types in arguments]
    for left, right in product(SCALARS, SCALARS):
        commands.append(f"CREATE FUNCTION {schema}.compare({left}, {right}) RETURNS boolean {body}")
        commands += [
            f"CREATE OPERATOR {schema}.{name}"
            f" (FUNCTION = {schema}.compare, LEFTARG = {left}, RIGHTARG = {right})"
            for name in OPERATORS
        ]
    for name in TYPES:
        commands.append(f"CREATE DOMAIN {schema}.{name} AS pg_catalog.{name} CHECK ({schema}.planted())")
    for name in CATALOGS:
        commands.append(
            f"CREATE VIEW {schema}.{name} AS SELECT * FROM pg_catalog.{name} WHERE {schema}.planted()"
        )
    conn.execute("; ".join(commands).encode(), prepare=False)


@pytest.fixture
def hostile(filled: Platform) -> Iterator[Platform]:
    """A platform whose logins look into a schema first in which a role has planted what it could; a change waits."""
    conn, database = filled.conn, filled.database
    filled.message("c", "newer")
    with logins(conn, PLANTER):
        conn.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {PLANTER}".encode())
        conn.execute(f"SET ROLE {PLANTER}".encode())
        plant(conn, "public")
        conn.execute("RESET ROLE")
        conn.execute(f'ALTER DATABASE "{database.name}" SET search_path = public, pg_catalog'.encode())
        yield filled


def test_nothing_that_others_planted_runs_in_the_projector(hostile: Platform) -> None:
    # The work of the projector's commands, on a connection as they make it.
    with db.connect(hostile.database.url, application_name="planted") as conn:
        assert migrate(conn, create_source=True) == []
        refresh(conn, retry_failed=True, progress=QUIET)
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        rebuild(conn, tenants=None, progress=QUIET)
        rebuild(conn, tenants=["one"], progress=QUIET)
        forget_build(conn)
        rebuild(conn, tenants=None, progress=QUIET)
        assert verify(conn, tenants=None, sample=None, heal=True, progress=QUIET).drifts == []
        assert verify(conn, tenants=None, sample=1, heal=False, progress=QUIET).drifts == []
        assert explain_lead(conn, "one", "4915").is_there
        control.switch_off(conn, "import")
        control.switch_on(conn)
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        assert find_attention(read_status(conn)) == []
        assert read_tenants(conn)[0]
        load(conn, leads=2, messages_per_lead=2, now=datetime(2026, 3, 1, tzinfo=UTC), progress=QUIET)
        refresh(conn, retry_failed=True, progress=QUIET)
        assert verify(conn, tenants=None, sample=None, heal=False, progress=QUIET).drifts == []
        uninstall(conn)


REQUESTS = (
    "leads",
    "leads?search=an&sort_by=name&lead_status=Warm",
    "leads?search=a&platform=whatsapp&has_extraction=true&offset=1&limit=1",
    "leads?from_date=2025-01-01&to_date=2025-02-01&sort_by=total_score",
    "leads/stats",
    "leads?days=7&min_total_score=10",
    "leads/4915",
    "leads/4915/messages?sender=user",
)


@cases("role", ["leads_api", ""])
def test_nothing_that_others_planted_runs_in_the_api(hostile: Platform, role: str) -> None:
    with serving(hostile.database, role=role) as app:
        client = app.test_client()
        answers = [
            client.get(path) for path in ("/health/ready", *(f"/users/one/{request}" for request in REQUESTS))
        ]
    assert [answer.status_code for answer in answers] == [200] * len(answers), answers[-1].get_json()
