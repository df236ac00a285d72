"""The login that docs/start.md gives the API: it serves with it, and nobody can do more with it."""

import re
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from tests.support.commands import ROOT
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp, answer_keys

PAGE = (ROOT / "docs" / "start.md").read_text("utf-8")
CREATE_LOGIN = re.findall(r"```sql\n(.*?)```", PAGE.split("\n## Two logins\n", 1)[1], re.DOTALL)[0]
SETTINGS = re.findall(r"^(\w+)=(postgresql://leads_web:\S+)$", PAGE, re.MULTILINE)
LOGIN = "leads_web"

# What a login may do in this database and on this server, apart from what PostgreSQL itself brings.
RIGHTS = """
SELECT n.nspname || '.' || c.relname, p.privilege
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
    AS p (privilege)
WHERE
    c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND has_table_privilege(%(login)s, c.oid, p.privilege)
UNION ALL
SELECT n.nspname, p.privilege
FROM pg_namespace AS n
CROSS JOIN unnest(ARRAY['CREATE']) AS p (privilege)
WHERE has_schema_privilege(%(login)s, n.oid, p.privilege)
UNION ALL
SELECT 'member of ' || r.rolname, 'MEMBER'
FROM pg_auth_members AS m
JOIN pg_roles AS r ON r.oid = m.roleid
WHERE m.member = %(login)s::regrole OR m.member = 'leads_api'::regrole
UNION ALL
SELECT 'role', 'SUPERUSER, CREATEDB, CREATEROLE, BYPASSRLS or REPLICATION'
FROM pg_roles
WHERE
    rolname IN (%(login)s, 'leads_api')
    AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication)
"""


def test_the_api_serves_with_its_own_login_alone_and_nobody_can_do_more_with_it(
    library: Library, make_app: MakeApp
) -> None:
    ((name, printed),) = set(SETTINGS)
    assert name == "LEADS_API_DATABASE_URL"
    place = urlsplit(library.database.url)
    url = printed.replace("db.example.com:5432/platform", f"{place.hostname}:{place.port}{place.path}")
    with library.database.connect() as superuser:
        superuser.execute(CREATE_LOGIN.encode())
        try:
            client = make_app(Database(url, "")).test_client()
            for path in ("/health/ready", *answer_keys(library)):
                assert client.get(quote(path)).status_code == 200
            found = set(superuser.execute(RIGHTS.encode(), {"login": LOGIN}).fetchall())
            with psycopg.connect(url, autocommit=True) as conn:
                for statement in (
                    "DELETE FROM read_model.leads",
                    "SELECT FROM messages",
                    "SELECT FROM projector.runs",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        conn.execute(statement.encode())
        finally:
            superuser.execute(f"DROP ROLE {LOGIN}".encode())
    assert ("read_model.leads", "SELECT") in found
    assert {one for one in found if one[1] != "SELECT"} == {("member of leads_api", "MEMBER")}
    assert {name for name, _ in found if name.startswith(("public.", "projector.", "leads_access."))} == set()
