"""A read model that a real Citus has distributed is as exact as on PostgreSQL, and as well protected."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from random import Random
from urllib.parse import quote

import psycopg
import pytest

from api.config import Config
from api.server.app import create_app
from projector.database.distribution import statements
from projector.database.rows import Connection
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.operate.erase import erase, find_matches
from projector.operate.erase.ledger import Target
from projector.operate.explain import explain_lead
from projector.operate.install import migrate
from projector.operate.uninstall import uninstall
from projector.report.errors import BlockedError
from projector.report.progress import QUIET
from projector.scheduler.refresh import look
from projector.sweep import recovery
from projector.sweep.verify import verify
from tests.exactness.platform import assert_exact, document, rebuild_now, refresh_now, value
from tests.exactness.random_load import Burst
from tests.exactness.test_clock import EPOCH, NEWEST, jump, set_back_twice
from tests.support import edge_cases
from tests.support.applications import close_application
from tests.support.citus import Cluster, citus_database, find_cluster
from tests.support.mutations import mutate
from tests.support.running import running_scheduler, wait_for
from tests.support.server import Database

pytestmark = pytest.mark.citus

OWNER = "leads_test_owner"
READER = "leads_test_web"
ANALYST = "leads_test_analyst"


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return find_cluster()


@pytest.fixture(scope="module")
def citus(cluster: Cluster) -> Iterator[Database]:
    """A read model of many tenants that a login which is no superuser has installed, twice, and built."""
    _drop_roles(cluster)
    name = f"leads_test_citus_{os.getpid()}"
    try:
        with citus_database(cluster, name) as database:
            with database.connect() as conn:
                conn.execute(f"CREATE ROLE {OWNER} LOGIN".encode())
                conn.execute(f"GRANT CREATE ON DATABASE {name} TO {OWNER}".encode())
                conn.execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}".encode())
                conn.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}".encode())
                conn.execute(
                    f"GRANT EXECUTE ON FUNCTION pg_catalog.recover_prepared_transactions() TO {OWNER}".encode()
                )
            with database.by(OWNER).connect() as conn, database.connect() as superuser:
                [notice] = migrate(conn, create_source=True, distribute=True)
                for statement in statements(superuser, notice.partition("\n")[2]):
                    superuser.execute(statement.encode(), prepare=False)
            with database.by(OWNER).connect() as conn:
                assert migrate(conn, create_source=False) == []
                edge_cases.write(conn, edge_cases.generate(Random(7), 40))
                rebuild_now(conn)
                assert_exact(conn)
            yield database
    finally:
        _drop_roles(cluster)


def _drop_roles(cluster: Cluster) -> None:
    for node in cluster.nodes:
        with node.connect("postgres") as conn:
            for role in (OWNER, READER, ANALYST, "leads_api", "leads_reader", "leads_keys", "leads_access"):
                # With what it may set.
                with suppress(psycopg.errors.UndefinedObject):
                    conn.execute(f"DROP OWNED BY {role}".encode())
                conn.execute(f"DROP ROLE IF EXISTS {role}".encode())


def _connect(citus: Database) -> Connection:
    """Return a connection as the projector makes it, which then has the rights of a superuser."""
    conn = citus.connect(options=f"-c role={OWNER}")
    conn.execute("SET ROLE NONE")
    return conn


@pytest.fixture
def conn(citus: Database) -> Iterator[Connection]:
    """A connection of a superuser: the platform's programs write with it, too."""
    with _connect(citus) as conn:
        yield conn


@pytest.fixture
def own(citus: Database) -> Iterator[Connection]:
    """A connection of the projector."""
    with citus.by(OWNER).connect() as conn:
        yield conn


def test_each_table_is_on_the_servers_of_citus(conn: Connection) -> None:
    rows = conn.execute(
        "SELECT logicalrelid::text, partmethod::text FROM pg_dist_partition"
        " WHERE logicalrelid::text LIKE 'read_model.%' ORDER BY 1"
    ).fetchall()
    copied = {"read_model.freshness", "read_model.projection"}
    assert {name for name, how in rows if how == "n"} == copied
    assert {name for name, how in rows if how == "h"} == {
        name for (name,) in conn.execute("SELECT table_name FROM read_model.row_security").fetchall()
    }


