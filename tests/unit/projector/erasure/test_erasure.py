"""Erasing a tenant or a lead: everything of ours at once, whatever runs meanwhile, and again after a restore."""

from pathlib import Path

import psycopg
import pytest

from projector.core import pipeline
from projector.core.dead_letters import set_aside
from projector.database import locks
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.operate import erase as erasure
from projector.operate.erase import check_erase, erase, find_target, ledger, mention, replay
from projector.operate.erase.ledger import Target
from projector.report.errors import BlockedError, CaptureGapError, ErasureRefusedError, ProjectorError
from projector.report.progress import QUIET
from projector.sweep import rolling
from projector.sweep.verify import verify
from tests.conftest import MakeDatabase
from tests.exactness.interleaving import Stepped
from tests.support.cases import cases
from tests.support.points import at_points
from tests.support.running import value
from tests.support.server import Database, Server
from tests.support.source import SOURCE_TABLES
from tests.unit.projector.erasure import world
from tests.unit.projector.recovering import healed

TENANT = Target(world.ERASED_TENANT)
LEAD = Target(world.ERASED_TENANT, world.PHONE)


@pytest.fixture(scope="module")
def world_template(server: Server, template: Database) -> Database:
    """A built read model of two tenants; only to be copied."""
    made = server.create("erasure", template=template.name)
    with made.connect() as conn:
        world.built_world(conn, conn)
    return made


@pytest.fixture
def database(make_database: MakeDatabase, world_template: Database) -> Database:
    return make_database(world_template)


@pytest.fixture
def platform(other: Connection) -> Connection:
    """The platform's connection to a built read model of two tenants."""
    return other


def verified(conn: Connection) -> int:
    """The number of differences that a verify of everything finds."""
    return len(verify(conn, tenants=None, sample=None, heal=False, progress=QUIET).drifts)


EACH = pytest.mark.parametrize(
    ("target", "needles"),
    [(TENANT, world.NEEDLES + world.NEEDLES_OF_TENANT), (LEAD, world.NEEDLES)],
    ids=["tenant", "lead"],
)


@EACH
def test_nothing_is_left_in_any_table(
    connection: Connection, platform: Connection, target: Target, needles: tuple[str, ...]
) -> None:
    for table in world.our_tables(platform):
        platform.execute(f"ANALYZE {table}".encode())
    if target is TENANT:
        # As after a restore without triggers: no change of the queue tells of the deletion.
        for source in SOURCE_TABLES:
            platform.execute(f"ALTER TABLE {source.name} DISABLE TRIGGER USER".encode())
        world.delete_tenant(platform)
    else:
        world.delete_lead(platform)
    world.plant(platform)
    platform.execute("ANALYZE projector.dead_letters, projector.drift, projector.runs")
    assert {table for table, _ in world.find_left(platform, needles)} >= {
        "projector.dead_letters", "projector.drift", "projector.runs", "projector.changes",
        "projector.verify_rounds", "projector.verify_left_out", "projector.sweep_positions",
        "projector.capture_gaps", "projector.source_keys", "read_model.leads", "read_model.lead_messages",
        "pg_catalog.pg_stats",
    }  # fmt: skip
    erase(connection, target, progress=QUIET)
    assert world.find_left(platform, needles) == []
    # What concerns others is as it was.
    keys = "SELECT array_agg(prefix ORDER BY prefix) FROM leads_access.api_keys"
    assert value(platform, keys) == ["every-key", "kept-key", *(["needle-key"] if target is LEAD else [])]
    assert value(platform, "SELECT count(*) FROM read_model.leads WHERE user_id = 'u'") == 1
    assert value(platform, "SELECT array_agg(DISTINCT tenants) FROM projector.runs WHERE 'u' = any(tenants)")
    if target is LEAD:
        assert value(platform, "SELECT count(*) FROM projector.capture_gaps WHERE healed_at IS NULL") == 0
    positions = "SELECT DISTINCT after_first || after_second FROM projector.sweep_positions"
    assert platform.execute(positions).fetchall() == [("",)]
    platform.execute("DELETE FROM projector.verify_rounds")
    platform.execute("DELETE FROM projector.sweep_positions")
    healed(connection)
    assert verified(connection) == 0


