"""The change feed, exports and as-of, where the read model is in a database of its own."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient

from projector.core.freshness import advance_freshness
from projector.database.locks import SHARDS
from projector.database.source_names import SourceConnection
from projector.operate import erase as erasure
from projector.operate.erase import Target
from projector.operate.export import Kind, export
from projector.operate.origin.proof import Origin
from projector.report.progress import QUIET
from projector.scheduler import tombstones
from projector.scheduler.look import look
from projector.sides import on_read_model
from tests.exactness.apart.test_two_commits import (
    CASES,
    WORKS,
    dies,
    dies_between_the_commits,
    fill,
    move,
    one_batch,
    phones,
)
from tests.exactness.feed_copy import Copy, serving
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now, value
from tests.exactness.test_origin import EPOCH, WELL, feed_by, prove
from tests.support.server import Database

# What holds the read model changes nothing of this.
pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)

AS_OF = "SELECT as_of FROM read_model.freshness"
NOW = "SELECT clock_timestamp()"


@pytest.fixture
def client(database: Database) -> Iterator[FlaskClient]:
    """A caller of the API on the server of the read model."""
    with serving(Database(database.read_model_url, database.name)) as made:
        yield made.test_client()


@pytest.fixture
def copy(client: FlaskClient) -> Copy:
    made = Copy(client)
    made.begin()
    return made


@pytest.mark.parametrize("case", CASES)
def test_a_copy_follows_over_a_batch_that_died_between_the_commits(
    platform: Platform,
    conn: SourceConnection,
    copy: Copy,
    case: Callable[[Platform, SourceConnection], list[str]],
) -> None:
    others = [Copy(copy.client, tenant=user_id) for user_id in ("two", "three")]
    for other in others:
        other.begin()
    case(platform, conn)
    # What a caller has seen of the read model that is ahead of the platform's database.
    for one in (copy, *others):
        one.follow()
        assert one.leads == one.list()
    refresh_now(conn)
    assert_exact(conn)
    for one in (copy, *others):
        one.follow()
        assert one.leads == one.list()


@pytest.mark.parametrize("name", ["refresh", "rebuild in place"])
def test_a_copy_follows_work_that_dies_between_any_two_commits(
    platform: Platform, conn: SourceConnection, copy: Copy, name: str
) -> None:
    number, came_so_far = 0, True
    agent = platform.agent("one")
    while came_so_far:
        number += 1
        platform.message(platform.conversation(agent, f"49{number}0"))
        if number > 1:
            platform.conn.execute(
                "DELETE FROM conversations WHERE customer_phone = %s", (f"49{number - 1}0",)
            )
        came_so_far = dies(conn, WORKS[name], number)
        copy.follow()
        assert copy.leads == copy.list()
    refresh_now(conn)
    copy.follow()
    assert copy.leads == copy.list()
    assert_exact(conn)


def test_a_redone_batch_reports_nothing_twice(platform: Platform, conn: SourceConnection, copy: Copy) -> None:
    conversation = platform.conversation(platform.agent("one"), "4915")
    dies_between_the_commits(conn)
    assert copy.follow() == ["4915"]
    refresh_now(conn)
    assert copy.follow() == []
    move(platform, conversation, "4916")
    dies_between_the_commits(conn)
    assert copy.follow() == ["4915", "4916"]
    refresh_now(conn)
    assert copy.follow() == []


def test_a_commit_of_one_side_loses_no_change(platform: Platform, conn: SourceConnection) -> None:
    """The process dies when one of the databases has committed, and the other has not."""
    platform.message(platform.conversation(platform.agent("one"), "4915"))
    assert dies(conn, one_batch, 1)
    refresh_now(conn)
    assert_exact(conn)
    assert phones(conn) == ["4915"]


def test_old_tombstones_go_and_an_erasure_ends_tokens(
    platform: Platform, conn: SourceConnection, copy: Copy
) -> None:
    fill(platform)
    refresh_now(conn)
    copy.follow()
    platform.conn.execute("DELETE FROM conversations WHERE customer_phone = '4902'")
    refresh_now(conn)
    read_model = on_read_model(conn)
    count = "SELECT count(*) FROM read_model.lead_tombstones WHERE user_id = 'one'"
    assert value(read_model, count) == 1
    tombstones.prune(conn, 30)
    assert value(read_model, count) == 1
    read_model.execute("UPDATE read_model.lead_tombstones SET deleted_at = now() - interval '31 days'")
    tombstones.prune(conn, 30)
    assert value(read_model, count) == 0
    assert copy.ask()[0] == 410
    copy.begin()
    platform.conn.execute("DELETE FROM conversations")
    platform.conn.execute("DELETE FROM contacts")
    platform.conn.execute("DELETE FROM template_sends")
    erasure.erase(conn, Target("one", "4901"), progress=QUIET)
    assert value(read_model, f"{count} AND customer_phone = '4901'") == 0
    assert copy.ask()[0] == 410
    refresh_now(conn)
    assert_exact(conn)


def test_an_erasure_may_die_between_any_two_commits(platform: Platform, conn: SourceConnection) -> None:
    fill(platform)
    refresh_now(conn)
    platform.conn.execute("DELETE FROM users WHERE user_id = 'one'")

    def erase(conn: psycopg.Connection[tuple[object, ...]]) -> None:
        erasure.erase(conn, Target("one"), progress=QUIET)

    number = 1
    while dies(conn, erase, number):
        number += 1
    assert number > 2
    read_model = on_read_model(conn)
    for table in ("leads", "lead_tombstones", "lead_messages", "tenants"):
        assert value(read_model, f"SELECT count(*) FROM read_model.{table} WHERE user_id = 'one'") == 0
    assert value(conn, "SELECT count(*) FROM projector.source_keys WHERE user_id = 'one'") == 0
    refresh_now(conn)
    assert_exact(conn)


@pytest.mark.parametrize("kind", ["leads.csv", "leads.ndjson", "messages.ndjson"])
def test_an_export_of_the_command_equals_that_of_the_api(
    platform: Platform, conn: SourceConnection, client: FlaskClient, tmp_path: Path, kind: Kind
) -> None:
    fill(platform)
    refresh_now(conn)
    done = export(conn, "one", kind, tmp_path / kind, progress=QUIET)
    assert done.as_of == value(on_read_model(conn), AS_OF)
    answer = client.get(f"/users/one/{kind}")
    assert answer.status_code == 200
    assert (tmp_path / kind).read_bytes() == answer.data


def test_a_caller_waits_for_what_was_written(
    platform: Platform, conn: SourceConnection, client: FlaskClient
) -> None:
    """By the clock of the platform's server, which is what X-Data-As-Of tells."""
    platform.conversation(platform.agent("one"), "4915")
    written = value(platform.conn, NOW).isoformat().replace("+00:00", "Z")
    assert client.get(f"/users/one/leads?min_as_of={written}").status_code == 503
    refresh_now(conn)
    look(conn, timedelta(0))
    answer = client.get(f"/users/one/leads?min_as_of={written}")
    assert answer.status_code == 200
    assert [lead["customer_phone"] for lead in json.loads(answer.data)["data"]] == ["4915"]


