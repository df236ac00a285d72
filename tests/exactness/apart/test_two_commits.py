"""The read model commits first, the platform's database after it: what happens between is made once more, exactly."""

from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector import apart
from projector.core.batch import refresh_batch
from projector.core.pipeline import InjectionPoint, no_injection_point, prepare_session
from projector.database.locks import SHARDS
from projector.database.source_names import SourceConnection, own_connection
from projector.report.progress import QUIET
from projector.sides import on_read_model
from projector.sweep.verify import verify
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now, texts, value
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]


class KilledError(Exception):
    """The process ends here, as far as both databases can tell."""


def one_batch(conn: Connection, point: InjectionPoint = no_injection_point) -> None:
    """Bring in all that waits, in one transaction."""
    prepare_session(conn)
    refresh_batch(conn, SHARDS, wait=True, point=point)


def dies_between_the_commits(conn: SourceConnection) -> None:
    """Do a batch until the read model has committed, and the platform's database has not."""
    assert dies(conn, one_batch, 1, of_a_tenant=False)
    assert value(conn, "SELECT count(*) > 0 FROM projector.changes")


def is_merged(conn: SourceConnection) -> bool:
    """Whether the read model has committed all of a batch: on Citus, each tenant commits by itself."""
    return on_read_model(conn).info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def dies(
    conn: SourceConnection, work: Callable[[Connection], None], number: int, *, of_a_tenant: bool = True
) -> bool:
    """Do the work until so many transactions have committed in the read model; whether it came so far.

    On Citus, those of a tenant count too, unless not `of_a_tenant`.
    """
    left = number

    def die() -> None:
        nonlocal left
        left -= of_a_tenant or is_merged(conn)
        if not left:
            raise KilledError

    conn.between_commits = die
    try:
        work(conn)
    except KilledError:
        return True
    finally:
        del conn.between_commits
    return False


def phones(conn: Connection) -> list[str]:
    rows = (
        on_read_model(conn)
        .execute("SELECT customer_phone FROM read_model.leads ORDER BY customer_phone")
        .fetchall()
    )
    return [row[0] for row in rows]


def move(platform: Platform, conversation: str, phone: str) -> None:
    platform.conn.execute(
        "UPDATE conversations SET customer_phone = %s WHERE conversation_id = %s", (phone, conversation)
    )


def test_a_batch_that_died_between_the_commits_is_made_once_more(
    platform: Platform, conn: SourceConnection
) -> None:
    conversation = platform.conversation(platform.agent("one"), "4915")
    platform.message(conversation)
    dies_between_the_commits(conn)
    assert phones(conn) == ["4915"]
    version = value(on_read_model(conn), "SELECT version FROM read_model.tenants")
    refresh_now(conn)
    assert_exact(conn)
    # The read model had everything already.
    assert value(on_read_model(conn), "SELECT version FROM read_model.tenants") == version


def a_key_that_moves_twice(platform: Platform, conn: SourceConnection) -> list[str]:
    conversation = platform.conversation(platform.agent("one"), "4901")
    refresh_now(conn)
    move(platform, conversation, "4902")
    dies_between_the_commits(conn)
    assert phones(conn) == ["4902"]
    move(platform, conversation, "4903")
    return ["4903"]


def a_new_key_that_moves(platform: Platform, conn: SourceConnection) -> list[str]:
    conversation = platform.conversation(platform.agent("one"), "4901")
    dies_between_the_commits(conn)
    assert phones(conn) == ["4901"]
    move(platform, conversation, "4902")
    return ["4902"]


def a_new_key_that_goes(platform: Platform, conn: SourceConnection) -> list[str]:
    platform.message(platform.conversation(platform.agent("one"), "4901"))
    dies_between_the_commits(conn)
    assert phones(conn) == ["4901"]
    platform.conn.execute("DELETE FROM conversations")
    return []