def test_it_refuses_while_the_source_has_rows_and_lists_them(
    connection: Connection, platform: Connection
) -> None:
    assert find_target(connection, world.ERASED_TENANT, None) == TENANT
    assert find_target(connection, world.ERASED_TENANT, " \t") is None
    lead = find_target(connection, world.ERASED_TENANT, "+49 (777) 000-123")
    assert lead == LEAD
    with pytest.raises(ErasureRefusedError) as refused:
        check_erase(connection, lead)
    assert str(refused.value).splitlines()[1:-1] == [
        "  contacts: 1 row, such as needle-contact",
        "  conversations: 1 row, such as needle-conversation",
        "  template_sends: 1 row, such as needle-send",
    ]
    assert world.PHONE not in str(refused.value.without_values)
    with pytest.raises(ErasureRefusedError, match="users: 1 row, such as needle-tenant"):
        erase(connection, TENANT, progress=QUIET)
    assert value(platform, "SELECT count(*) FROM leads_access.erasures") == 0
    assert value(platform, "SELECT count(*) FROM read_model.leads WHERE user_id = %s", "needle-tenant") == 1


def test_a_ledger_file_that_cannot_be_used_begins_no_erasure(
    connection: Connection, platform: Connection, tmp_path: Path
) -> None:
    world.delete_lead(platform)
    with pytest.raises(ProjectorError, match="Nothing was erased"):
        erase(connection, LEAD, progress=QUIET, ledger_file=tmp_path / "missing" / "erased.jsonl")
    assert ledger.read_unfinished(connection) == []


def test_a_row_that_comes_meanwhile_is_reported_and_projected(
    connection: Connection, platform: Connection
) -> None:
    world.delete_lead(platform)
    came: list[str] = []

    def come(point: str) -> None:
        if point == "leads" and not came:
            came.append(point)
            world.write_lead(platform)

    with pytest.raises(ErasureRefusedError), at_points(come):
        erase(connection, LEAD, progress=QUIET)
    healed(connection)
    assert value(platform, "SELECT count(*) FROM read_model.leads WHERE user_id = %s", "needle-tenant") == 1
    assert value(platform, "SELECT count(*) FROM leads_access.erasures WHERE finished_at IS NULL") == 1


