"""What a platform, its operators and their tools do beside the projector without harm."""

from collections.abc import Iterator

import psycopg
import pytest

from projector.core import source_reads
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from tests.conftest import MakeDatabase
from tests.exactness.interleaving import Stepped
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now, texts, value
from tests.support.roles import give_platform, logins
from tests.support.server import Database

OWNER = "leads_test_owner"


@pytest.fixture
def owned(make_database: MakeDatabase, source_template: Database) -> Iterator[Platform]:
    """A platform whose tables belong to an ordinary role, which the projector has too."""
    made = make_database(source_template)
    with made.connect() as superuser, logins(superuser, OWNER):
        give_platform(superuser, made, OWNER)
        superuser.execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}".encode())
        with made.by(OWNER).connect() as conn:
            migrate(conn, create_source=False)
            platform = Platform(conn)
            platform.tenant("one")
            platform.message(platform.conversation(platform.agent("one"), "4915"), "first")
            rebuild_now(conn)
            yield platform


def test_rows_that_a_policy_hides_from_the_projector_are_not_taken_for_gone(owned: Platform) -> None:
    conn = owned.conn
    for command in ("ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY"):
        conn.execute(f"ALTER TABLE messages {command}".encode())
    conn.execute("SET row_security = on")
    conn.execute("CREATE POLICY none ON messages USING (current_setting('app.who', true) = 'platform')")
    conn.execute("SET app.who = 'platform'")
    conn.execute("UPDATE messages SET text = 'edited'")
    with owned.database.connect() as own:
        for run in (refresh_now, rebuild_now):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                run(own)
    assert texts(conn, "one", "4915") == ["first"]


@pytest.mark.parametrize("of", ["ALL TABLES", "TABLES IN SCHEMA read_model"])
def test_a_publication_stops_nothing(filled: Platform, of: str) -> None:
    conn = filled.conn
    conn.execute(f"CREATE PUBLICATION everything FOR {of}".encode())
    for run in (refresh_now, rebuild_now):
        filled.message("c", "published")
        filled.conn.execute("UPDATE contacts SET name = name || 'x'")
        run(conn)
        refresh_now(conn)
        assert_exact(conn)


@pytest.mark.parametrize(
    ("work", "first", "second"),
    [
        ("verify", "agents", "conversations"),
        ("verify", "contacts", "templates"),
        ("first build", "messages", "conversations"),
        ("rebuild of a tenant", "template_sends", "templates"),
        ("rebuild in place", "template_sends", "templates"),
    ],
)
def test_the_platform_never_waits_for_somebody_who_waits_for_it(
    filled: Platform, other: Connection, work: str, first: str, second: str
) -> None:
    """It changes one table after the other, and the projector reads them in another order."""

    def read(own: Connection) -> None:
        if work == "verify":
            verify(own, tenants=None, sample=None, heal=False, progress=QUIET)
        elif work == "first build":
            rebuild_now(own, first=True)
        else:
            tenants = ["one"] if work == "rebuild of a tenant" else None
            rebuild(own, tenants=tenants, progress=QUIET)

    # It gives way before PostgreSQL checks for a deadlock, which cancels the session that checks first. On a busy
    # machine both would check late, so PostgreSQL does not check at all here.
    assert value(other, "SELECT %s::interval < '1 s'", source_reads.SOURCE_LOCK_TIMEOUT)
    other.execute(f"ALTER DATABASE \"{filled.database.name}\" SET deadlock_timeout = '1h'".encode())
    other.execute("BEGIN")
    other.execute("SET LOCAL deadlock_timeout = '1h'")
    other.execute(f"ALTER TABLE {first} ADD COLUMN further integer".encode())
    with Stepped(filled.database, read) as reading:
        reading.waits(filled.conn)
        other.execute(f"ALTER TABLE {second} ADD COLUMN further integer".encode())
        other.execute("COMMIT")
        reading.finish()
    assert reading.error is None
    assert_exact(filled.conn)
