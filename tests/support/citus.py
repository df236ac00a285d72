"""A real Citus on this machine, if LEADS_CITUS_URL names its coordinator and a superuser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from tests.support.running import wait_for
from tests.support.server import Database

CITUS = "LEADS_CITUS_URL"
_EXTENSIONS = ("citus", "pg_trgm", "btree_gin")


@dataclass(frozen=True, slots=True)
class Node:
    """A server of the cluster: a superuser's login to it, and how the machine stops and starts it."""

    url: str
    folder: str
    program: str

    def connect(self, database: str) -> psycopg.Connection[TupleRow]:
        return psycopg.connect(make_conninfo(self.url, dbname=database), autocommit=True)


@dataclass(frozen=True, slots=True)
class Cluster:
    coordinator: Node
    workers: list[Node]

    @property
    def nodes(self) -> list[Node]:
        return [self.coordinator, *self.workers]

    def kill(self, node: Node) -> None:
        """Stop a server as a crash does, by another one."""
        self._by_another(node, "-m immediate stop")

    def start(self, node: Node) -> None:
        self._by_another(node, f"-w -l {node.folder}/restarted.log start")
        wait_for(lambda: _answers(node), "the server answers")

    def _by_another(self, node: Node, what: str) -> None:
        other = next(another for another in self.nodes if another != node)
        command = f"{node.program}/pg_ctl -D {node.folder} {what} >/dev/null 2>&1 </dev/null"
        with other.connect("postgres") as conn:
            conn.execute(sql.SQL("COPY (SELECT 1) TO PROGRAM {}").format(sql.Literal(command)))


def find_cluster() -> Cluster:
    url = os.environ[CITUS]
    with psycopg.connect(url, autocommit=True) as conn:
        workers = conn.execute(
            "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 ORDER BY nodeport"
        ).fetchall()
    return Cluster(_node(url), [_node(make_conninfo(url, host=host, port=port)) for host, port in workers])


@contextmanager
def citus_database(cluster: Cluster, name: str) -> Iterator[Database]:
    """Create a database of this name on every server, with Citus in it, and drop it at the end."""
    identifier = sql.Identifier(name)
    for node in cluster.nodes:
        with node.connect("postgres") as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
            conn.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        with node.connect(name) as conn:
            for extension in _EXTENSIONS:
                conn.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
    try:
        with cluster.coordinator.connect(name) as conn:
            conn.execute("SELECT citus_set_coordinator_host(%s, %s)", _address(cluster.coordinator))
            for worker in cluster.workers:
                conn.execute("SELECT citus_add_node(%s, %s)", _address(worker))
        yield Database(_with_database(cluster.coordinator.url, name), name)
    finally:
        for node in cluster.nodes:
            with node.connect("postgres") as conn:
                conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))


def _node(url: str) -> Node:
    with psycopg.connect(url, autocommit=True) as conn:
        folder = conn.execute("SHOW data_directory").fetchone()
        program = conn.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
    assert folder is not None
    assert program is not None
    return Node(url, folder[0], program[0])


def _answers(node: Node) -> bool:
    try:
        node.connect("postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def _address(node: Node) -> tuple[str, int]:
    parts = conninfo_to_dict(node.url)
    return str(parts["host"]), int(str(parts["port"]))


def _with_database(url: str, name: str) -> str:
    parts = conninfo_to_dict(url)
    return f"postgresql://{parts['user']}@{parts['host']}:{parts['port']}/{name}"
