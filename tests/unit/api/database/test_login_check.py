"""The login and the role of the API: what is said of one that may do more, and that of docs/start.md, which may not."""

import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from api.config import Config
from api.database.errors import NOT_INSTALLED
from api.database.login_check import look
from tests.support.cases import cases
from tests.support.commands import ROOT
from tests.support.roles import logins
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp, endpoints
from tests.unit.api.response.test_errors import check

LOGIN = "leads_test_api_login"
NO_WALL = "its role and row security are no wall against injected SQL"


@pytest.fixture
def login(database: Database) -> Iterator[Database]:
    """The database for a login in leads_api, and in no other role."""
    with database.connect() as superuser, logins(superuser, LOGIN):
        superuser.execute(f"GRANT leads_api TO {LOGIN}")
        yield database.by(LOGIN)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("ALTER ROLE {} SUPERUSER", "is a superuser"),
        ("ALTER ROLE {} BYPASSRLS", "has BYPASSRLS"),
        ("GRANT DELETE ON read_model.lead_totals TO {}", "may write read_model.lead_totals"),
        ("GRANT UPDATE ON leads_access.api_keys TO {}", "may write leads_access.api_keys"),
        ("GRANT pg_write_all_data TO {}", "may write leads_access.api_keys"),
    ],
)
def test_a_login_that_may_do_more_is_named(
    database: Database, login: Database, change: str, why: str
) -> None:
    with database.connect() as superuser:
        superuser.execute(change.format(LOGIN).encode())
    [sentence] = look(Config(login.url))
    assert sentence.startswith(f"The login {LOGIN} of the API {why}: {NO_WALL}.")
    assert "docs/start.md" in sentence


def test_a_role_that_no_policy_filters_is_named(database: Database, login: Database) -> None:
    with database.connect() as superuser:
        superuser.execute(f"ALTER TABLE read_model.leads OWNER TO {LOGIN}")
    role, own = look(Config(login.url, role=""))
    assert role.startswith(f"Row security does not hold for the API: the role {LOGIN} is a superuser")
    assert "owns read_model.leads" in role
    assert own.startswith(f"The login {LOGIN} of the API may write read_model.leads")
    # The role that the API takes by itself has nothing of that.
    [alone] = look(Config(login.url))
    assert alone == own


def test_a_role_outside_leads_api_is_named(database: Database, login: Database) -> None:
    with database.connect() as superuser:
        superuser.execute(f"REVOKE leads_api FROM {LOGIN}")
        superuser.execute(f"GRANT USAGE ON SCHEMA read_model TO {LOGIN}")
        superuser.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA read_model TO {LOGIN}")
    assert look(Config(login.url, role="")) == [
        (
            f"Row security does not hold for the API: the role {LOGIN} is not a member of leads_api."
            f" Run GRANT leads_api TO {LOGIN}"
        )
    ]


def test_a_table_without_its_policy_is_named_and_the_api_is_not_ready(
    database: Database, login: Database, make_app: MakeApp
) -> None:
    """tests/unit/projector/test_row_security.py has each way to unprotect one, by the same view."""
    client = make_app(database).test_client()
    assert client.get("/health/ready").status_code == 200
    with database.connect() as superuser:
        superuser.execute("ALTER POLICY one_tenant ON read_model.leads USING (true)")
    open_to = "A table is not protected from being read for another tenant:"
    said = "leads: the policy one_tenant is missing or was changed. Run `python -m projector migrate`"
    assert look(Config(login.url)) == [f"{open_to} read_model.{said}"]
    assert check(client.get("/health/ready"), 503) == f"{open_to} {said}"


def test_a_database_that_cannot_tell_stops_nothing(source_database: Database) -> None:
    assert look(Config(source_database.url)) == []
    assert look(Config("postgresql://nobody@127.0.0.1:1/nothing")) == []


# An export has a connection of its own.
PATHS = ("/users/a/leads", "/users/a/leads.ndjson", "/health/ready")


@cases("path", PATHS)
def test_a_role_that_is_not_there_is_not_the_cause_before_migrate(
    database: Database, source_database: Database, make_app: MakeApp, path: str
) -> None:
    def said(asked: Database) -> str:
        return check(make_app(asked, role="nobody_at_all").test_client().get(path), 503)

    assert said(database) == (
        "The role nobody_at_all, which LEADS_API_ROLE names, does not exist: create it with CREATE ROLE nobody_at_all"
        " IN ROLE leads_api, or leave LEADS_API_ROLE unset"
    )
    assert said(source_database) == NOT_INSTALLED


def test_a_role_that_the_login_may_not_take(database: Database, login: Database, make_app: MakeApp) -> None:
    with database.connect() as superuser:
        superuser.execute(f"REVOKE leads_api FROM {LOGIN}")
    client = make_app(login).test_client()
    for path in PATHS:
        assert check(client.get(path), 503) == (
            "The login of the API may not take the role leads_api: have an administrator run GRANT leads_api TO that"
            " login"
        )
    with database.connect() as superuser:
        superuser.execute(f"GRANT leads_api TO {LOGIN}".encode())
    client = make_app(login).test_client()
    assert [client.get(path).status_code for path in PATHS] == [200, 200, 200]


PAGE = (ROOT / "docs" / "start.md").read_text("utf-8")
CREATE_LOGIN = re.findall(r"```sql\n(.*?)```", PAGE.split("\n## Two logins\n", 1)[1], re.DOTALL)[0]
SETTINGS = re.findall(r"^(\w+)=(postgresql://leads_web:\S+)$", PAGE, re.MULTILINE)
DOCUMENTED = "leads_web"

# What a login may do with tables and views, apart from those of PostgreSQL itself, and its roles.
RIGHTS = """
SELECT n.nspname || '.' || c.relname, p.privilege
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
    AS p (privilege)
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(%(login)s, c.oid, p.privilege)
UNION ALL
SELECT m.roleid::regrole::text, 'MEMBER'
FROM pg_auth_members AS m
WHERE m.member IN (%(login)s::regrole, 'leads_api'::regrole)
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
            for path in ("/health/ready", *endpoints(library)):
                assert client.get(quote(path)).status_code == 200
            assert look(Config(url)) == look(Config(url, role="")) == []
            held = set(superuser.execute(RIGHTS.encode(), {"login": DOCUMENTED}).fetchall())
            with psycopg.connect(url, autocommit=True) as conn:
                for statement in (
                    "DELETE FROM read_model.leads",
                    "SELECT FROM messages",
                    "SELECT FROM projector.runs",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        conn.execute(statement.encode())
        finally:
            superuser.execute(f"DROP ROLE {DOCUMENTED}".encode())
    assert ("read_model.leads", "SELECT") in held
    assert {right for right in held if right[1] != "SELECT"} == {("leads_api", "MEMBER")}
    assert {name for name, _ in held if name.startswith(("public.", "projector.", "leads_access."))} == set()
