"""Several projectors share a queue: each leaves the tenants that another one works on, and none of them for ever."""

from collections.abc import Callable
from typing import Any

import pytest

from projector.core import refresh, sharing
from projector.core.batch import Batch, refresh_batch
from projector.core.pipeline import prepare_session
from projector.database import locks
from projector.database.rows import Connection
from tests.exactness.interleaving import Stepped, wait_for, waits_for_lock
from tests.exactness.platform import Platform, assert_exact, refresh_now, texts, value, waiting
from tests.exactness.test_refresh import poison
from tests.support.server import Database

TENANTS = ("one", "two", "three")


@pytest.fixture
def shared(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Each tenant has a conversation in shards 0 and 1, whose id is its tenant and its shard.

    A batch that chooses passes over the oldest changes, unless a test says otherwise.
    """
    monkeypatch.setattr(sharing, "OLDEST_SHARE", 0.0)
    conn = platform.conn
    groups = conn.execute(
        "SELECT count(DISTINCT hashtext(t) & %s) FROM unnest(%s::text[]) AS t",
        (locks.TENANT_GROUPS - 1, list(TENANTS)),
    ).fetchone()
    assert groups == (len(TENANTS),), "these tenants share a group: choose other names"
    for tenant in TENANTS:
        platform.tenant(tenant)
        agent = platform.agent(tenant)
        for shard in (0, 1):
            platform.conversation(agent, f"49{shard}", shard=shard)
    refresh_now(conn)
    return platform


def write(platform: Platform, tenant: str, shard: int, text: str = "new") -> None:
    """A message of a tenant, whose change is in that shard."""
    conversation = value(
        platform.conn,
        "SELECT conversation_id FROM read_model.lead_conversations WHERE user_id = %s AND customer_phone = %s",
        tenant,
        f"49{shard}",
    )
    platform.message(conversation, text)


def seen(platform: Platform, shard: int) -> dict[str, int]:
    """How many messages of each tenant's lead of that shard the read model has; of those that have any."""
    found = {tenant: len(texts(platform.conn, tenant, f"49{shard}")) for tenant in TENANTS}
    return {tenant: count for tenant, count in found.items() if count}


def as_of(conn: Connection, shard: int) -> Any:  # noqa: ANN401  # A moment.
    return value(conn, "SELECT shards[%s] FROM read_model.freshness", shard + 1)


def choosing(database: Database, shard: int, stop: str = "", *, size: int = 1000) -> Stepped:
    """A batch of a shard that chooses among its changes, in a thread."""

    def work(conn: Connection) -> Batch:
        prepare_session(conn)
        return refresh_batch(conn, [shard], size=size, choose=True)

    return Stepped(database, work, stop)


def _ends(stepped: Stepped, watcher: Connection) -> Batch:
    """The batch, which ends without waiting for another one."""
    wait_for(lambda: stepped.ends() or waits_for_lock(watcher, stepped.pid))
    assert stepped.ends(), "the batch waits for another one"
    done: Batch = stepped.finish()
    return done


def test_a_batch_leaves_the_tenants_that_another_one_works_on(shared: Platform) -> None:
    conn, database = shared.conn, shared.database
    write(shared, "one", 0)
    for tenant in TENANTS:
        write(shared, tenant, 1)
    with choosing(database, 0, "locked") as first:
        with choosing(database, 1) as second:
            done = _ends(second, conn)
        assert seen(shared, 1) == {"two": 1, "three": 1}
        assert (done.changes, done.drained) == (2, False)
        assert first.finish().drained
    with choosing(database, 1) as third:
        done = third.finish()
    assert (done.changes, done.drained) == (1, True)
    assert_exact(conn)


def test_what_a_batch_leaves_holds_freshness_back(shared: Platform) -> None:
    conn, database = shared.conn, shared.database
    write(shared, "one", 0)
    write(shared, "one", 1)
    committed = value(conn, "SELECT clock_timestamp()")
    write(shared, "two", 1)
    with choosing(database, 0, "locked") as first:
        with choosing(database, 1) as second:
            _ends(second, conn)
        assert seen(shared, 1) == {"two": 1}
        assert as_of(conn, 1) < committed
        first.finish()
    with choosing(database, 1) as third:
        third.finish()
    assert as_of(conn, 1) > committed
    assert_exact(conn)


@pytest.mark.parametrize("choose", [False, True])
def test_what_a_batch_did_not_look_at_holds_freshness_back(shared: Platform, choose: bool) -> None:  # noqa: FBT001
    conn = shared.conn
    size = sharing.WINDOW if choose else 1
    for _ in range(sharing.WINDOW):
        write(shared, "one", 1)
    committed = value(conn, "SELECT clock_timestamp()")
    write(shared, "one", 1)
    prepare_session(conn)
    for _ in range(sharing.WINDOW + 2):
        refresh_batch(conn, [1], size=size, choose=choose)
        assert as_of(conn, 1) < committed or not waiting(conn)
    refresh_batch(conn, [1], wait=True)
    assert as_of(conn, 1) > committed
    assert seen(shared, 1) == {"one": sharing.WINDOW + 1}
    assert_exact(conn)


def test_a_tenant_that_is_always_busy_is_waited_for_in_the_end(
    shared: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn, database = shared.conn, shared.database
    write(shared, "one", 1, "waits")
    write(shared, "one", 0)
    with choosing(database, 0, "locked") as busy:
        # Others are not kept waiting by it.
        write(shared, "two", 1)
        with choosing(database, 1) as batch:
            _ends(batch, conn)
        assert seen(shared, 1) == {"two": 1}
        write(shared, "two", 1)
        monkeypatch.setattr(sharing, "OLDEST_SHARE", 1.0)
        with choosing(database, 1) as batch:
            batch.waits(conn)
            busy.finish()
            batch.finish()
    assert texts(conn, "one", "491") == ["waits"]
    assert_exact(conn)


def test_a_batch_takes_few_tenants_of_a_deep_queue(shared: Platform) -> None:
    for _ in range(4):
        for tenant in ("two", "one", "three"):
            write(shared, tenant, 1)
    with choosing(shared.database, 1, size=5) as batch:
        assert batch.finish().changes == 5
    assert seen(shared, 1) == {"two": 4, "one": 1}
    # Those that waited longest come first.
    write(shared, "two", 1)
    with choosing(shared.database, 1, size=4) as batch:
        batch.finish()
    assert seen(shared, 1) == {"two": 4, "one": 1, "three": 4}
    refresh_now(shared.conn)
    assert_exact(shared.conn)


def test_a_batch_leaves_half_of_a_shallow_queue_to_others(shared: Platform) -> None:
    for _ in range(2):
        for tenant in TENANTS:
            write(shared, tenant, 1)
    with choosing(shared.database, 1, size=8) as batch:
        assert batch.finish().changes == 3
    assert seen(shared, 1) == {"one": 2, "two": 1}
    # But it does not become small: a quarter of its size is not halved.
    with choosing(shared.database, 1, size=12) as batch:
        assert batch.finish().drained
    assert_exact(shared.conn)


def test_the_guess_of_a_tenant_stands_for_no_lock(shared: Platform) -> None:
    """The read model knows a conversation under another tenant than the source: both are locked."""
    conn, database = shared.conn, shared.database
    moved = value(
        conn,
        "SELECT conversation_id FROM read_model.lead_conversations WHERE user_id = 'one' AND customer_phone = '491'",
    )
    shared.message(moved, "moved")
    refresh_now(conn)
    conn.execute(
        "UPDATE conversations SET customer_phone = '+490',"
        " agent_id = (SELECT agent_id FROM agents WHERE user_id = 'two') WHERE conversation_id = %s",
        (moved,),
    )
    write(shared, "two", 0)
    with choosing(database, 0, "written") as first, choosing(database, 1) as second:
        second.waits(conn)
        first.finish()
        second.finish()
    assert texts(conn, "two", "490") == ["moved", "new"]
    assert_exact(conn)


def _queue_one_change_of_all(shared: Platform) -> None:
    shared.conn.execute(
        "UPDATE conversations SET is_active = NOT is_active"
        " WHERE conversation_id IN"
        " (SELECT conversation_id FROM read_model.lead_conversations WHERE customer_phone = '491')"
    )
    shared.conn.execute(
        "WITH gone AS (DELETE FROM projector.changes RETURNING keys) INSERT INTO projector.changes (shard, kind, keys)"
        " SELECT 1, 'conversations', array_agg(k) FROM gone, unnest(gone.keys) AS k"
    )


def _queue_a_new_conversation(shared: Platform) -> None:
    """The read model knows nothing of it yet, so that the source tells its tenant."""
    shared.conversation(
        value(shared.conn, "SELECT agent_id FROM agents WHERE user_id = 'one'"), "777", shard=1
    )


def _queue_pieces_of_mass_changes(shared: Platform) -> None:
    for tenant in TENANTS[:2]:
        write(shared, tenant, 1)
    shared.conn.execute("UPDATE projector.changes SET bulk = true")


@pytest.mark.parametrize(
    ("queue", "taken"),
    [(_queue_one_change_of_all, 0), (_queue_a_new_conversation, 0), (_queue_pieces_of_mass_changes, 1)],
)
def test_changes_of_every_kind_are_left_while_one_of_their_tenants_is_busy(
    shared: Platform, queue: Callable[[Platform], None], taken: int
) -> None:
    queue(shared)
    write(shared, "one", 0)
    with choosing(shared.database, 0, "locked") as first:
        with choosing(shared.database, 1) as second:
            done = _ends(second, shared.conn)
        assert (done.changes, done.drained) == (taken, False)
        first.finish()
    with choosing(shared.database, 1) as third:
        assert third.finish().drained
    refresh_now(shared.conn)
    assert_exact(shared.conn)


def test_a_batch_that_owns_all_shards_chooses_nothing(shared: Platform) -> None:
    conn = shared.conn
    for _ in range(3):
        for tenant in TENANTS:
            write(shared, tenant, 1)
    prepare_session(conn)
    refresh_batch(conn, locks.SHARDS, size=12, choose=True)
    assert seen(shared, 1) == dict.fromkeys(TENANTS, 1)
    refresh_now(conn)
    assert_exact(conn)


def test_a_batch_that_fails_is_tried_again_with_the_oldest_changes(
    shared: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest is what is isolated: a lead that fails must not be left for later."""
    conn = shared.conn
    poison(conn)
    write(shared, "two", 1, "poison")
    for tenant in TENANTS:
        for _ in range(3):
            write(shared, tenant, 1)
    prepare_session(conn)
    tried: list[tuple[int, object]] = []

    def noted(conn: Connection, shards: list[int], **options: Any) -> Batch:  # noqa: ANN401  # Those of a batch.
        tried.append((options["size"], options["choose"]))
        return refresh_batch(conn, shards, **options)

    monkeypatch.setattr(refresh, "refresh_batch", noted)
    size, drained = 8, False
    while not drained:
        done, size = refresh.refresh_with_backoff(conn, [1], size=size, limit=8, choose=True)
        drained = done.drained
    assert {chooses for size, chooses in tried if size == 8} == {True}
    assert {chooses for size, chooses in tried if size < 8} == {False}
    assert seen(shared, 1) == {"one": 3, "three": 3}
    assert value(conn, "SELECT count(*) FROM projector.dead_letters WHERE user_id = 'two'") == 1
    conn.execute("ALTER TABLE read_model.lead_messages DROP CONSTRAINT poison")
    refresh_now(conn)
    assert_exact(conn)