class _Burst(Burst):
    """A burst on Citus, where no snapshot is of all servers, so that readers hold as-of alone to its promise."""

    def run(self) -> None:
        self._let_loose()
        with self.database.connect() as conn, self._telling():
            refresh_now(conn)
            assert_exact(conn)

    def watchers(self) -> list[Callable[[Connection, Random], None]]:
        return []


def test_after_a_burst_the_read_model_is_what_an_independent_reading_says(citus: Database) -> None:
    _Burst(citus.by(OWNER), 3).run()


def test_shards_may_move_to_another_server_while_a_projector_is_connected(conn: Connection) -> None:
    rng = Random(5)
    moves = conn.execute(
        "SELECT s.shardid, here.nodename, here.nodeport, there.nodename, there.nodeport FROM pg_dist_shard AS s"
        " JOIN pg_dist_placement AS p USING (shardid) JOIN pg_dist_node AS here USING (groupid)"
        " JOIN pg_dist_node AS there ON there.groupid NOT IN (0, here.groupid)"
        " WHERE s.logicalrelid = 'read_model.tenants'::regclass ORDER BY s.shardid LIMIT 2"
    ).fetchall()
    for move in (None, *moves):
        if move is not None:
            conn.execute("SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, 'block_writes')", move)
        # The statements of a session are prepared.
        for _ in range(4):
            mutate(rng, conn, replica=False)
            refresh_now(conn)
    assert_exact(conn)


