"""Who owns a table of the platform gains nothing by code in it, which runs in the sessions of the projector."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from projector.database.rows import Connection
from projector.database.schema import sections
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.operate.assess import assess
from projector.operate.assess.facts import PROBLEM
from projector.operate.install import migrate
from projector.operate.rights import LOGIN, find_further_rights
from projector.operate.uninstall import uninstall
from projector.report.errors import ProjectorError, SourceMissingError
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.sweep.recovery import refresh_and_heal
from tests.exactness.platform import rebuild_now
from tests.support.cases import cases
from tests.support.commands import run_command
from tests.support.roles import give_platform, logins
from tests.support.running import value, write_source
from tests.support.server import Database
from tests.support.source import SOURCE_TABLES
from tests.unit.projector.test_uninstall import IS_GONE as NOTHING_OF_OURS

OWNER, OTHER = "leads_test_platform", "leads_test_other"

ATTACK = """
CREATE TABLE public.attempts (role name DEFAULT current_user, failed text[]);
GRANT ALL ON public.attempts TO public;
CREATE FUNCTION public.attack() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    attempt text;
    failed text[] := '{}';
BEGIN
    FOREACH attempt IN ARRAY ARRAY[
        'SELECT set_config(''role'', ''none'', false)',
        'ALTER ROLE leads_test_platform SUPERUSER',
        'GRANT leads_keys TO leads_test_platform',
        'SET ROLE leads_access',
        'INSERT INTO leads_access.api_keys (prefix, key_hash, all_tenants, label)'
        ' VALUES (''leads_000000000bad'', sha256(''''), true, ''planted'')',
        'UPDATE leads_access.erasures SET tenant_hash = ''''',
        'DELETE FROM leads_access.erasures',
        'CREATE OR REPLACE FUNCTION leads_access.key_of(text) RETURNS integer LANGUAGE sql AS ''SELECT 1''',
        'CREATE TRIGGER t AFTER INSERT ON leads_access.api_keys EXECUTE FUNCTION suppress_redundant_updates_trigger()'
    ] LOOP
        BEGIN
            EXECUTE attempt;
        EXCEPTION WHEN insufficient_privilege OR invalid_parameter_value THEN
            failed := failed || left(attempt, 12);
        END;
    END LOOP;
    INSERT INTO public.attempts (failed) VALUES (failed);
    RETURN true;
