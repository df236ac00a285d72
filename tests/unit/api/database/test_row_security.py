"""PostgreSQL itself shows a session the rows of its tenant alone."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, unquote

import psycopg
import pytest

from api.config import TENANT_SETTINGS
from api.database import tables
from projector.report.progress import QUIET
from projector.trial import demo
from tests.exactness.platform import rebuild_now
from tests.support.server import Database
from tests.unit.api.conftest import NOW, Library, MakeApp, failing, lent_session

REQUESTS = 200

# Those that have rows, but for a view that has ids alone.
TENANT_TABLES = [
    name for name, table in tables.metadata.tables.items()
    if "user_id" in table.columns and table.name not in {"tenant_ids", "lead_tombstones", "status_change_tombstones"}
]  # fmt: skip


def test_a_session_without_a_tenant_sees_no_row(library: Library, make_app: MakeApp) -> None:
    nothing: set[bytes] = set()
    with lent_session(make_app(library.database)) as session:
        for command, expected in (
            ("RESET leads.user_id", nothing),
            (f"SET leads.user_id = '{library.tenant}'", {library.tenant.encode()}),
            ("RESET leads.user_id", nothing),
        ):
            session.connection.execute(command.encode())
            for table in TENANT_TABLES:
                rows = session.connection.execute(f"SELECT user_id FROM {table}".encode())
                assert {user for (user,) in rows} == expected, table
        # Profiles are read by their view alone.
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.connection.execute("SELECT FROM read_model.lead_profiles")


def test_requests_of_several_tenants_at_once_get_their_own_rows(
    database: Database, make_app: MakeApp
) -> None:
    """Over fewer connections than threads, with errors in between."""
    with database.connect() as conn:
        demo.load(conn, tenants=6, leads=90, messages_per_lead=1.5, seed=3, now=NOW, progress=QUIET)
        rebuild_now(conn)
        leads = conn.execute("SELECT user_id, customer_phone FROM read_model.leads").fetchall()
        names: dict[str, str] = dict(
            conn.execute("SELECT user_id, name FROM read_model.tenant_names").fetchall()
        )
    assert len({*names.values()}) == 6
    apps = [make_app(database, threads=2, tenant_setting=setting) for setting in TENANT_SETTINGS]
    tenants = [*sorted({tenant for tenant, _ in leads}), "nobody", 'no\'body\\ or "else"', "Ümit"]
    expected = {tenant: {phone for of, phone in leads if of == tenant} for tenant in tenants}

    def ask(number: int) -> str | None:
        app, tenant = apps[number % 2], tenants[number * 7 % len(tenants)]
        if number % 5 == 0:
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                app.extensions["leads"].database.fetch(failing(tenant))
        answer = app.test_client().get(f"/users/{quote(tenant, '')}/leads?limit=100")
        phones = {lead["customer_phone"] for lead in answer.get_json()["data"]}
        name = unquote(answer.headers.get("X-Tenant-Name", "")) or None
        is_right = phones <= expected[tenant] and len(phones) == min(100, len(expected[tenant]))
        if is_right and name == names.get(tenant):
            return None
        return f"request {number} of {tenant}: {len(phones)} leads of {name}"

    with ThreadPoolExecutor(12) as threads:
        wrong = [answer for answer in threads.map(ask, range(REQUESTS)) if answer is not None]
    assert not wrong
    assert sum(bool(phones) for phones in expected.values()) == 6


def test_the_api_answers_where_set_config_is_revoked(database: Database, make_app: MakeApp) -> None:
    """What docs/authentication.md offers against injected SQL: a statement cannot name another tenant any more."""
    with database.connect() as superuser:
        superuser.execute("REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC")
        superuser.execute("INSERT INTO read_model.tenants (user_id, dead_letters) VALUES ('a', 1), ('b', 2)")
    app = make_app(database)
    client = app.test_client()
    for _ in range(2):
        for tenant, dead_letters in (("a", "1"), ("b", "2")):
            answer = client.get(f"/users/{tenant}/leads")
            assert (answer.status_code, answer.headers["X-Data-Dead-Letters"]) == (200, dead_letters)
    assert client.get("/health/ready").status_code == 200
    with lent_session(app) as session:
        # What stops them is the right, and not that the session is read-only.
        session.connection.execute("SET default_transaction_read_only = off")
        for injected in (
            "SELECT set_config('leads.user_id', 'b', false)",
            "UPDATE pg_settings SET setting = 'b' WHERE name = 'leads.user_id'",
            "SELECT query_to_xml('SET leads.user_id = b', true, true, '')",
            "SELECT query_to_xml('SELECT set_config(''leads.user_id'', ''b'', false)', true, true, '')",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)):
                session.connection.execute(injected.encode())