@EACH
def test_a_replay_ends_what_was_killed_even_where_no_row_tells_whom_it_was_for(
    connection: Connection,
    platform: Connection,
    target: Target,
    needles: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world.delete_tenant(platform)
    world.plant(platform)

    def kill(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patches:
        # All rows are deleted by then, and notes, positions and the queue still name it.
        patches.setattr("projector.operate.erase._forget", kill)
        with pytest.raises(KeyboardInterrupt):
            erase(connection, target, progress=QUIET)
    assert world.find_left(platform, needles) != []
    platform.execute("DELETE FROM read_model.tenants WHERE user_id = 'needle-tenant'")
    (sentence,) = [sentence for sentence in find_attention(read_status(connection)) if "erasure" in sentence]
    assert sentence.startswith("1 erasure was interrupted, begun on ")
    assert sentence.endswith("Run `erase --replay`, which ends it.")
    assert target in replay(connection, progress=QUIET)[0]
    assert world.find_left(platform, needles) == []
    assert not [sentence for sentence in find_attention(read_status(connection)) if "erasure" in sentence]
    assert read_status(connection)["erasures"]["interrupted"] == 0
    assert replay(connection, progress=QUIET)[0] == []


def test_a_verify_under_way_writes_nothing_back(platform: Connection, database: Database) -> None:
    # The lead differs, and its slice is compared before the erasure and recorded after it.
    platform.execute("UPDATE read_model.lead_profiles SET name = 'x' WHERE user_id = 'needle-tenant'")

    def compare(conn: Connection) -> None:
        pipeline.prepare_session(conn)
        rolling.step(conn, 1.0)

    with Stepped(database, compare, "compared") as comparison:
        world.delete_tenant(platform)
        with Stepped(database, lambda conn: erase(conn, TENANT, progress=QUIET)) as erasing:
            erasing.waits(platform)
            comparison.finish()
            erasing.finish()
    assert world.find_left(platform, (world.ERASED_TENANT, world.PHONE)) == []


def test_a_key_that_failed_before_is_not_set_aside_after(
    connection: Connection, platform: Connection
) -> None:
    with pytest.raises(psycopg.errors.RaiseException) as failed:
        platform.execute("DO $$ BEGIN RAISE 'refused Needle Name'; END $$")
    world.delete_tenant(platform)
    erase(connection, TENANT, progress=QUIET)
    with connection.transaction():
        set_aside(connection, "contacts", "needle-contact", failed.value)
    assert value(platform, "SELECT count(*) FROM projector.dead_letters") == 0


@pytest.mark.parametrize("is_there", [True, False])
def test_what_waits_of_others_and_cannot_be_taken_comes_with_the_rebuild(
    connection: Connection, platform: Connection, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    world.delete_lead(platform)
    platform.execute("UPDATE messages SET text = 'changed'")
    # A rebuild that was interrupted has passed the lead.
    platform.execute(
        "INSERT INTO projector.sweep_positions (purpose, version, phase, after_first, after_second)"
        " VALUES ('rebuild', %s, 'leads', 'z', '')",
        (PROJECTION_VERSION,),
    )

    def gap(*_: object, **__: object) -> None:
        raise CaptureGapError("a trigger is disabled")

    with monkeypatch.context() as patches:
        if is_there:
            # A gap that is mended by hand before anybody notes it.
            patches.setattr(erasure, "refresh", gap)
        else:
            platform.execute("UPDATE read_model.projection SET built_at = NULL")
        erase(connection, LEAD, progress=QUIET)
    assert world.find_left(platform, world.NEEDLES) == []
    assert value(platform, "SELECT count(*) FROM projector.changes") == 0
    healed(connection)
    assert verified(connection) == 0
    assert value(platform, "SELECT array_agg(DISTINCT text) FROM read_model.lead_messages") == ["changed"]


def test_it_waits_for_no_other_and_status_does_not_call_that_one_interrupted(
    connection: Connection, platform: Connection, database: Database
) -> None:
    world.delete_tenant(platform)
    ledger.note(connection, LEAD)
    with database.connect() as erasing, locks.try_session_lock(erasing, locks.REBUILD):
        with pytest.raises(BlockedError, match="wait until `status` says"):
            erase(connection, TENANT, progress=QUIET)
        status = read_status(connection)
    assert status["erasures"]["interrupted"] == 1
    assert not [sentence for sentence in find_attention(status) if "erasure" in sentence]


@cases(
    ("name", "text", "is_meant"),
    [
        ("4915", "customer 4915 of u", True),
        ("4915", "4915", True),
        ("4915", "customer 49151 of u", False),
        ("u", "customer 4915 of u: bad", True),
        ("u", "customer 4915 of user", False),
        ("a.b+c(d)\\1$", "of a.b+c(d)\\1$.", True),
        ("a.b", "axb", False),
        ("münchen", "of münchen", True),
        ("_x_", "of _x_,", True),
    ],
)
def test_a_mention_is_no_part_of_a_word(
    connection: Connection, name: str, text: str, *, is_meant: bool
) -> None:
    assert value(connection, "SELECT %s::text ~ %s", text, mention(name)) is is_meant


@pytest.mark.parametrize("phone", [None, world.PHONE])
def test_what_it_deletes_moves_the_version_of_the_tenant(
    connection: Connection, platform: Connection, monkeypatch: pytest.MonkeyPatch, phone: str | None
) -> None:
    """Some leads at a time, as if a batch had written them once more after they were recomputed."""
    platform.execute(
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone)"
        " SELECT 'more-' || n, 'needle-agent', n::text FROM generate_series(1, 3) AS n"
    )
    healed(connection)
    seen = platform.execute("SELECT version, version_id FROM read_model.tenants").fetchall()
    numbers = []

    def look(point: str) -> None:
        if point == "rows":
            state = platform.execute("SELECT version, version_id FROM read_model.tenants").fetchall()
            assert not {*state} <= {*seen}
            seen.extend(state)
            numbers.append(
                value(platform, "SELECT count(*) FROM read_model.leads WHERE user_id = 'needle-tenant'")
            )

    world.delete_tenant(platform)
    monkeypatch.setattr(erasure, "rebuild_leads", lambda *_, **__: [])
    monkeypatch.setattr(erasure, "LEADS_PER_TRANSACTION", 1)
    monkeypatch.setattr(erasure, "_drain", lambda *_: None)
    with at_points(look):
        erase(connection, Target(world.ERASED_TENANT, phone), progress=QUIET)
    assert numbers == ([3, 2, 1, 0] if phone is None else [3])
    left = value(platform, "SELECT count(*) FROM read_model.tenants WHERE user_id = %s", world.ERASED_TENANT)
    assert left == int(phone is not None)
