"""What the benchmark runs on: a PostgreSQL server of its own, and databases of made-up tenants in it."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from projector.database.schema import sections
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial import demo
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.server import connect

Connection = psycopg.Connection[TupleRow]
Say = Callable[[str], None]

SEED = 4


@dataclass(frozen=True, slots=True)
class Size:
    """How much data there are, and how long each thing is measured."""

    name: str
    # Leads: of the tenant that everything is about, and of those that it is compared with.
    big: int
    medium: int
    small: int
    tiny: int
    messages_per_lead: float
    # Messages of a lead that never stops to talk.
    hot: int
    rounds: int
    pairs: int
    # Seconds of one run of the load, and of the test with writers and readers together.
    load: float
    mixed: float
    # Inserts a second of these tests; the first is that of the goal, with readers.
    rates: tuple[int, ...] = (1000, 500, 2000)
    # Seconds in which commits are followed to the answer that shows them, and commits a second.
    visible: float = 60
    commit_rates: tuple[int, ...] = (1, 100, 1000)
    # Leads of each tenant that several projectors share, changes that they find in the queue, and how many they are.
    shared: int = 250
    deep: int = 24_000
    projectors: tuple[int, ...] = (1, 2, 4)
    # Whether commits wait for the disk, as those of a platform do.
    durable: bool = True


# It says nothing about speed.
_SMOKE = Size(
    "smoke", 600, 300, 100, 50, 3, 500, 1, 2, 0.02, 1.0, (1000,), 1.0, (100,), 3, 400, (1, 2), durable=False
)

SIZES = {
    size.name: size
    for size in (
        _SMOKE,
        Size("default", 100_000, 10_000, 1_000, 200, 5, 100_000, 5, 15, 1.0, 15),
        Size("large", 1_000_000, 10_000, 1_000, 200, 5, 100_000, 5, 15, 2.0, 60),
    )
}


@dataclass(frozen=True, slots=True)
class Database:
    """One database with the read model of some tenants, by how large these are."""

    name: str
    url: str
    tenants: dict[str, str]

    def connect(self, **parameters: Any) -> Connection:  # noqa: ANN401  # Whatever psycopg takes.
        """A connection for the projector and for the platform."""
        return connect(self.url, application_name="benchmark", **parameters)


@dataclass(frozen=True, slots=True)
class Fixtures:
    """The server, its databases, and where to tell how far the benchmark is."""

    server: EmbeddedServer
    size: Size
    say: Say
    main: Database
    """The big tenant beside a small and a tiny one."""
    medium: Database
    """A tenant of medium size, alone."""
    alone: Database
    """The tiny tenant of the main database, alone."""

    @contextmanager
    def no_autovacuum(self) -> Iterator[None]:
        """The server without autovacuum: what it writes when it comes by belongs to nothing that is measured."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET autovacuum = off")
            conn.execute("SELECT pg_reload_conf()")
            try:
                yield
            finally:
                conn.execute("ALTER SYSTEM RESET autovacuum")
                conn.execute("SELECT pg_reload_conf()")

    @contextmanager
    def copy_of(self, original: Database, suffix: str = "copy") -> Iterator[Database]:
        """A database to be spoilt."""
        name = f"{original.name}_{suffix}"
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(original.name)
                )
            )
        yield Database(name, self.server.url(name), original.tenants)
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def fixtures(size: Size, folder: Path, say: Say) -> Iterator[Fixtures]:
    """Start the server in that folder, make what is not there yet, and stop it at the end."""
    binaries = os.environ.get("LEADS_PG_BIN")
    settings = {} if size.durable else {"fsync": "off", "synchronous_commit": "off"}
    server = EmbeddedServer(folder, Path(binaries) if binaries else None, settings)
    server.start()
    try:
        yield Fixtures(
            server,
            size,
            say,
            main=_database(server, size, "main", ("big", "small", "tiny"), say),
            medium=_database(server, size, "medium", ("medium",), say),
            alone=_database(server, size, "alone", ("tiny",), say),
        )
    finally:
        server.stop()


def _database(server: EmbeddedServer, size: Size, kind: str, tenants: tuple[str, ...], say: Say) -> Database:
    """The database of that kind and size, with its data, its read model and its statistics."""
    # Data that were kept fit the schema that they were made with.
    schema = hashlib.sha256("".join(sections().values()).encode()).hexdigest()[:8]
    name = f"{size.name}_{kind}_{schema}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
        for (old,) in conn.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND datname <> %s",
            [f"{size.name}_{kind}", name],
        ).fetchall():
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(old)))
        is_there = conn.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
        if is_there is None:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = server.url(name)
    with connect(url, application_name="benchmark") as conn:
        migrate(conn, create_source=True)
        if conn.execute("SELECT to_regclass('benchmark.tenants') IS NULL").fetchone() == (True,):
            say(f"Loading {' + '.join(f'{getattr(size, tenant):,}' for tenant in tenants)} leads ...")
            ids = {tenant: _load(conn, size, getattr(size, tenant)) for tenant in tenants}
            say("Building their read model ...")
            rebuild(conn, tenants=None, progress=QUIET)
            conn.execute("VACUUM ANALYZE")
            with conn.transaction():
                conn.execute("CREATE SCHEMA benchmark")
                conn.execute("CREATE TABLE benchmark.tenants (size text PRIMARY KEY, user_id text NOT NULL)")
                conn.execute("CREATE SEQUENCE benchmark.numbers")
                for tenant, user_id in ids.items():
                    conn.execute("INSERT INTO benchmark.tenants VALUES (%s, %s)", (tenant, user_id))
                # One conversation a lead of the largest tenant, in an order in which neighbours are far apart.
                conn.execute(
                    "CREATE TABLE benchmark.conversations AS"
                    " SELECT row_number() OVER (ORDER BY md5(conversation_id))::integer AS number, conversation_id,"
                    " customer_phone FROM (SELECT DISTINCT ON (customer_phone) customer_phone, conversation_id"
                    "  FROM read_model.lead_conversations WHERE user_id = %s ORDER BY customer_phone) AS one",
                    (ids[tenants[0]],),
                )
                conn.execute("ALTER TABLE benchmark.conversations ADD PRIMARY KEY (number)")
        found: dict[str, str] = dict(conn.execute("SELECT size, user_id FROM benchmark.tenants").fetchall())
    return Database(name, url, found)


def _load(conn: Connection, size: Size, leads: int) -> str:
    report = demo.load(
        conn,
        tenants=1,
        leads=leads,
        messages_per_lead=size.messages_per_lead,
        seed=SEED,
        today=datetime.now(UTC).date(),
        progress=QUIET,
    )
    return report.user_ids[0]
