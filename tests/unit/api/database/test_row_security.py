"""PostgreSQL itself shows a session the rows of its tenant alone, whatever predicate a statement has forgotten."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, cast
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import Integer, Text, bindparam, select
from sqlalchemy import cast as cast_to

from api.database.session import Session
from api.database.statement import BoundStatement, CompiledStatement
from api.plan.lead import LeadRow
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial import demo
from tests.support.server import Database
from tests.unit.api.conftest import NOW, Library, MakeApp
from tests.unit.api.database.test_tenant_filter import paths
from tests.unit.api.response.test_errors import check

REQUESTS = 400

TENANT_TABLES = (
    "tenants",
    "leads",
    "lead_profiles_of_tenant",
    "lead_conversations",
    "lead_messages",
    "lead_counts",
    "lead_daily_counts",
    "lead_totals",
)


@pytest.fixture
def statements(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> list[CompiledStatement[Any]]:
    """The statements of requests for everything, as they are sent: one for each text."""
    found: dict[bytes, CompiledStatement[Any]] = {}
    fetch = Session.fetch

    def noted(self: Session, statement: CompiledStatement[LeadRow]) -> LeadRow:
        if "user_id" in statement.names:
            found.setdefault(statement.text, statement)
        return fetch(self, statement)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "fetch", noted)
        client = make_app(library.database).test_client()
        for path in paths(library):
            assert client.get(path).status_code == 200, path
    return list(found.values())


class NumberRow(NamedTuple):
    """The row of a statement that fails."""

    number: int


def failing(tenant: str) -> BoundStatement[NumberRow]:
    """A statement that fails for a tenant whose name is no number."""
    number = cast_to(bindparam("user_id", type_=Text), Integer).label("number")
    return BoundStatement(select(number), NumberRow, {"user_id": tenant})


def open_session(make_app: MakeApp, database: Database, **settings: Any) -> Iterator[Session]:  # noqa: ANN401
    engine = make_app(database, **settings).extensions["leads"].database.engine
    pooled = engine.raw_connection()
    yield pooled.info["leads_session"]
    pooled.close()


@pytest.fixture
def session(library: Library, make_app: MakeApp) -> Iterator[Session]:
    """A session of the API as it serves."""
    yield from open_session(make_app, library.database)


@pytest.fixture
def owner_session(library: Library, make_app: MakeApp) -> Iterator[Session]:
    """A session of the owner of the tables, whom no policy filters."""
    yield from open_session(make_app, library.database, role="")


def mutants(statement: CompiledStatement[Any]) -> Iterator[CompiledStatement[Any]]:
    """The statement without one of its predicates, for each, and without any; past the check of the compiler."""
    place = statement.names.index("user_id") + 1
    text = statement.text.decode()
    predicates = list(re.finditer(rf"\b[\w.]+\.user_id = \${place}\b", text))
    # The value keeps its place, and its type.
    instead = f"${place}::text IS NOT NULL"
    for predicate in predicates:
        mutated = text[: predicate.start()] + instead + text[predicate.end() :]
        yield statement._replace(text=mutated.encode())
    without_any = re.sub(rf"\b[\w.]+\.user_id = \${place}\b", instead, text)
    yield statement._replace(text=without_any.encode())


def answer_of(session: Session, statement: CompiledStatement[Any]) -> object:
    try:
        return session.fetch(statement)
    except (psycopg.Error, LookupError) as error:
        # A sub-select that finds the leads of several tenants, for example.
        return type(error).__name__


def test_no_forgotten_predicate_shows_a_row_of_another_tenant(
    statements: list[CompiledStatement[Any]], session: Session, owner_session: Session
) -> None:
    count = 0
    # Without row security such statements show more: the mutants are some.
    missed: list[bool] = []
    for statement in statements:
        expected = session.fetch(statement)
        for mutant in mutants(statement):
            assert answer_of(session, mutant) == expected, mutant.text
            count += 1
        if b"lead_profiles_of_tenant" not in statement.text:
            missed.append(answer_of(owner_session, mutant) != expected)
    assert count > 400
    assert sum(missed) > len(missed) / 2


def test_a_session_without_a_tenant_sees_no_row(library: Library, make_app: MakeApp) -> None:
    pooled = make_app(library.database).extensions["leads"].database.engine.raw_connection()
    connection = cast("psycopg.Connection[Any]", pooled.driver_connection)

    def seen() -> list[set[bytes]]:
        tables = [f"SELECT user_id FROM read_model.{name}".encode() for name in TENANT_TABLES]
        return [{user for (user,) in connection.execute(table)} for table in tables]

    nothing: list[set[bytes]] = [set()] * len(TENANT_TABLES)
    assert seen() == nothing
    connection.execute("SELECT set_config('leads.user_id', %s, false)", (library.tenant,))
    assert seen() == [{library.tenant.encode()}] * len(TENANT_TABLES)
    connection.execute("RESET leads.user_id")
    assert seen() == nothing
    # Profiles are read by their view alone.
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT FROM read_model.lead_profiles")
    pooled.close()


@pytest.mark.parametrize("tenant_setting", ["session", "transaction"])
def test_requests_of_several_tenants_at_once_get_their_own_rows(
    database: Database, make_app: MakeApp, tenant_setting: str
) -> None:
    """Over fewer connections than threads, with errors in between."""
    with database.connect() as conn:
        demo.load(conn, tenants=6, leads=90, messages_per_lead=1.5, seed=3, today=NOW.date(), progress=QUIET)
        rebuild(conn, tenants=None, progress=QUIET)
        leads = conn.execute("SELECT user_id, customer_phone FROM read_model.leads").fetchall()
    app = make_app(database, threads=2, tenant_setting=tenant_setting)
    tenants = [*sorted({tenant for tenant, _ in leads}), "nobody", 'no\'body\\ or "else"', "Ümit"]
    expected = {tenant: {phone for of, phone in leads if of == tenant} for tenant in tenants}

    def ask(number: int) -> str | None:
        tenant = tenants[number * 7 % len(tenants)]
        if number % 5 == 0:
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                app.extensions["leads"].database.fetch(failing(tenant))
        answer = app.test_client().get(f"/users/{quote(tenant, '')}/leads?limit=100")
        phones = {lead["customer_phone"] for lead in answer.get_json()["data"]}
        is_right = phones <= expected[tenant] and len(phones) == min(100, len(expected[tenant]))
        return None if is_right else f"request {number} of {tenant}: {len(phones)} leads"

    with ThreadPoolExecutor(6) as threads:
        wrong = [found for found in threads.map(ask, range(REQUESTS)) if found is not None]
    assert not wrong
    assert sum(bool(phones) for phones in expected.values()) == 6


REVOKE = "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC"

TAMPERED = [
    ("ALTER TABLE read_model.leads DISABLE ROW LEVEL SECURITY", "leads: row security is switched off"),
    ("DROP POLICY one_tenant ON read_model.tenants", "tenants: the policy one_tenant is missing"),
    (
        "ALTER POLICY one_tenant ON read_model.lead_totals USING (true)",
        "lead_totals: the policy one_tenant is missing or was changed",
    ),
    (
        "ALTER POLICY one_tenant ON read_model.lead_profiles TO pg_monitor",
        "lead_profiles: the policy one_tenant is missing or was changed",
    ),
    (
        "ALTER POLICY all_rows ON read_model.lead_counts TO PUBLIC",
        "lead_counts: the policy all_rows shows leads_api more",
    ),
]


@pytest.mark.parametrize(("change", "said"), TAMPERED)
def test_a_table_that_is_not_protected_is_not_ready(
    database: Database, make_app: MakeApp, change: str, said: str
) -> None:
    client = make_app(database).test_client()
    assert client.get("/health/ready").status_code == 200
    with database.connect() as conn:
        conn.execute(change.encode())
    message = check(client.get("/health/ready"), 503)
    assert said in message
    assert message.endswith("Run `python -m projector migrate`")


def test_the_api_answers_where_set_config_is_revoked(database: Database, make_app: MakeApp) -> None:
    """What docs/row-security.md offers against injected SQL: a statement cannot name another tenant any more."""
    with database.connect() as superuser:
        superuser.execute(REVOKE.encode())
        superuser.execute("INSERT INTO read_model.tenants (user_id, dead_letters) VALUES ('a', 1), ('b', 2)")
    app = make_app(database)
    client = app.test_client()
    for _ in range(2):
        for tenant, dead_letters in (("a", "1"), ("b", "2")):
            answer = client.get(f"/users/{tenant}/leads")
            assert (answer.status_code, answer.headers["X-Data-Dead-Letters"]) == (200, dead_letters)
    assert client.get("/health/ready").status_code == 200
    pooled = app.extensions["leads"].database.engine.raw_connection()
    connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
    # What stops them is the right, and not that the session is read-only.
    connection.execute("SET default_transaction_read_only = off")
    for injected in (
        "SELECT set_config('leads.user_id', 'b', false)",
        "UPDATE pg_settings SET setting = 'b' WHERE name = 'leads.user_id'",
        "SELECT query_to_xml('SET leads.user_id = b', true, true, '')",
        "SELECT query_to_xml('SELECT set_config(''leads.user_id'', ''b'', false)', true, true, '')",
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)):
            connection.execute(injected.encode())
    pooled.close()