def as_of(conn: SourceConnection) -> datetime:
    found: datetime = value(on_read_model(conn), AS_OF)
    return found


def test_as_of_does_not_go_back_where_the_other_clock_is_behind(conn: SourceConnection) -> None:
    """The clock of the platform's server decides; that of the read model's server may be behind by any time."""
    # Nothing waits, and an hour from now is what the platform's clock shows.
    soon = value(conn, NOW) + timedelta(hours=1)
    conn.execute(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
        " $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour 1 second' $$"
    )
    conn.execute("SET search_path = public, pg_catalog")
    advance_freshness(conn, SHARDS, soon, timedelta(0))
    assert as_of(conn) == soon
    advance_freshness(conn, SHARDS, soon - timedelta(seconds=1), timedelta(0))
    assert as_of(conn) == soon
    # A clock that was set back is another matter: what was promised has not been reached.
    conn.execute("DROP FUNCTION public.clock_timestamp()")
    now = value(conn, NOW)
    advance_freshness(conn, SHARDS, now, timedelta(0))
    assert as_of(conn) == now


def test_a_look_moves_as_of_only_while_nothing_waits(platform: Platform, conn: SourceConnection) -> None:
    before = as_of(conn)
    look(conn, timedelta(0))
    moved = as_of(conn)
    assert moved > before
    platform.conversation(platform.agent("one"), "4915")
    assert look(conn, timedelta(0)).has_changes
    assert as_of(conn) == moved
    refresh_now(conn)
    conn.execute("INSERT INTO projector.capture_gaps (reason, reinstalled_at) VALUES ('open', now())")
    at = as_of(conn)
    assert look(conn, timedelta(0)).fresh_until is None
    assert as_of(conn) == at


def test_what_the_origin_proves_bounds_as_of(platform: Platform, conn: SourceConnection) -> None:
    """The source tables are fed by logical replication, and the read model is in another database still."""
    before = as_of(conn)
    feed_by(conn, WELL)
    look(conn, timedelta(0))
    refresh_now(conn)
    assert as_of(conn) == before
    proved = value(conn, NOW)
    prove(conn, proved)
    for work in (lambda: look(conn, timedelta(0)), lambda: refresh_now(conn)):
        work()
        assert as_of(conn) == proved
    feed_by(conn, WELL.replace("true, 0::bigint", "false, 0::bigint"))
    Origin("").follow(conn)
    problem = value(on_read_model(conn), "SELECT feed_problem FROM read_model.projection")
    assert problem == "The subscription leads is disabled"
    conn.execute("TRUNCATE projector.origin")
    on_read_model(conn).execute("DELETE FROM read_model.freshness")
    rebuild_now(conn, first=True)
    assert as_of(conn) == EPOCH
    assert platform.conn is not conn
