"""Where logical replication brings the source rows, freshness never claims what has not arrived."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from api.app import create_app
from api.config import Config
from projector.install import migrate
from projector.look import look
from projector.origin import Feed, Origin, find_problem, note_once
from projector.progress import QUIET
from projector.rebuild import rebuild
from projector.refresh import refresh
from projector.schema import source_commands
from projector.status import as_dict, find_attention, read_status, render
from tests.support.running import value, wait_for, write_message, write_source
from tests.support.server import FAST, connect, running_server

Connection = psycopg.Connection[TupleRow]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Road:
    """A platform and the server that follows it, with what was committed at the platform and when at the latest."""

    platform: Connection
    conn: Connection
    origin: Origin
    committed: dict[str, datetime] = field(default_factory=dict)

    def write(self) -> str:
        """Commit a message at the platform."""
        name = f"m-{len(self.committed)}"
        write_message(self.platform, name)
        self.committed[name] = value(self.platform, "SELECT clock_timestamp()")
        return name

    def look(self) -> datetime:
        """Do what the scheduler does, and check what the read model then promises. Returns as of when it is."""
        self.origin.follow(self.conn)
        refresh(self.conn, retry_failed=False, progress=QUIET)
        as_of, names = self.conn.execute(
            "SELECT f.as_of, ARRAY(SELECT m.message_id FROM read_model.lead_messages AS m)"
            " FROM read_model.freshness AS f"
        ).fetchone() or (None, [])
        missing = [name for name, at in self.committed.items() if at < as_of and name not in names]
        assert missing == []
        return as_of  # type: ignore[no-any-return]

    def wait_until_as_of(self, moment: datetime) -> None:
        wait_for(lambda: self.look() > moment, f"freshness passes {moment}")

    def problem(self) -> str | None:
        """What readiness says."""
        found: str | None = value(self.conn, "SELECT feed_problem FROM read_model.projection")
        return found


@pytest.fixture(scope="module")
def road() -> Iterator[Road]:
    settings = {**FAST, "synchronous_commit": "on"}
    with (
        running_server(**settings) as first,
        running_server(
            **settings, wal_receiver_status_interval="1s", wal_retrieve_retry_interval="100ms"
        ) as second,
        connect(first.url()) as platform,
        connect(second.url()) as conn,
    ):
        platform.execute(source_commands(), prepare=False)
        platform.execute("CREATE PUBLICATION leads FOR ALL TABLES")
        platform.execute("CREATE ROLE leads_origin LOGIN PASSWORD 'x'")
        write_source(platform)
        migrate(conn, create_source=True)
        given = conninfo_to_dict(first.url())
        conn.execute(
            sql.SQL("CREATE SUBSCRIPTION leads CONNECTION {} PUBLICATION leads").format(
                make_conninfo("", **given)
            )
        )
        rebuild(conn, tenants=None, progress=QUIET)
        assert value(conn, "SELECT as_of FROM read_model.freshness") == EPOCH
        found = Road(platform, conn, Origin(make_conninfo(first.url(), user="leads_origin", password="x")))
        try:
            found.wait_until_as_of(EPOCH)
            yield found
        finally:
            found.origin.close()
            conn.execute("ALTER SUBSCRIPTION leads DISABLE")
            conn.execute("ALTER SUBSCRIPTION leads SET (slot_name = NONE)")
            conn.execute("DROP SUBSCRIPTION leads")


def test_freshness_follows_the_platform_and_never_claims_more(road: Road) -> None:
    for _ in range(20):
        road.write()
        road.look()
    last = road.committed[road.write()]
    road.wait_until_as_of(last)
    assert road.problem() is None
    assert find_attention(read_status(road.conn)) == []


def test_freshness_goes_on_while_nothing_is_written(road: Road) -> None:
    for _ in range(2):
        road.wait_until_as_of(value(road.platform, "SELECT clock_timestamp()"))


def test_a_transaction_that_is_still_open_is_not_waited_for(road: Road) -> None:
    with connect(conninfo(road.platform)) as other, other.transaction():
        write_message(other, "open")
        road.wait_until_as_of(value(road.platform, "SELECT clock_timestamp()"))


def test_a_subscription_that_is_stuck_moves_nothing(road: Road) -> None:
    with connect(conninfo(road.conn)) as holder, holder.transaction():
        # Readers pass, and so does the refresh.
        holder.execute("LOCK TABLE messages IN SHARE MODE")
        last = road.committed[road.write()]
        for _ in range(20):
            assert road.look() <= last
    road.wait_until_as_of(last)


def conninfo(conn: Connection) -> str:
    return make_conninfo(conn.info.dsn, password=conn.info.password)


def ready(road: Road) -> tuple[int, str]:
    app = create_app(Config(conninfo(road.conn), rate_limit="", log_level="CRITICAL"))
    try:
        answer = app.test_client().get("/health/ready")
    finally:
        app.extensions["leads_database"].engine.dispose()
    return answer.status_code, answer.get_json().get("message", "")


def test_a_subscription_that_is_disabled_is_told(road: Road) -> None:
    assert ready(road) == (200, "")
    road.conn.execute("ALTER SUBSCRIPTION leads DISABLE")
    last = road.committed[road.write()]
    assert all(road.look() <= last for _ in range(5))
    reason = "The subscription leads is disabled"
    assert road.problem() == reason
    assert ready(road) == (503, f"Changes of the platform may not arrive: {reason}")
    status = read_status(road.conn)
    assert [sentence for sentence in find_attention(status) if reason in sentence]
    assert "subscription leads: disabled, " in render(status)
    assert as_dict(status)["origin"]["problem"] == reason
    # The cheap look of the scheduler is bound too.
    look(road.conn, timedelta(0))
    assert value(road.conn, "SELECT as_of FROM read_model.freshness") <= last
    road.conn.execute("ALTER SUBSCRIPTION leads ENABLE")
    road.wait_until_as_of(last)
    wait_for(lambda: road.look() is not None and road.problem() is None, "it is well again")
    assert ready(road) == (200, "")


def test_a_subscription_in_conflict_is_told(road: Road) -> None:
    name = f"m-{len(road.committed)}"
    write_message(road.conn, name)
    last = road.committed[road.write()]
    after = road.committed[road.write()]

    def is_told() -> bool:
        assert road.look() <= after
        return "failed" in (road.problem() or "")

    wait_for(is_told, "the conflict is told")
    assert road.look() <= max(last, after)
    road.conn.execute("DELETE FROM messages WHERE message_id = %s", (name,))
    road.wait_until_as_of(after)
    wait_for(lambda: road.look() is not None and road.problem() is None, "it is well again")


def test_without_the_address_of_the_origin_nothing_is_proved(road: Road) -> None:
    before = road.look()
    stranger = Road(road.platform, road.conn, Origin(""), road.committed)
    road.write()
    for _ in range(3):
        assert stranger.look() <= max(before, value(road.conn, "SELECT proved_at FROM projector.origin"))
    assert "LEADS_ORIGIN_DATABASE_URL is not set" in (stranger.problem() or "")
    road.look()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"port": "1"}, "cannot be read by LEADS_ORIGIN_DATABASE_URL"),
        ({"password": "secret-word"}, "cannot be read by LEADS_ORIGIN_DATABASE_URL"),
        ({"dbname": "postgres"}, "without the replication slots of leads"),
    ],
)
def test_another_address_proves_nothing(road: Road, parameters: dict[str, str], said: str) -> None:
    url = make_conninfo(conninfo(road.platform), **parameters)
    before = value(road.conn, "SELECT proved_at FROM projector.origin")
    note_once(road.conn, url)
    assert said in (road.problem() or "")
    assert "secret-word" not in (road.problem() or "")
    assert value(road.conn, "SELECT proved_at FROM projector.origin") == before
    road.look()


def test_a_platform_of_its_own_needs_no_proof(connection: Connection) -> None:
    rebuild(connection, tenants=None, progress=QUIET)
    before = value(connection, "SELECT clock_timestamp()")
    note_once(connection, "")
    refresh(connection, retry_failed=False, progress=QUIET)
    assert value(connection, "SELECT as_of FROM read_model.freshness") >= before
    assert value(connection, "SELECT feed_problem FROM read_model.projection") is None
    assert not look(connection, timedelta(0)).is_fed


def feed(**changes: object) -> Feed:
    return Feed(**{**WELL, **changes})  # type: ignore[arg-type]


WELL: dict[str, object] = {
    "name": "leads",
    "slot_name": "leads",
    "is_enabled": True,
    "unready_tables": 0,
    "has_worker": True,
    "position": "0/1",
    "errors": 3,
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"is_enabled": False}, "The subscription leads is disabled"),
        ({"unready_tables": 1}, "The subscription leads has yet to copy 1 table"),
        ({"errors": 5}, "The subscription leads failed 2 times since something arrived last"),
        ({"has_worker": False, "position": None}, "The subscription leads has no worker"),
    ],
)
def test_what_keeps_changes_from_arriving(changes: dict[str, object], said: str | None) -> None:
    assert find_problem([feed(**changes)], 3) == said