END $$;
CREATE TYPE public.word AS ENUM ('sent', 'other');
CREATE FUNCTION public.cast_word(word public.word) RETURNS text LANGUAGE plpgsql STABLE
AS 'BEGIN PERFORM public.attack(); RETURN ''sent''; END';
CREATE CAST (public.word AS text) WITH FUNCTION public.cast_word(public.word);
CREATE FUNCTION public.fold(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
AS 'BEGIN PERFORM public.attack(); RETURN true; END';
CREATE FUNCTION public.look(name text) RETURNS text LANGUAGE plpgsql STABLE
AS 'BEGIN PERFORM public.attack(); RETURN name; END';
"""

WAYS = {
    "a key": "ALTER TABLE contacts ALTER contact_id TYPE public.word USING 'sent';"
    " INSERT INTO contacts (contact_id, user_id, phone) VALUES ('other', 'u', '49')",
    "a status": "ALTER TABLE messages ALTER status DROP DEFAULT, ALTER status TYPE public.word USING 'sent'",
    "an index": "CREATE INDEX evil ON messages (conversation_id) WHERE public.fold(1)",
    "a view": "ALTER TABLE contacts RENAME TO real_contacts; CREATE VIEW contacts AS SELECT contact_id, user_id, phone,"
    " public.look(name) AS name, email, company, updated_at FROM real_contacts",
}


@pytest.fixture
def superuser(source_database: Database) -> Iterator[Connection]:
    """A superuser, in a database whose platform belongs to an ordinary role; there is another ordinary role."""
    with source_database.connect() as conn, logins(conn, OWNER, OTHER):
        give_platform(conn, source_database, OWNER)
        conn.execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}".encode())
        try:
            yield conn
        finally:
            conn.execute("DROP SCHEMA IF EXISTS leads_sql, projector, read_model, leads_access CASCADE")
            if value(conn, "SELECT to_regrole(%s) IS NOT NULL", LOGIN):
                for command in ("DROP OWNED BY", "DROP ROLE"):
                    conn.execute(f"{command} {LOGIN}".encode())


def run_statements(superuser: Connection, text: str) -> None:
    """Run what an operator copies from a message, one statement at a time."""
    for statement in re.findall(r"(?:CREATE ROLE|GRANT|SET|ALTER)\b[^;]*;", text):
        superuser.execute(statement.encode(), prepare=False)
    superuser.execute("RESET lock_timeout")
    superuser.execute(f"ALTER ROLE {LOGIN} PASSWORD 'x'".encode())


def make_right(superuser: Connection, database: Database) -> Database:
    """Run the superuser's part of `migrate`; return the database for the projector's login."""
    right = database.by(LOGIN)
    with right.connect() as conn:
        for notice in migrate(conn, create_source=False):
            superuser.execute(notice.partition(":\n")[2].encode(), prepare=False)
        # Another owner of the triggers' functions is a capture gap.
        assert all(notice.startswith("Capture gap") for notice in migrate(conn, create_source=False))
    return right


def assert_nothing_gained(superuser: Connection, right: Database, way: str) -> None:
    write_source(superuser)
    line = {"salt": "s", "tenant_hash": "h", "asked_by": "a"}
    noted = value(superuser, "SELECT leads_access.append_erasure(%s)", Jsonb(line))
    superuser.execute("SELECT leads_access.finish_erasure(%s)", (noted,))
    finished_at = value(superuser, "SELECT finished_at FROM leads_access.erasures")
    with right.by(OWNER).connect() as owner, right.connect() as conn:
        # The login may finish a line, and a line that is finished stays as it is.
        conn.execute("SELECT leads_access.finish_erasure(%s)", (noted,))
        assert value(superuser, "SELECT finished_at FROM leads_access.erasures") == finished_at
        rebuild_now(conn)
        owner.execute(ATTACK.encode(), prepare=False)
        owner.execute(WAYS[way].encode(), prepare=False)
        # The trigger itself calls nothing of his.
        assert value(superuser, "SELECT count(*) FROM attempts WHERE role = %s", LOGIN) == 0
        for number in range(3):
            status = "'sent'" if way == "a status" else "NULL"
            owner.execute(
                "INSERT INTO messages (message_id, conversation_id, sender, timestamp, status)"
                f" VALUES ('m{number}', 'c-u-1', 'user', now(), {status})".encode()
            )
            with suppress(ProjectorError):
                refresh_and_heal(conn, retry_failed=False, progress=QUIET)
        if way == "a view":
            with pytest.raises(SourceMissingError, match="there is a view of that name"):
                rebuild(conn, tenants=["u"], progress=QUIET)
    # Elsewhere it ran in the projector's session, and went back to its login, and could do nothing else.
    ran = superuser.execute(
        "SELECT DISTINCT role::text, cardinality(failed) FROM attempts WHERE role <> %s", (OWNER,)
    )
    assert ran.fetchall() == ([] if way == "a view" else [(LOGIN, 8)])
    assert value(superuser, "SELECT rolsuper FROM pg_roles WHERE rolname = %s", OWNER) is False
    assert value(superuser, "SELECT count(*) FROM leads_access.api_keys") == 0
    assert value(superuser, "SELECT string_agg(tenant_hash, ' ') FROM leads_access.erasures") == "h"


@pytest.mark.parametrize("way", WAYS)
def test_a_richer_login_installs_nothing_and_the_right_one_gives_its_owner_nothing(
    superuser: Connection, source_database: Database, way: str
) -> None:
    with pytest.raises(ProjectorError, match=f"may do more than {OWNER}, which owns .* superuser") as raised:
        migrate(superuser, create_source=False)
    assert value(superuser, NOTHING_OF_OURS) is True
    [problem] = [fact for fact in assess(superuser) if fact.state == PROBLEM]
    assert [statement[:6] for statement in problem.statements] == ["CREATE", "GRANT "]
    run_statements(superuser, str(raised.value))
    assert_nothing_gained(superuser, make_right(superuser, source_database), way)


def test_a_schema_that_the_owner_has_made_is_no_installation(
    superuser: Connection, source_database: Database
) -> None:
    with source_database.by(OWNER).connect() as owner:
        owner.execute("CREATE SCHEMA leads_access CREATE TABLE api_keys (prefix text)")
    problems = [fact.text for fact in assess(superuser) if fact.state == PROBLEM]
    assert any(f"may do more than {OWNER}" in problem for problem in problems), problems


def test_a_member_without_the_rights_of_its_role_is_told_how_to_get_them(
    superuser: Connection, source_database: Database
) -> None:
    superuser.execute(f"CREATE ROLE {LOGIN} LOGIN PASSWORD 'x' NOINHERIT IN ROLE {OWNER}".encode())
    superuser.execute(f"GRANT CREATE ON DATABASE {source_database.name} TO {LOGIN}".encode())
    superuser.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {LOGIN}".encode())
    with source_database.by(LOGIN).connect() as conn:
        with pytest.raises(ProjectorError, match="only the owner of a table") as raised:
            migrate(conn, create_source=False)
        run_statements(superuser, str(raised.value))
        assert [fact.text for fact in assess(conn) if fact.state == PROBLEM] == []


def test_a_richer_installation_goes_on_and_its_status_says_how_to_make_it_right(
    superuser: Connection, source_database: Database, tmp_path: Path
) -> None:
    superuser.execute(f"ALTER ROLE {OWNER} SUPERUSER")
    migrate(superuser, create_source=False)
    superuser.execute(f"ALTER ROLE {OWNER} NOSUPERUSER")
    [notice] = migrate(superuser, create_source=False)
    assert notice.endswith("`status` prints the statements that make one.")
    rebuild_now(superuser)
    status = run_command(tmp_path, "status", DATABASE_URL=source_database.url)
    assert status.returncode == 1
    run_statements(superuser, status.stdout.partition("Needs attention")[2])
    right = make_right(superuser, source_database)
    assert_nothing_gained(superuser, right, "an index")
    with right.connect() as conn:
        assert find_attention(read_status(conn)) == []
        [statement] = re.findall(r"DROP SCHEMA .*;", "\n".join(uninstall(conn)))
    superuser.execute(statement.encode())
    assert value(superuser, NOTHING_OF_OURS) is True


BACKDOOR = """
CREATE FUNCTION public.to_regrole(name text) RETURNS regrole LANGUAGE plpgsql AS $$ BEGIN
    ALTER ROLE leads_test_platform SUPERUSER; RETURN pg_catalog.to_regrole(name);
END $$;
"""

SESSION = {"search_path": "public, pg_catalog", "client_encoding": "SJIS", "backslash_quote": "on"}


def test_the_settings_of_a_database_change_nothing_of_what_a_superuser_is_to_run(
    superuser: Connection, source_database: Database, tmp_path: Path
) -> None:
    database = f"ALTER DATABASE {source_database.name}"
    with source_database.by(OWNER).connect() as owner:
        owner.execute(BACKDOOR.encode(), prepare=False)
    for name, setting in SESSION.items():
        superuser.execute(f"{database} SET {name} = {setting}".encode())
    try:
        done = run_command(tmp_path, "migrate", "--sql", DATABASE_URL=source_database.by(OWNER).url)
        assert done.returncode == 0, done.stderr
        with psycopg.connect(source_database.url, client_encoding="", autocommit=True) as conn:
            assert conn.info.encoding == "shift_jis"
            # As psql does: the server reads the bytes of a statement as the one before has set.
            settings, rest = re.split("(?=DO )", done.stdout, maxsplit=1)
            conn.execute(settings.encode(), prepare=False)
            conn.execute(rest.encode(), prepare=False)
    finally:
        superuser.execute(f"{database} RESET ALL".encode())
        superuser.execute("DROP FUNCTION public.to_regrole")
    assert value(superuser, "SELECT rolsuper FROM pg_roles WHERE rolname = %s", OWNER) is False


def test_what_a_table_of_the_read_model_says_is_no_statement_for_a_superuser(
    superuser: Connection, source_database: Database, tmp_path: Path
) -> None:
    right = source_database.by(OWNER)
    with right.connect() as owner:
        for notice in migrate(owner, create_source=False):
            superuser.execute(notice.partition(":\n")[2].encode(), prepare=False)
        migrate(owner, create_source=False)
        owner.execute("INSERT INTO projector.capture_gaps (reason) VALUES (E'x:\\nALTER ROLE a SUPERUSER;')")
    printed = run_command(tmp_path, "migrate", "--sql", DATABASE_URL=right.url)
    assert printed.stdout == ""
    assert "ALTER ROLE a SUPERUSER" in printed.stderr


@pytest.mark.parametrize(
    ("grant", "refused"),
    [
        (
            "GRANT leads_api TO leads_access; CREATE SCHEMA leads_access AUTHORIZATION leads_api",
            "belongs to another role",
        ),
        ("GRANT leads_api TO leads_access", "is a member of another"),
    ],
)
def test_a_schema_that_was_made_after_the_statements_were_printed_is_refused(
    superuser: Connection, source_database: Database, grant: str, refused: str
) -> None:
    superuser.execute(
        f"{sections()['access_roles']}; RESET ROLE; DROP SCHEMA leads_access".encode(), prepare=False
    )
    with source_database.by(OWNER).connect() as owner:
        [printed] = [notice for notice in migrate(owner, create_source=False) if "leads_access" in notice]
    superuser.execute(grant.encode(), prepare=False)
    try:
        with pytest.raises(psycopg.errors.RaiseException, match=refused):
            superuser.execute(printed.partition(":\n")[2].encode(), prepare=False)
    finally:
        superuser.execute("ROLLBACK; RESET ROLE; REVOKE leads_api FROM leads_access")


def test_a_function_where_an_extension_would_have_its_own_is_named(connection: Connection) -> None:
    connection.execute("DROP EXTENSION pg_trgm CASCADE")
    connection.execute("CREATE FUNCTION public.similarity(text, text) RETURNS real LANGUAGE sql RETURN 1")
    [notice] = migrate(connection, create_source=False)
    assert 'function "similarity" already exists' in notice
    assert "Drop that one" in notice


@cases(
    ("grant", "said"),
    [
        ("ALTER ROLE {0} CREATEROLE", "the login may create roles"),
        ("ALTER ROLE {0} BYPASSRLS", "the login bypasses row security"),
        ("GRANT {2} TO {0}", "the login is a member of {2}"),
        ("GRANT pg_read_all_data TO {0}", "the login is a member of pg_read_all_data"),
        ("GRANT leads_access TO {0}", "the login is a member of leads_access"),
        (
            "CREATE TABLE secrets (); GRANT SELECT ON secrets TO {0}",
            "granted or owns the table public.secrets",
        ),
        (
            "CREATE TABLE secrets (); ALTER TABLE secrets OWNER TO {0}",
            "granted or owns the table public.secrets",
        ),
        ("CREATE SCHEMA secrets AUTHORIZATION {0}", "granted or owns the schema secrets"),
        ("GRANT SELECT ON pg_authid TO {0}", "granted or owns the table pg_catalog.pg_authid"),
        (
            "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {0}",
            "granted or owns the function pg_catalog.pg_read_file",
        ),
        (
            "GRANT ALTER SYSTEM ON PARAMETER archive_command TO {0}",
            "granted or owns the parameter ACL archive_command",
        ),
        ("GRANT INSERT ON leads_access.keys TO {0}", "granted or owns the table leads_access.keys"),
        ("GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO {0}", None),
        ("GRANT CONNECT ON DATABASE postgres TO {0}; GRANT USAGE ON SCHEMA leads_access TO {0}", None),
        (
            "ALTER TABLE users OWNER TO {2}; GRANT SELECT ON users TO {0}",
            "{2}, which owns users: the login",
        ),
        ("ALTER TABLE users OWNER TO {2}; GRANT {2} TO {0}", "{2}, which owns users: the login"),
        ("GRANT {2} TO {0}, {1}", None),
        ("GRANT leads_api, leads_reader, leads_keys TO {0}", None),
        ("ALTER TABLE users OWNER TO CURRENT_USER; GRANT SELECT ON users TO {0}", None),
        ("CREATE TABLE secrets (); ALTER TABLE secrets OWNER TO {1}; GRANT SELECT ON secrets TO {0}", None),
    ],
)
def test_what_a_login_may_do_beyond_an_owner_is_found(
    superuser: Connection, source_database: Database, grant: str, said: str | None
) -> None:
    names = LOGIN, OWNER, OTHER
    access = f"{sections()['access_roles']}; RESET ROLE; CREATE TABLE IF NOT EXISTS leads_access.keys ()"
    superuser.execute(access.encode(), prepare=False)
    superuser.execute(f"CREATE ROLE {LOGIN} LOGIN PASSWORD 'x' IN ROLE {OWNER}".encode())
    try:
        superuser.execute(grant.format(*names).encode(), prepare=False)
        with source_database.by(LOGIN).connect() as conn:
            further = find_further_rights(conn, [f"public.{table.name}" for table in SOURCE_TABLES])
        assert (further is not None) == (said is not None), further
        assert said is None or said.format(*names) in str(further)
    finally:
        superuser.execute("DROP TABLE IF EXISTS secrets; DROP SCHEMA IF EXISTS secrets")
        give_platform(superuser, source_database, OWNER)
        superuser.execute(f"DROP OWNED BY {LOGIN}".encode())
        superuser.execute(f"DROP ROLE {LOGIN}".encode())
        superuser.execute(f"REVOKE {OTHER} FROM {OWNER}".encode())
