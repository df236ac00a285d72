"""The login that docs/running.md gives the API: it serves with it, and nobody can do more with it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.support.commands import ROOT
from tests.unit.api.conftest import Library
from tests.unit.api.serving import served

PAGE = (ROOT / "docs" / "running.md").read_text("utf-8")
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


@pytest.fixture
def settings(library: Library) -> Iterator[dict[str, str]]:
    """The settings of the API as the page prints them, on the server of the tests; the login is made as it says."""
    with library.database.connect() as superuser:
        superuser.execute(CREATE_LOGIN.encode())
        ((name, printed),) = set(SETTINGS)
        place = urlsplit(library.database.url)
        url = printed.replace("db.example.com:5432/platform", f"{place.hostname}:{place.port}{place.path}")
        try:
            yield {name: url}
        finally:
            superuser.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(LOGIN)))


def test_the_api_serves_with_its_own_login_alone(
    settings: dict[str, str], library: Library, tmp_path: Path
) -> None:
    # The API reads it, and no other address.
    with served(library, tmp_path, DATABASE_URL="", **settings) as server:
        assert server.get("/health/ready")[0] == 200
        path = f"/users/{quote(library.tenant, '')}/leads"
        for place in (path, f"{path}/stats", f"{path}/{quote(library.phone, '')}"):
            status, _, body = server.get(place)
            assert (status, json.loads(body)["success"]) == (200, True)


def test_the_login_of_the_api_may_write_nothing_and_read_no_table_of_the_platform(
    settings: dict[str, str], library: Library
) -> None:
    with library.database.connect() as superuser:
        found = set(superuser.execute(RIGHTS.encode(), {"login": LOGIN}).fetchall())
    assert ("read_model.leads", "SELECT") in found
    assert {one for one in found if one[1] != "SELECT"} == {("member of leads_api", "MEMBER")}
    assert {name for name, _ in found if name.startswith(("public.", "projector."))} == set()
    (url,) = settings.values()
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in (
            "DELETE FROM read_model.leads",
            "SELECT FROM messages",
            "SELECT FROM projector.runs",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement.encode())