def test_a_projector_a_worker_and_the_coordinator_may_be_killed_under_load(
    citus: Database, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = Random(11)
    folder = tmp_path_factory.mktemp("citus")
    url = citus.by(OWNER).url
    with running_scheduler(url, folder) as first, running_scheduler(url, folder):
        for victim in (None, cluster.workers[1], cluster.coordinator):
            with _connect(citus) as writer:
                for number in range(16):
                    mutate(rng, writer, replica=True)
                    if number == 10 and victim is None:
                        first.kill()
                    elif number == 10 and victim is not None and victim is not cluster.coordinator:
                        cluster.kill(victim)
            if victim is not None:
                if victim is cluster.coordinator:
                    cluster.kill(victim)
                cluster.start(victim)
    with citus.by(OWNER).connect() as conn:
        wait_for(lambda: _passes(lambda: refresh_now(conn)), "a refresh passes")
        assert_exact(conn)


def _passes(work: Callable[[], object]) -> bool:
    try:
        work()
    except (psycopg.Error, BlockedError):
        return False
    return True


def _moved(conn: Connection, move: Callable[[Connection], object]) -> bool:
    before = value(conn, "SELECT shards[1] FROM read_model.freshness")
    move(conn)
    return bool(value(conn, "SELECT shards[1] > %s FROM read_model.freshness", before))


def _look(conn: Connection) -> None:
    look(conn, timedelta(0))


@pytest.mark.parametrize("move", [_look, refresh_now])
def test_freshness_stands_still_while_a_server_has_not_finished_what_was_committed(
    citus: Database, conn: Connection, cluster: Cluster, move: Callable[[Connection], object]
) -> None:
    refresh_now(conn)
    assert _moved(conn, move)
    with cluster.workers[0].connect(citus.name) as worker, citus.by(OWNER).connect() as projector:
        worker.execute("BEGIN")
        worker.execute("CREATE TABLE public.in_doubt ()")
        # That of a superuser, which the projector's login may not end.
        worker.execute("PREPARE TRANSACTION 'citus_0_1_1_1'")
        conn.execute(
            "INSERT INTO pg_dist_transaction (groupid, gid) SELECT n.groupid, 'citus_0_1_1_1' FROM pg_dist_node AS n"
            " WHERE n.nodeport = %s",
            (worker.info.port,),
        )
        try:
            assert not _moved(projector, move)
            assert _moved(conn, move)
            assert _moved(projector, move)
        finally:
            conn.execute("SELECT recover_prepared_transactions()")
        worker.execute("DROP TABLE public.in_doubt")


@pytest.mark.parametrize("move", [_look, refresh_now])
def test_a_moment_that_comes_twice_is_promised_once(
    conn: Connection, move: Callable[[Connection], object]
) -> None:
    set_back_twice(conn, move)
    jump(conn, 10.0)
    move(conn)
    assert value(conn, NEWEST) == EPOCH
    conn.execute("DELETE FROM projector.capture_gaps")
    move(conn)
    assert value(conn, NEWEST) > EPOCH
    assert_exact(conn)


def test_the_policies_hold_on_the_shards(
    citus: Database, conn: Connection, cluster: Cluster, request: pytest.FixtureRequest
) -> None:
    conn.execute(f"CREATE ROLE {READER} LOGIN PASSWORD 'x' IN ROLE leads_api".encode())
    tenants = [row[0] for row in conn.execute("SELECT DISTINCT user_id FROM read_model.leads").fetchall()]
    assert len(tenants) > 1
    with psycopg.connect(citus.by(READER).url) as reader:
        reader.execute("SET citus.propagate_set_commands = 'local'")
        for named in ("nobody", *tenants[:2]):
            for table in ("leads", "lead_messages", "lead_conversations", "lead_totals", "lead_profiles"):
                with reader.transaction():
                    reader.execute("SELECT set_config('leads.user_id', %s, true)", (named,))
                    seen = reader.execute(
                        f"SELECT DISTINCT user_id FROM read_model.{table}".encode()
                    ).fetchall()
                assert seen == [] if named == "nobody" else {row[0] for row in seen} <= {named}
    # As a login of its own asks, without a setting.
    app = create_app(Config(database_url=citus.by(READER).url))
    request.addfinalizer(partial(close_application, app))
    client = app.test_client()
    assert client.get("/health/ready").status_code == 200
    # Some other phones, such as stats, have no page of their own.
    with_page = (
        "SELECT user_id, customer_phone FROM read_model.leads WHERE customer_phone ~ '^[0-9]+$' LIMIT 5"
    )
    leads = conn.execute(with_page.encode()).fetchall()
    asked_of_all = _asked_of_all(conn)
    for user_id, phone in leads:
        base = f"/users/{quote(user_id, '')}"
        for path in (
            "leads?days=7",
            "leads/stats",
            "leads?search=a",
            "leads?include=attributes&attributes[tags]=vip&with_attributes=tags",
            "leads?attributes[demo_book_datetime]=2024-01-01T00:00:00.000Z..",
            "leads/attributes",
            "leads/facets?facets=attributes.tags,attributes.source",
            "lead-changes",
            "leads.ndjson?include=attributes",
        ):
            assert client.get(f"{base}/{path}", buffered=True).status_code == 200, path
        lead = client.get(f"{base}/leads/{quote(phone, '')}").get_json()["data"]
        assert lead == document(conn, user_id, phone)
    assert _asked_of_all(conn) == asked_of_all, "a request asks more servers than that of its tenant"
    attention = " ".join(find_attention(read_status(conn)))
    assert "is not protected" not in attention
    assert "Not as `migrate` created it" not in attention
    with cluster.workers[0].connect(citus.name) as worker:
        worker.execute("SET citus.override_table_visibility = off")
        [shard] = worker.execute(
            "SELECT polrelid::regclass::text FROM pg_policy WHERE polrelid::regclass::text LIKE 'read_model.leads_1%'"
            " AND polname = 'all_rows' LIMIT 1"
        ).fetchone() or [""]
        worker.execute("SET citus.enable_manual_changes_to_shards = on")
        worker.execute(f"ALTER POLICY all_rows ON {shard} TO PUBLIC".encode())
        assert "is not protected" in " ".join(find_attention(read_status(conn)))
        worker.execute(f"ALTER POLICY all_rows ON {shard} TO leads_reader".encode())
    # A tenant whose server is away is told so, and the others go on.
    cluster.kill(cluster.workers[0])
    try:
        answers = [client.get(f"/users/{quote(tenant, '')}/leads").get_json() for tenant in tenants]
    finally:
        cluster.start(cluster.workers[0])
    said = {answer.get("message", "").partition(":")[0] for answer in answers}
    assert said == {"", "A server of Citus cannot be reached"}


def test_the_views_know_what_is_not_filled(citus: Database, conn: Connection) -> None:
    """On the servers, too, a part without a build is null in the views, and its own view fails."""
    changes = "SELECT count(*) FROM leads_sql.lead_status_changes"
    since = "SELECT count(status_since) FROM leads_sql.leads"

    def read(sql: str) -> int:
        with citus.by(ANALYST).connect() as reader:
            return int(value(reader, sql))

    conn.execute(f"CREATE ROLE {ANALYST} LOGIN IN ROLE leads_reader".encode())
    assert read(changes) == value(conn, changes.replace("leads_sql", "read_model")) > 0
    assert read(since) > 0
    built = value(conn, "SELECT filled FROM read_model.projection")
    conn.execute("UPDATE read_model.projection SET filled = '{}'")
    try:
        assert read(since) == 0
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match="lead_status_changes is not built yet"
        ):
            read(changes)
    finally:
        conn.execute("UPDATE read_model.projection SET filled = %s", (built,))


