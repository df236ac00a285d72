"""A platform and a second server that follows it by logical replication, on which the read model is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from projector.database.rows import Connection
from projector.database.schema import source_commands, source_tables
from projector.operate.install import migrate
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.running import value, wait_for, wait_until, write_source
from tests.support.server import FAST, connect, running_server
from tests.support.standby import Standby, running_standby

# Earlier versions of PostgreSQL apply a large transaction after its end, by one worker.
FIRST_WITH_PARALLEL_WORKERS = 160000
# Earlier versions of PostgreSQL keep logical slots on the primary only.
FIRST_WITH_FAILOVER_SLOTS = 170000


@dataclass
class TwoServers:
    """A platform and the server that follows it. `server` is the platform's, `subscriber` the other one."""

    platform: Connection
    conn: Connection
    origin_url: str
    server: EmbeddedServer
    subscriber: EmbeddedServer

    def subscribe(self, publisher: str = "", publication: str = "leads", **options: str) -> None:
        """Create the subscription, to the platform unless an address of it with more hosts is given."""
        options = {"connect": "true", **options}
        if (
            options.get("streaming") == "parallel"
            and self.conn.info.server_version < FIRST_WITH_PARALLEL_WORKERS
        ):
            options["streaming"] = "on"
        if self.conn.info.server_version < FIRST_WITH_FAILOVER_SLOTS:
            options.pop("failover", None)
        self.conn.execute(
            sql.SQL("CREATE SUBSCRIPTION leads CONNECTION {} PUBLICATION {} WITH ({})").format(
                make_conninfo("", **conninfo_to_dict(publisher or address(self.platform))),
                sql.Identifier(publication),
                sql.SQL(", ").join(
                    sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in options.items()
                ),
            )
        )

    def copy_again(
        self, publisher: str = "", publication: str = "leads", more_tables: Sequence[str] = ()
    ) -> None:
        """Copy all tables, as the page on replication says for a lost slot. No projector may run."""
        drop_subscription(self.conn)
        wait_for(lambda: _drop_slot(self.platform), "the slot is dropped")
        self.conn.execute(f"TRUNCATE {', '.join([*source_tables(), *more_tables])}".encode())
        self.subscribe(publisher, publication)
        wait_until(self.conn, "NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')")


@contextmanager
def replicated_platform(**of_subscription: str) -> Iterator[TwoServers]:
    """Run two servers, with a publication of all tables on the first, and a subscription on the second.

    Nothing is built yet, and nothing proved.
    """
    settings = {**FAST, "synchronous_commit": "on", "logical_decoding_work_mem": "64kB"}
    second_settings = {"wal_receiver_status_interval": "1s", "wal_retrieve_retry_interval": "100ms"}
    with (
        running_server(**settings) as first,
        running_server(**settings, **second_settings) as second,
        connect(first.url()) as platform,
        connect(second.url()) as conn,
    ):
        relations = {name: sql.Identifier("public", name) for name in source_tables()}
        platform.execute(sql.SQL(source_commands()).format(**relations), prepare=False)
        platform.execute("CREATE PUBLICATION leads FOR ALL TABLES")
        platform.execute("CREATE ROLE leads_origin LOGIN PASSWORD 'x'")
        write_source(platform)
        migrate(conn, create_source=True)
        url = make_conninfo(first.url(), user="leads_origin", password="x")
        both = TwoServers(platform, conn, url, first, second)
        both.subscribe(**of_subscription)
        try:
            yield both
        finally:
            # A test may have stopped the server.
            with suppress(psycopg.OperationalError):
                drop_subscription(conn)


def drop_subscription(conn: Connection) -> None:
    """Drop the subscription and leave its slot, as the page on replication says for a lost slot."""
    for command in ("ALTER SUBSCRIPTION leads DISABLE", "ALTER SUBSCRIPTION leads SET (slot_name = NONE)"):
        conn.execute(command.encode())
    conn.execute("DROP SUBSCRIPTION leads")


def _drop_slot(conn: Connection) -> bool:
    with suppress(psycopg.errors.ObjectInUse):
        conn.execute(
            "SELECT pg_drop_replication_slot(s.slot_name) FROM pg_replication_slots AS s WHERE s.slot_name = 'leads'"
        )
        return True
    return False


def address(conn: Connection) -> str:
    """Return the address of a connection's database, with its password."""
    return make_conninfo(conn.info.dsn, password=conn.info.password)


def has_failover_slots(both: TwoServers) -> bool:
    """Return whether the standby has the slot of the subscription, as from PostgreSQL 17 on."""
    return both.conn.info.server_version >= FIRST_WITH_FAILOVER_SLOTS


@contextmanager
def platform_with_standby(both: TwoServers, **settings: str) -> Iterator[Standby]:
    """Run a standby of the platform with these settings."""
    both.platform.execute("SELECT pg_create_physical_replication_slot('standby')")
    settings = {"primary_slot_name": "standby", "hot_standby_feedback": "on", **settings}
    if has_failover_slots(both):
        settings["sync_replication_slots"] = "on"
    with running_standby(both.server, **settings) as standby:
        yield standby


def let_slots_fail_over(both: TwoServers, standby: Standby) -> None:
    """Let the second server wait for the standby, and wait until the standby has its slot."""
    with standby.connect() as conn:
        # Both have the same settings.
        for server in (both.platform, conn):
            server.execute("ALTER SYSTEM SET synchronized_standby_slots = 'standby'")
            server.execute("SELECT pg_reload_conf()")

        def is_there() -> bool:
            # PostgreSQL writes such a record every 15 seconds by itself, and the slot of the standby waits for one.
            both.platform.execute("SELECT pg_log_standby_snapshot()")
            return bool(
                value(
                    conn,
                    "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'leads'"
                    " AND synced AND NOT temporary AND invalidation_reason IS NULL",
                )
            )

        wait_for(is_there, "the standby has the slot")


def publisher(both: TwoServers, standby: Standby) -> str:
    """Return the address for the subscription, with both hosts."""
    return make_conninfo(standby.both(), password=both.platform.info.password, target_session_attrs="primary")


def origin_url(standby: Standby) -> str:
    """Return the address for the projector, with both hosts."""
    return standby.both(user="leads_origin", password="x")
