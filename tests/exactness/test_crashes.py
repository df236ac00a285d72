"""Death of a projector, of the server and of the network at every point: then recovery without a person."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random

import psycopg
import pytest

from projector.core.refresh import refresh
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.sweep.rebuild import rebuild
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.crash_worker import kill_at
from tests.exactness.interleaving import (
    FIRST_BUILD_POINTS,
    IN_PLACE_POINTS,
    REFRESH_POINTS,
    Stepped,
    wait_for,
)
from tests.exactness.platform import assert_exact, forget_build, rebuild_now, value
from tests.support import edge_cases
from tests.support.mutations import mutate
from tests.support.server import Database

POINTS = (
    *(("refresh", point) for point in REFRESH_POINTS),
    *(("first_build", point) for point in FIRST_BUILD_POINTS),
    *(("in_place", point) for point in IN_PLACE_POINTS),
)
SHORT = (
    ("refresh", "recomputed"),
    ("refresh", "written"),
    ("first_build", "built"),
    ("first_build", "indexed"),
    ("in_place", "compared"),
    ("in_place", "written"),
)
LONG = 20
"""Kills at each point in the long mode: with the short ones, 226."""


def _fill(database: Database, rng: Random) -> None:
    with database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(rng, 40))
        rebuild_now(conn)
        _change(database, rng)


def _change(database: Database, rng: Random, count: int = 15) -> None:
    with database.connect() as conn:
        for _ in range(count):
            mutate(rng, conn, replica=True)


def _forget_build(database: Database) -> None:
    with database.connect() as conn:
        forget_build(conn)


def _recover(database: Database, *, by_cron: bool = True) -> None:
    """What `refresh` from cron does next; or a scheduler, which goes on with a rebuild in place as well."""
    with database.connect() as conn:
        # The server notices the death of a client a moment later.
        wait_for(
            lambda: (
                not value(
                    conn,
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND application_name IN ('killed', 'stepped')",
                )
            )
        )
        if not by_cron:
            recovery.heal(conn, progress=QUIET)
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        assert_exact(conn)
        left = conn.execute(
            "SELECT name FROM projector.settings WHERE name NOT IN ('source_schemas', 'projection_version')"
            " UNION SELECT version FROM projector.sweep_positions"
        ).fetchall()
        assert left == []


@pytest.mark.parametrize(
    ("work", "point", "seed"),
    [
        *((work, point, 0) for work, point in SHORT),
        *(
            pytest.param(work, point, seed, marks=pytest.mark.long)
            for work, point in POINTS
            for seed in range(1, LONG + 1)
        ),
    ],
)
def test_a_projector_killed_anywhere_loses_nothing(
    database: Database, work: str, point: str, seed: int
) -> None:
    rng = Random(f"{work} {point} {seed}")
    _fill(database, rng)
    if work == "first_build":
        _forget_build(database)
    count = rng.randint(1, 3) if work == "refresh" else 1
    # Where there was less work, it ended before.
    assert kill_at(database.url, work, point, count) or count > 1
    _change(database, rng, 3)
    _recover(database, by_cron=work != "in_place")


StartServer = Callable[..., EmbeddedServer]


@pytest.mark.parametrize(
    "crashes",
    [
        [("refresh", "written"), ("first_build", "indexed")],
        pytest.param([*POINTS] * 2, marks=pytest.mark.long),
    ],
)
def test_a_server_that_stops_at_once_anywhere_loses_nothing(
    start_server: StartServer, crashes: list[tuple[str, str]]
) -> None:
    server = start_server()
    rng = Random("server")
    database = Database(server.url(), "leads")
    with database.connect() as conn:
        database = Database(server.url(), str(conn.info.dbname))
        migrate(conn, create_source=True)
    _fill(database, rng)
    for work, point in crashes:
        _change(database, rng)
        if work == "first_build":
            _forget_build(database)
        with _stepped(database, work, point) as stepped:
            stepped.reach(point)
            server.stop(mode="immediate")
            with pytest.raises(psycopg.OperationalError):
                stepped.finish()
        server.start()
        _recover(database, by_cron=work != "in_place")


@pytest.mark.parametrize(
    ("work", "point"),
    [
        ("refresh", "recomputed"),
        ("in_place", "compared"),
        *(pytest.param(work, point, marks=pytest.mark.long) for work, point in POINTS),
    ],
)
def test_a_network_that_is_cut_anywhere_loses_nothing(database: Database, work: str, point: str) -> None:
    _fill(database, Random(f"{work} {point}"))
    if work == "first_build":
        _forget_build(database)
    with psycopg.connect(database.url) as conn:
        target = (conn.info.host, conn.info.port)
    with _proxy(target) as (port, cut):
        through = Database(
            database.url.replace(f"{target[0]}:{target[1]}", f"127.0.0.1:{port}"), database.name
        )
        with _stepped(through, work, point) as stepped:
            stepped.reach(point)
            cut()
            with pytest.raises(psycopg.OperationalError):
                stepped.finish()
    _recover(database, by_cron=work != "in_place")


@pytest.mark.parametrize(
    ("work", "point"),
    [
        ("refresh", "recomputed"),
        ("first_build", "built"),
        ("in_place", "written"),
        *(pytest.param(work, point, marks=pytest.mark.long) for work, point in POINTS),
    ],
)
def test_a_session_that_is_terminated_anywhere_loses_nothing(
    database: Database, work: str, point: str
) -> None:
    _fill(database, Random(f"terminated {work} {point}"))
    if work == "first_build":
        _forget_build(database)
    with _stepped(database, work, point) as stepped:
        stepped.reach(point)
        with database.connect() as conn:
            assert value(conn, "SELECT pg_terminate_backend(%s)", stepped.pid)
        with pytest.raises(psycopg.OperationalError, match="administrator command"):
            stepped.finish()
    _recover(database, by_cron=work != "in_place")


def _stepped(database: Database, work: str, point: str) -> Stepped:
    if work == "refresh":
        return Stepped(
            database,
            lambda conn, point: refresh(conn, retry_failed=False, progress=QUIET, point=point),
            point,
        )
    return Stepped(
        database,
        lambda conn, point: rebuild(conn, tenants=None, progress=QUIET, point=point),
        point,
    )


@contextmanager
def _proxy(target: tuple[str, int]) -> Iterator[tuple[int, Callable[[], None]]]:
    """Forwards one port to the server, until it is cut."""
    sockets: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def forward(source: socket.socket, sink: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            cut()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    upstream = socket.create_connection(target)
                    sockets.extend((client, upstream))
                    for pair in ((client, upstream), (upstream, client)):
                        threading.Thread(target=forward, args=pair, daemon=True).start()

        def cut() -> None:
            for one in sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1], cut
        finally:
            cut()
            for one in sockets:
                one.close()