def _asked_of_all(conn: Connection) -> int:
    """Return how many statements went to more than one shard."""
    counted = "SELECT query_execution_multi_shard FROM citus_stat_counters WHERE name = current_database()"
    return int(value(conn, counted))


def test_what_is_wrong_is_found_healed_explained_and_erased(conn: Connection) -> None:
    [(user_id, phone)] = conn.execute(
        "SELECT user_id, customer_phone FROM read_model.leads LIMIT 1"
    ).fetchall()
    conn.execute("UPDATE read_model.leads SET document = '{}' WHERE user_id = %s", (user_id,))
    assert explain_lead(conn, user_id, phone).has_drifted
    sampled = verify(conn, tenants=None, sample=1000, heal=False, progress=QUIET)
    report = verify(conn, tenants=None, sample=None, heal=True, progress=QUIET)
    assert {drift.user_id for drift in (*sampled.drifts, *report.drifts)} == {user_id}
    assert len(sampled.drifts) == len(report.drifts)
    assert_exact(conn)
    assert not explain_lead(conn, user_id, phone).has_drifted
    conn.execute("DELETE FROM users WHERE user_id = %s", (user_id,))
    refresh_now(conn)
    erase(conn, Target(user_id), progress=QUIET)
    assert find_matches(conn) == []
    assert value(conn, "SELECT count(*) FROM read_model.tenants WHERE user_id = %s", user_id) == 0
    assert_exact(conn)
    conn.execute("ANALYZE read_model.leads")
    sizes = {size["table_name"]: size for size in read_status(conn)["tables"]["sizes"]}
    assert sizes["read_model.leads"]["about_rows"] == value(conn, "SELECT count(*) FROM read_model.leads")
    assert sizes["read_model.leads"]["bytes"] == value(
        conn, "SELECT citus_total_relation_size('read_model.leads')"
    )


def test_the_platform_may_change_its_tables_while_a_projector_runs(
    citus: Database, own: Connection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    conn = own
    with running_scheduler(citus.by(OWNER).url, tmp_path_factory.mktemp("citus")):
        conn.execute("ALTER TABLE users ADD COLUMN extra text")
        conn.execute("ALTER TABLE users DROP COLUMN extra")
        conn.execute("ALTER TABLE extractions ALTER COLUMN total_score TYPE bigint")
        conn.execute("CREATE TABLE swapped (LIKE contacts INCLUDING ALL)")
        conn.execute("INSERT INTO swapped SELECT * FROM contacts")
        with conn.transaction():
            conn.execute("ALTER TABLE contacts RENAME TO contacts_before")
            conn.execute("ALTER TABLE swapped RENAME TO contacts")
        conn.execute("DROP TABLE contacts_before")
    heal = partial(recovery.refresh_and_heal, conn, retry_failed=True, progress=QUIET)
    wait_for(lambda: _passes(heal), "the gap is healed")
    assert_exact(conn)


def test_an_uninstall_leaves_nothing_on_any_server(
    citus: Database, own: Connection, cluster: Cluster
) -> None:
    uninstall(own)
    for node in cluster.nodes:
        with node.connect(citus.name) as there:
            schemas = there.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname IN ('read_model', 'projector', 'leads_sql')"
            ).fetchall()
        assert schemas == []
