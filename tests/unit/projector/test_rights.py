"""What `migrate` and `uninstall` have to be allowed: they say so before they change anything."""

import re
from collections.abc import Iterator

import pytest

from projector.core.refresh import refresh
from projector.database.rows import Connection
from projector.database.source_names import source_names
from projector.operate.install import migrate
from projector.operate.rights import own_schemas, require_rights_to_migrate, require_rights_to_uninstall
from projector.operate.uninstall import uninstall
from projector.report.errors import ProjectorError
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.roles import give_platform, logins
from tests.support.running import value, write_message, write_source
from tests.support.server import Database
from tests.unit.projector.test_uninstall import IS_GONE as NOTHING_OF_OURS

OWNER, OTHER = "leads_test_platform", "leads_test_other"


@pytest.fixture
def superuser(source_database: Database) -> Iterator[Connection]:
    """A superuser, in a database whose platform belongs to an ordinary role; there is another ordinary role."""
    with source_database.connect() as conn, logins(conn, OWNER, OTHER):
        give_platform(conn, source_database, OWNER)
        yield conn


def migrate_as(database: Database, role: str) -> list[str]:
    with database.by(role).connect() as conn:
        return migrate(conn, create_source=False)


def said_to(database: Database, role: str) -> str:
    """What `migrate` refuses with."""
    with pytest.raises(ProjectorError) as raised:
        migrate_as(database, role)
    return str(raised.value)


def statements(text: str) -> list[str]:
    """The statements that an operator copies from a message."""
    return re.findall(r"(?:^|: )((?:ALTER|GRANT|DROP)\b[^;]*;)", text, re.MULTILINE)


def assert_it_works(superuser: Connection, database: Database, role: str) -> None:
    """The read model can be migrated, built and refreshed by a role, and the platform can write."""
    migrate_as(database, role)
    write_source(superuser)
    with database.by(role).connect() as conn:
        rebuild(conn, tenants=None, progress=QUIET)
        superuser.execute(f"SET ROLE {OWNER}".encode())
        write_message(superuser, "m1")
        superuser.execute("RESET ROLE")
        refresh(conn, retry_failed=False, progress=QUIET)
    assert value(superuser, "SELECT total_messages FROM read_model.leads") == 1


def test_a_wrong_login_changes_nothing_and_membership_counts_as_the_message_says(
    superuser: Connection, source_database: Database
) -> None:
    superuser.execute(f'GRANT CREATE ON DATABASE "{source_database.name}" TO {OTHER}'.encode())
    said = said_to(source_database, OTHER)
    assert said.startswith(
        "Nothing was changed, because only the owner of a table may set how its triggers fire"
    )
    assert "public.phone_numbers, public.agents, public.conversations" in said
    assert f"belong to the role {OWNER}. Connect as {OWNER}, or" in said
    assert value(superuser, NOTHING_OF_OURS) is True
    [grant] = statements(said)
    assert grant == f"GRANT {OWNER} TO {OTHER};"
    superuser.execute(grant.encode())
    superuser.execute(f"GRANT SELECT ON users TO {OTHER}".encode())
    assert_it_works(superuser, source_database, OTHER)


def test_a_read_model_of_another_role_is_handed_over_by_the_statements(
    superuser: Connection, source_database: Database
) -> None:
    migrate(superuser, create_source=False)
    [installer] = {owner for (owner,) in superuser.execute("SELECT quote_ident(current_user)")}
    said = said_to(source_database, OWNER)
    assert f"the read model belongs to the role {installer}" in said
    assert f"and not to {OWNER}. Connect as that role. Or have a superuser hand it over" in said
    for statement in statements(said):
        superuser.execute(statement.encode())
    assert_it_works(superuser, source_database, OWNER)
    with source_database.by(OWNER).connect() as conn:
        uninstall(conn)
    assert value(superuser, NOTHING_OF_OURS) is True


def test_an_empty_schema_of_another_role_is_not_taken(
    superuser: Connection, source_database: Database
) -> None:
    for schema in ("projector", "read_model", "leads_access", "leads_sql"):
        superuser.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {OTHER}".encode())
        superuser.execute(f"GRANT ALL ON SCHEMA {schema} TO {OWNER}".encode())
        said = said_to(source_database, OWNER)
        assert f"belongs to the role {OTHER}" in said
        [statement] = statements(said)
        assert statement == f"ALTER SCHEMA {schema} OWNER TO {OWNER};"
        superuser.execute(statement.encode())
    assert_it_works(superuser, source_database, OWNER)


def test_a_superuser_takes_no_schema_of_another_role(superuser: Connection) -> None:
    for schema in ("projector", "read_model", "leads_access", "leads_sql"):
        superuser.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {OTHER}".encode())
        if schema == "leads_access":
            superuser.execute(
                f"SET ROLE {OTHER}; CREATE TABLE leads_access.api_keys (prefix text); RESET ROLE".encode()
            )
        with pytest.raises(ProjectorError, match=f"belongs to the role {OTHER}.*have it dropped") as raised:
            migrate(superuser, create_source=False)
        assert statements(str(raised.value))[0].startswith(f"ALTER SCHEMA {schema} OWNER TO ")
        superuser.execute(f"DROP SCHEMA {schema} CASCADE".encode())
    assert value(superuser, NOTHING_OF_OURS) is True


