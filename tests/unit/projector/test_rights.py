"""What `migrate` and `uninstall` have to be allowed, and the roles that they need: they say so before they begin."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from projector.capture.source import find_source
from projector.database.rows import Connection
from projector.database.source_names import source_names
from projector.operate.install import migrate
from projector.operate.rights import find_missing_rights, own_schemas, require_rights_to_uninstall
from projector.operate.roles import set_up_readers
from projector.operate.uninstall import uninstall
from projector.report.errors import ProjectorError
from tests.exactness.feed_copy import serving
from tests.exactness.platform import rebuild_now, refresh_now
from tests.support.commands import run_command
from tests.support.roles import give_platform, logins, without_role
from tests.support.running import value, write_message, write_source
from tests.support.server import Database
from tests.unit.projector.test_uninstall import IS_GONE as NOTHING_OF_OURS

OWNER, OTHER = "leads_test_platform", "leads_test_other"
VIEWS = ("leads", "conversations", "messages", "statistics_by_day", "lead_status_changes")


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
        rebuild_now(conn)
        superuser.execute(f"SET ROLE {OWNER}".encode())
        write_message(superuser, "m1")
        superuser.execute("RESET ROLE")
        refresh_now(conn)
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
    *_, grant = grants = re.findall(r"\b(?:ALTER ROLE|GRANT)\b[^;]*;", said)
    assert grant.startswith(f"GRANT {OWNER} TO {OTHER}")
    for statement in grants:
        superuser.execute(statement.encode())
    superuser.execute(f"GRANT SELECT ON users TO {OTHER}".encode())
    assert_it_works(superuser, source_database, OTHER)


def test_a_schema_of_another_role_is_not_taken_even_by_a_superuser(
    superuser: Connection, source_database: Database
) -> None:
    for schema in ("projector", "read_model", "leads_access", "leads_sql"):
        superuser.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {OTHER}".encode())
        if schema == "leads_access":
            superuser.execute(f"SET ROLE {OTHER}; CREATE TABLE leads_access.api_keys (); RESET ROLE".encode())
            for owner in (OTHER, OWNER):
                superuser.execute(f"ALTER SCHEMA leads_access OWNER TO {owner}".encode())
                said = said_to(source_database, OWNER)
                assert (
                    f"schema leads_access belongs to the role {owner}, and not to a role of its own" in said
                )
                assert "save the API keys and the ledger of erasures" in said
            superuser.execute("DROP SCHEMA leads_access CASCADE")
            continue
        with pytest.raises(ProjectorError, match=f"belongs to the role .*{OTHER}.*have it dropped") as raised:
            migrate(superuser, create_source=False)
        assert f"\nALTER SCHEMA {schema} OWNER TO " in str(raised.value)
        superuser.execute(f"GRANT ALL ON SCHEMA {schema} TO {OWNER}".encode())
        said = said_to(source_database, OWNER)
        assert f"belongs to the role {OTHER}" in said
        [statement] = statements(said)
        assert statement == f"ALTER SCHEMA {schema} OWNER TO {OWNER};"
        superuser.execute(statement.encode())
    assert_it_works(superuser, source_database, OWNER)


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
    ("taken", "grant"),
    [
        ("REVOKE CREATE ON DATABASE {0} FROM {1}", "GRANT CREATE ON DATABASE {0} TO {1};"),
        ("REVOKE TEMP ON DATABASE {0} FROM PUBLIC", "GRANT TEMPORARY ON DATABASE {0} TO {1};"),
        ("ALTER TABLE users OWNER TO CURRENT_USER", "GRANT SELECT ON public.users TO {1};"),
    ],
)
def test_a_right_that_is_missing_is_asked_for(
    superuser: Connection, source_database: Database, taken: str, grant: str
) -> None:
    names = source_database.name, OWNER
    superuser.execute(taken.format(*names).encode())
    assert statements(said_to(source_database, OWNER)) == [grant.format(*names)]
    assert value(superuser, NOTHING_OF_OURS) is True
    superuser.execute(grant.format(*names).encode())
    assert_it_works(superuser, source_database, OWNER)


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
        assert list(find_missing_rights(conn, find_source(conn).values(), source_names(conn))) == []
        require_rights_to_uninstall(conn)


# The roles of the API and of those who read by SQL, and what a superuser has to run where a login may not.


@pytest.fixture
def bare(superuser: Connection) -> Iterator[Connection]:
    """The same on a server that has neither the role of the API nor that of readers."""
    with without_role(superuser, "leads_api"), without_role(superuser, "leads_reader"):
        yield superuser


def answer(database: Database, login: str) -> tuple[int, str]:
    """The status of a request to the API under a login, and its message where it failed."""
    with serving(database.by(login)) as app:
        answered = app.test_client().get("/users/u/leads")
    return answered.status_code, answered.get_json().get("message", "")


def test_rights_stay_where_only_the_membership_is_refused(
    bare: Connection, source_database: Database
) -> None:
    bare.execute("CREATE ROLE leads_api; CREATE ROLE leads_reader")
    with source_database.by(OWNER).connect() as conn:
        migrate(conn, create_source=False)
        [notice] = set_up_readers(conn)
    assert notice.splitlines()[1:] == [f"GRANT leads_api TO {OWNER};"]
    assert value(bare, "SELECT has_table_privilege('leads_api', 'read_model.leads', 'SELECT')") is True
    assert "GRANT leads_api TO" in answer(source_database, OWNER)[1]
    bare.execute(notice.partition("\n")[2].encode())
    assert answer(source_database, OWNER)[1] == "The read model was never built"


GRANTS = {
    "owner": (OWNER, ""),
    "creates roles": (OWNER, f"ALTER ROLE {OWNER} CREATEROLE"),
    "member": (OTHER, f"GRANT {OWNER} TO {OTHER}; GRANT CREATE, TEMPORARY ON DATABASE {{}} TO {OTHER}"),
}


@pytest.fixture(params=[(kind, has_roles) for kind in GRANTS for has_roles in (False, True)])
def lacking(
    superuser: Connection, source_database: Database, request: pytest.FixtureRequest
) -> Iterator[tuple[str, bool, bool]]:
    """A login, whether something is left for a superuser, and whether others made our roles on the server."""
    kind, has_roles = request.param
    login, grant = GRANTS[kind]
    with ExitStack() as roles:
        for role in ("leads_api", "leads_reader", "leads_keys", "leads_access"):
            roles.enter_context(without_role(superuser, role))
            if has_roles:
                superuser.execute(f"CREATE ROLE {role}".encode())
        superuser.execute(grant.format(source_database.name).encode())
        # Until PostgreSQL 16, who could create roles could grant those of others.
        is_admin = kind == "creates roles" and not (has_roles and superuser.info.server_version >= 160000)
        yield login, not is_admin, has_roles
        superuser.execute("DROP SCHEMA IF EXISTS leads_access CASCADE")


def test_all_programs_say_the_same_of_what_is_left_for_a_superuser(
    superuser: Connection, lacking: tuple[str, bool, bool], source_database: Database, tmp_path: Path
) -> None:
    login, is_left, has_roles = lacking
    write_source(superuser)

    def ran(*command: str) -> tuple[int, str]:
        done = run_command(
            tmp_path, *command, DATABASE_URL=source_database.by(login).url, LEADS_LOG_LEVEL="ERROR"
        )
        return done.returncode, done.stdout + done.stderr

    why = "" if has_roles else "the role leads_api does not exist, so the API cannot read; "
    keys = "the API keys and the ledger of erasures do not exist, so no key is valid and nobody can be erased"
    run = "un `python -m projector migrate --sql | psql SUPERUSER_URL`, then `python -m projector migrate`"
    left = f"Left for a superuser: {why}{keys}. R{run}.\n" if is_left else ""
    for command, code in (
        ("migrate", not has_roles),
        ("rebuild", 0),
        ("refresh --verbose", 0),
        ("status", 1),
    ):
        done = ran(*command.split())
        assert (done[0], left in done[1]) == (code * is_left, True), done
        assert ("up to date" in done[1]) is (command == "migrate" and not is_left)
    assert ran("erase", "--user", "x", "--yes")[0] == is_left
    if is_left:
        assert ran("migrate")[1].removeprefix("Error: ") == left
        assert ran("erase", "--replay") == (1, f"Error: {left}")
        said = answer(source_database, login)[1]
        assert said == f"The role leads_api does not exist, so the API cannot read: r{run}" or has_roles
    printed = run_command(tmp_path, "migrate", "--sql", DATABASE_URL=source_database.by(login).url)
    assert (printed.returncode, left in printed.stderr) == (0, True)
    # As psql takes it: no sentence stands between the statements.
    superuser.execute(printed.stdout.encode() or b"SELECT", prepare=False)
    assert ran("migrate")[1].endswith("The read model is installed and up to date.\n")
    assert [ran("status")[0], answer(source_database, login)[0]] == [0, 200]


@pytest.mark.usefixtures("bare")
def test_migrate_names_the_mapping_in_what_is_left(source_database: Database, tmp_path: Path) -> None:
    done = run_command(
        tmp_path, "migrate", "--mapping", "default", DATABASE_URL=source_database.by(OWNER).url
    )
    assert (done.returncode, "installed" in done.stdout) == (1, False)
    assert "`python -m projector migrate --mapping default --sql | psql SUPERUSER_URL`, then" in done.stderr


def test_the_printed_statements_let_a_reader_read(bare: Connection, source_database: Database) -> None:
    write_source(bare, "u")
    write_source(bare, "v")
    with source_database.by(OWNER).connect() as conn:
        [notice] = [notice for notice in migrate(conn, create_source=False) if "leads_reader" in notice]
        rebuild_now(conn)
        bare.execute(notice.partition("\n")[2].encode())
        migrate(conn, create_source=False)
        # The owner itself lets the role read from now on, that is what a later version adds, too.
        bare.execute("REVOKE SELECT ON leads_sql.leads FROM leads_reader")
        assert not [notice for notice in migrate(conn, create_source=False) if "leads_reader" in notice]
    bare.execute(f"GRANT leads_reader TO {OTHER}".encode())
    with source_database.by(OTHER).connect() as reader:
        leads = reader.execute("SELECT user_id, customer_phone FROM leads_sql.leads ORDER BY 1").fetchall()
        assert leads == [("u", "49151000001"), ("v", "49151000001")]
        assert all(value(reader, f"SELECT count(*) >= 0 FROM leads_sql.{view}") for view in VIEWS)
        for other in ("read_model.leads", "projector.changes", "leads_access.api_keys", "public.messages"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT FROM {other}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("DELETE FROM leads_sql.conversations")