def a_send_that_moves_twice(platform: Platform, conn: SourceConnection) -> list[str]:
    platform.send(platform.template("one"), "4901")
    refresh_now(conn)
    platform.conn.execute("UPDATE template_sends SET customer_phone = '4902'")
    dies_between_the_commits(conn)
    assert phones(conn) == ["4902"]
    platform.conn.execute("UPDATE template_sends SET customer_phone = '4903'")
    return ["4903"]


def a_key_that_moves_to_other_tenants(platform: Platform, conn: SourceConnection) -> list[str]:
    """By its agent: each of the three leads is of another tenant."""
    conversation = platform.conversation(platform.agent("one"), "4901")
    platform.message(conversation)
    refresh_now(conn)
    for user_id in ("two", "three"):
        agent = platform.agent(platform.tenant(user_id))
        platform.conn.execute("UPDATE conversations SET agent_id = %s", (agent,))
        if user_id == "two":
            dies_between_the_commits(conn)
    return ["4901"]


def a_key_that_moves_into_a_lead_that_stays(platform: Platform, conn: SourceConnection) -> list[str]:
    agent = platform.agent("one")
    stays, moves = platform.conversation(agent, "4902"), platform.conversation(agent, "4901")
    platform.message(stays)
    refresh_now(conn)
    platform.conn.execute("UPDATE conversations SET is_active = false WHERE conversation_id = %s", (moves,))
    move(platform, moves, "4902")
    dies_between_the_commits(conn)
    move(platform, moves, "4903")
    return ["4902", "4903"]


CASES = (
    a_key_that_moves_twice,
    a_new_key_that_moves,
    a_new_key_that_goes,
    a_send_that_moves_twice,
    a_key_that_moves_to_other_tenants,
    a_key_that_moves_into_a_lead_that_stays,
)


@pytest.mark.parametrize("case", CASES)
def test_a_key_that_moves_on_between_two_tries_leaves_no_lead_behind(
    platform: Platform, conn: SourceConnection, case: Callable[[Platform, SourceConnection], list[str]]
) -> None:
    expected = case(platform, conn)
    refresh_now(conn)
    assert phones(conn) == expected
    assert_exact(conn)
    assert value(conn, "SELECT count(*) FROM projector.noted_keys") == 0


@pytest.mark.parametrize("case", CASES)
def test_without_the_note_a_lead_is_left_behind(
    platform: Platform,
    conn: SourceConnection,
    monkeypatch: pytest.MonkeyPatch,
    case: Callable[[Platform, SourceConnection], list[str]],
) -> None:
    """What the note is for: the cases above are red without it."""
    monkeypatch.setattr(apart, "note_new_places", lambda _: None)
    case(platform, conn)
    refresh_now(conn)
    with pytest.raises(AssertionError):
        assert_exact(conn)


def test_what_was_noted_is_no_drift(platform: Platform, conn: SourceConnection) -> None:
    a_key_that_moves_twice(platform, conn)
    found = verify(conn, tenants=None, sample=None, heal=False, progress=QUIET)
    assert found.drifts == []
    assert found.left_out >= 1


def test_a_message_that_moves_no_key_is_not_noted(platform: Platform, conn: SourceConnection) -> None:
    conversation = platform.conversation(platform.agent("one"), "4901")
    refresh_now(conn)
    platform.message(conversation)
    dies_between_the_commits(conn)
    assert value(conn, "SELECT count(*) FROM projector.noted_keys") == 0
    refresh_now(conn)
    assert_exact(conn)


def fill(platform: Platform) -> None:
    """Leads of two tenants, and changes of them."""
    for user_id in ("one", platform.tenant("two")):
        agent = platform.agent(user_id)
        for phone in ("4901", "4902"):
            platform.message(platform.conversation(agent, phone))
        platform.contact(user_id, "4901", "Ann")
        platform.send(platform.template(user_id), "4903")


WORKS: dict[str, Callable[[Connection], None]] = {
    "refresh": refresh_now,
    "first build": lambda conn: rebuild_now(conn, first=True),
    "rebuild in place": lambda conn: rebuild_now(conn, resume=True),
}