def test_nothing_that_another_role_owns_is_called(superuser: Connection, source_database: Database) -> None:
    migrate_as(source_database, OWNER)
    # Whoever owns the functions gets what a superuser may do, and so does whoever owns one of them.
    with pytest.raises(ProjectorError, match=f"belongs to the role {OWNER}"), source_database.connect():
        pass
    superuser.execute(f"GRANT {OTHER} TO {OWNER}".encode())
    for object_name in ("FUNCTION projector.canonical_phone(text)", "VIEW projector.queue_state"):
        superuser.execute(f"ALTER {object_name} OWNER TO {OTHER}".encode())
        with pytest.raises(ProjectorError) as raised, source_database.by(OWNER).connect():
            pass
        [statement] = statements(str(raised.value))
        assert statement.endswith(f" OWNER TO {OWNER};")
        superuser.execute(statement.encode())
    # A member of the role reads, and migrates once it runs as the role.
    superuser.execute(f"REVOKE {OTHER} FROM {OWNER}; GRANT {OWNER} TO {OTHER}".encode())
    assert f"and not to {OTHER}" in said_to(source_database, OTHER)
    superuser.execute(f"ALTER ROLE {OTHER} SET role = {OWNER}".encode())
    migrate_as(source_database, OTHER)


def test_a_schema_that_a_stranger_filled_is_left_alone(
    superuser: Connection, source_database: Database
) -> None:
    for created, name in (
        ("TABLE projector.settings (film text)", "projector.settings"),
        ("VIEW read_model.leads AS SELECT 1 AS id", "read_model.leads"),
        ("FUNCTION read_model.f() RETURNS integer LANGUAGE sql RETURN 1", "read_model.f()"),
        ("TYPE projector.lens AS ENUM ('wide')", "projector.lens"),
        ("TABLE leads_access.doors (door text)", "leads_access.doors"),
        ("VIEW leads_sql.leads AS SELECT 1 AS id", "leads_sql.leads"),
    ):
        kind, schema = created.split(" ")[0].lower(), name.split(".")[0]
        for owner in (OWNER, OTHER):
            superuser.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {owner}".encode())
            superuser.execute(f"SET ROLE {owner}; CREATE {created}; RESET ROLE".encode())
            said = said_to(source_database, OWNER)
            assert f"the schema {schema} is not the projector's: it belongs to the role {owner} and" in said
            assert f"{kind} {name}" in said
            with source_database.by(OWNER).connect() as conn:
                assert own_schemas(conn) == []
                # Nor does uninstall touch it, whatever it is allowed.
                uninstall(conn, drop_dependents=True)
            superuser.execute(f"DROP SCHEMA {schema} CASCADE".encode())


@pytest.mark.parametrize(
    ("revoked", "right"),
    [("CREATE ON DATABASE {0} FROM {1}", "CREATE"), ("TEMP ON DATABASE {0} FROM PUBLIC", "TEMPORARY")],
)
def test_a_right_on_the_database_is_asked_for(
    superuser: Connection, source_database: Database, revoked: str, right: str
) -> None:
    superuser.execute(f"REVOKE {revoked.format(source_database.name, OWNER)}".encode())
    [grant] = statements(said_to(source_database, OWNER))
    assert grant == f"GRANT {right} ON DATABASE {source_database.name} TO {OWNER};"
    assert value(superuser, NOTHING_OF_OURS) is True
    superuser.execute(grant.encode())
    assert_it_works(superuser, source_database, OWNER)


def test_a_source_table_that_may_not_be_read_is_named(
    superuser: Connection, source_database: Database
) -> None:
    superuser.execute("ALTER TABLE users OWNER TO CURRENT_USER")
    [grant] = statements(said_to(source_database, OWNER))
    assert grant == f"GRANT SELECT ON public.users TO {OWNER};"
    superuser.execute(grant.encode())
    migrate_as(source_database, OWNER)


def test_an_uninstall_by_a_wrong_login_drops_nothing(
    superuser: Connection, source_database: Database
) -> None:
    migrate_as(source_database, OWNER)
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads_capture%'"
    before = value(superuser, triggers)
    superuser.execute(f"GRANT USAGE ON SCHEMA projector TO {OTHER}".encode())
    with (
        source_database.by(OTHER).connect() as conn,
        pytest.raises(ProjectorError, match=f"belongs to the role {OWNER}"),
    ):
        uninstall(conn)
    assert value(superuser, triggers) == before > 0
    with source_database.by(OWNER).connect() as conn:
        require_rights_to_migrate(conn, source_names(conn))
        require_rights_to_uninstall(conn)
