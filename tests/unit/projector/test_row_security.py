"""Row security on the tables of tenants: `migrate` installs and repairs it, `status` says where it is not whole."""

import re

import pytest
from psycopg import sql

from projector.database.rows import Connection
from projector.database.schema import sections, tables
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.observe.status.render import as_dict, render
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.support.roles import logins
from tests.support.running import value, write_source
from tests.support.server import Database

READER = "leads_test_analyst"
TENANT_TABLES = sorted(
    name for name, table in tables().items() if name.startswith("read_model.") and "user_id" in table.columns
)
POLICIES = "SELECT array_agg(p.oid ORDER BY p.oid) FROM pg_policy AS p"


def tenants(conn: Connection) -> int:
    tenants: int = value(conn, "SELECT count(DISTINCT user_id) FROM read_model.leads")
    return tenants


def test_the_owner_and_the_members_of_leads_reader_see_all_tenants(
    built: Connection, database: Database
) -> None:
    write_source(built, "second")
    recovery.refresh_and_heal(built, retry_failed=False, progress=QUIET)
    with logins(built, READER):
        built.execute(f"GRANT USAGE ON SCHEMA read_model TO {READER}")
        built.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA read_model TO {READER}")
        with database.by(READER).connect() as reader:
            # The projector's own sessions would fail rather than miss rows.
            reader.execute("SET row_security = on")
            assert tenants(reader) == 0
            built.execute(f"GRANT leads_reader TO {READER}")
            for named in ("", "second", "nobody"):
                reader.execute(sql.SQL("SET leads.user_id = {}").format(named))
                assert tenants(reader) == tenants(built) == 2


def test_a_table_that_is_not_protected_is_named_and_repaired(built: Connection) -> None:
    unprotected = built.execute("SELECT table_name, problem FROM read_model.row_security").fetchall()
    assert sorted(unprotected) == [(name, None) for name in TENANT_TABLES]
    assert len(TENANT_TABLES) == 14
    before = value(built, POLICIES)
    assert migrate(built, create_source=False) == []
    assert value(built, POLICIES) == before
    changes = (
        "ALTER TABLE read_model.leads DISABLE ROW LEVEL SECURITY",
        "DROP POLICY one_tenant ON read_model.lead_messages",
        "ALTER POLICY all_rows ON read_model.lead_messages TO PUBLIC",
        "ALTER POLICY one_tenant ON read_model.tenants USING (true)",
        "ALTER POLICY one_tenant ON read_model.tenants TO pg_monitor",
        "ALTER POLICY one_tenant ON read_model.tenants TO leads_api, pg_monitor",
        "ALTER POLICY all_rows ON read_model.leads TO leads_api",
        (
            "DROP POLICY one_tenant ON read_model.leads; CREATE POLICY one_tenant ON read_model.leads"
            " AS RESTRICTIVE TO leads_api USING (user_id = current_setting('leads.user_id', true))"
        ),
    )
    for change in changes:
        [table, *_] = re.findall(r"read_model\.\w+", change)
        built.execute(change.encode(), prepare=False)
        status = read_status(built)
        [sentence] = find_attention(status)
        assert sentence.startswith(f"The table {table} is not protected from being read for another tenant: ")
        assert "Run `migrate`" in sentence
        assert f"Row security missing: {table}" in render(status)
        assert as_dict(status)["row_security"]["unprotected"] == table
        # What `migrate` runs of schema.sql, whose other sections have nothing to mend; at last all of it.
        built.execute(sections()["roles"] + sections()["readers"], prepare=False)
        assert find_attention(read_status(built)) == []
    built.execute(changes[0].encode(), prepare=False)
    assert migrate(built, create_source=False) == []
    status = read_status(built)
    assert find_attention(status) == []
    assert "Row security on, 14 tables" in render(status)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER ROLE {0} SUPERUSER",
        "ALTER ROLE {0} BYPASSRLS",
        "ALTER TABLE read_model.leads OWNER TO {0}",
        (
            "REVOKE leads_api FROM {0}; GRANT USAGE ON SCHEMA read_model, leads_access TO {0};"
            " GRANT SELECT ON ALL TABLES IN SCHEMA read_model TO {0};"
            " GRANT EXECUTE ON FUNCTION leads_access.key_of TO {0}"
        ),
    ],
)
def test_a_role_of_the_api_that_no_policy_filters_is_named(built: Connection, change: str) -> None:
    owner = value(built, "SELECT current_user::text")
    with logins(built, READER):
        built.execute(f"GRANT leads_api TO {READER}")
        assert find_attention(read_status(built, api_role=READER)) == []
        built.execute(change.format(READER).encode(), prepare=False)
        [sentence] = find_attention(read_status(built, api_role=READER))
        assert sentence.startswith(f"Row security does not hold for the role {READER}")
        assert f"GRANT leads_api TO {READER};" in sentence
        built.execute(f'ALTER TABLE read_model.leads OWNER TO "{owner}"'.encode())


def test_the_right_to_temporary_tables_is_taken_from_the_role_alone(
    built: Connection, database: Database
) -> None:
    """PUBLIC keeps it: others of the platform may need it."""
    name = sql.Identifier(database.name)
    built.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO leads_api").format(name))
    migrate(built, create_source=False)
    may = "SELECT has_database_privilege('leads_api', current_database(), 'TEMPORARY')"
    assert value(built, may) is True
    note = f"REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC;"
    assert note in render(read_status(built))
    built.execute(note.encode())
    assert value(built, may) is False
    assert "temporary" not in render(read_status(built))
    assert find_attention(read_status(built)) == []