@pytest.mark.parametrize("name", WORKS)
def test_work_may_die_between_any_two_commits(platform: Platform, conn: SourceConnection, name: str) -> None:
    number, came_so_far = 0, True
    agent = platform.agent("one")
    while came_so_far:
        number += 1
        platform.message(platform.conversation(agent, f"49{number}0"))
        if name == "rebuild in place":
            on_read_model(conn).execute("UPDATE read_model.leads SET document = 'wrong'")
        came_so_far = dies(conn, WORKS[name], number)
    assert number > 2
    rebuild_now(conn)
    refresh_now(conn)
    assert_exact(conn)


BETWEEN = "between the commits"
POINTS = ("taken", "locked", "recomputed", "written")


@pytest.mark.parametrize("side", ["platform", "read model"])
@pytest.mark.parametrize("point", [*POINTS, BETWEEN])
def test_either_server_may_go_at_any_point(
    database: Database, platform: Platform, side: str, point: str
) -> None:
    fill(platform)
    with database.connect() as conn:
        one_batch(conn)
    platform.conn.execute("UPDATE conversations SET customer_phone = '4904' WHERE customer_phone = '4901'")
    platform.conn.execute("UPDATE messages SET text = 'changed'")
    with database.connect() as conn, database.connect() as watcher:
        lost = conn if side == "platform" else on_read_model(conn)
        killer = watcher if side == "platform" else on_read_model(watcher)

        def lose(reached: str) -> None:
            if reached == point:
                killer.execute("SELECT pg_terminate_backend(%s, 10000)", (lost.info.backend_pid,))

        own_connection(conn).between_commits = lambda: lose(
            BETWEEN if is_merged(own_connection(conn)) else ""
        )
        if (side, point) == ("read model", BETWEEN):
            one_batch(conn, lose)
        else:
            with pytest.raises(psycopg.OperationalError):
                one_batch(conn, lose)
    with database.connect() as conn:
        refresh_now(conn)
        assert_exact(conn)
        assert value(conn, "SELECT count(*) FROM projector.noted_keys") == 0


def test_a_batch_whose_platform_session_is_gone_overwrites_nothing(
    database: Database, platform: Platform
) -> None:
    """Its locks are free, and another batch makes its changes; what it had computed is older."""
    conversation = platform.conversation(platform.agent("one"), "4901")
    platform.message(conversation, "first")
    with database.connect() as conn, database.connect() as other:

        def lose(reached: str) -> None:
            if reached == "locked":
                other.execute("SELECT pg_terminate_backend(%s, 10000)", (conn.info.backend_pid,))
                platform.conn.execute("UPDATE messages SET text = 'second'")

        with pytest.raises(psycopg.OperationalError):
            one_batch(conn, lose)
        # It still holds the tenant in the read model: the next batch would wait for it.
        conn.close()
        refresh_now(other)
        assert_exact(other)
        assert texts(on_read_model(other), "one", "4901") == ["second"]


def test_what_the_read_model_shows_of_the_projector_is_corrected(
    platform: Platform, conn: SourceConnection
) -> None:
    """As a crash between two commits leaves it."""
    fill(platform)
    refresh_now(conn)
    read_model = on_read_model(conn)
    read_model.execute("UPDATE read_model.tenants SET dead_letters = 3")
    read_model.execute("UPDATE read_model.projection SET capture_gap = 'gone'")
    refresh_now(conn)
    assert value(read_model, "SELECT sum(dead_letters) FROM read_model.tenants") == 0
    assert value(read_model, "SELECT capture_gap FROM read_model.projection") is None
    conn.execute("INSERT INTO projector.capture_gaps (reason, reinstalled_at) VALUES ('open', now())")
    read_model.execute("UPDATE read_model.projection SET capture_gap = 'open'")
    refresh_now(conn)
    assert value(read_model, "SELECT capture_gap FROM read_model.projection") == "open"
