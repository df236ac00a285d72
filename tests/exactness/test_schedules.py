"""Every schedule of two refreshes and a writer, in each world: whatever the order, the read model comes out exact.

`make exactness` plays all of them and prints how many there are. LEADS_SCHEDULES_FROM goes on where a run ended: it
takes what such a run prints, a world, how the writer goes on, and a schedule. `make test` plays a few of each world.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import permutations

import pytest

from projector.core import pipeline
from projector.core.batch import refresh_batch
from projector.database.rows import Connection
from tests.conftest import MakeDatabase
from tests.exactness.interleaving import REFRESH_POINTS
from tests.exactness.platform import Platform
from tests.exactness.schedules import footprints
from tests.exactness.schedules.explore import Exploration, orders, word_of
from tests.exactness.schedules.sessions import REFRESH_STEPS, Mode
from tests.exactness.schedules.stage import NAMES, BrokenError, LaidWorld, Stage, staged
from tests.exactness.schedules.steps import TABLES, Tables
from tests.exactness.schedules.worlds import WORLDS, World
from tests.exactness.schemas import REFERENCE
from tests.exactness.test_mutants import MUTANTS, Bench
from tests.support.cases import cases
from tests.support.points import at_points
from tests.support.server import Database

LayWorld = Callable[[Tables, World], LaidWorld]

MODES = (Mode.TRANSACTION, Mode.STATEMENTS)
PLACES = [(tables, world) for tables in TABLES for world in tables.worlds]
PARTS = [(*place, mode) for place in PLACES for mode in MODES]

FEW = ("ABAAAAABBBBBWWW", "BBWWWABBBBAAAAA")
"""The schedules of each world that `make test` plays: they change often between the sessions."""

# Two refreshes meet on what moves from tenant to tenant, and the second one waits for the first.
MEETINGS = {
    "moved conversation": "AAAAWBBBAABBB",
    "moved send": "AAAAWBBBAABBB",
    "moved message": "AAAAWBBBWAABBB",
    "new conversation": "AAAAAWBBBBBBBBBABBB",
}


def steps(mode: Mode, cast: str = NAMES) -> dict[str, int]:
    """How many steps each session of a schedule has."""
    return {name: len(REFRESH_STEPS) if name != "W" else 3 if mode is Mode.STATEMENTS else 1 for name in cast}


def name_of(tables: Tables, world: World, mode: Mode) -> str:
    return f"{tables.schema.name}, {world.name}, {mode.value}"


def first_schedule(tables: Tables, world: World, mode: Mode) -> str | None:
    """The schedule with which to begin, as LEADS_SCHEDULES_FROM wants it; None for a part that comes before."""
    wanted = os.environ.get("LEADS_SCHEDULES_FROM", "")
    if not wanted:
        return ""
    part, _, word = wanted.partition(":")
    names = [name_of(*one) for one in PARTS]
    assert part.strip() in names, f"LEADS_SCHEDULES_FROM begins with none of: {'; '.join(names)}"
    place, first = names.index(name_of(tables, world, mode)), names.index(part.strip())
    return None if place < first else word.strip() if place == first else ""


@pytest.fixture
def stage(place: tuple[Tables, World], lay_world: LayWorld) -> Iterator[Stage]:
    with staged(lay_world(*place)) as made:
        yield made


def in_each(places: Sequence[tuple[Tables, World]]) -> pytest.MarkDecorator:
    """Have a test played in each of these places."""
    names = [f"{tables.schema.name}, {world.name}" for tables, world in places]
    return pytest.mark.parametrize("place", places, ids=names)


@pytest.mark.long
@in_each(PLACES)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_every_schedule_comes_out_exact(stage: Stage, mode: Mode, report: Callable[[str], None]) -> None:
    part = name_of(stage.laid.tables, stage.laid.world, mode)
    first = first_schedule(stage.laid.tables, stage.laid.world, mode)
    if first is None:
        report(f"{part}: left out, LEADS_SCHEDULES_FROM begins later")
        return
    exploration = Exploration(stage, mode)
    is_complete = False
    try:
        for _ in exploration.schedules(first):
            pass
        is_complete = True
    finally:
        if not is_complete:
            report(f"to go on: LEADS_SCHEDULES_FROM='{part}: {word_of(stage)}'")
    writer = {"W": 3 + (mode is Mode.TRANSACTION)}
    report(
        f"{part}: {exploration.runs:,} of {orders(steps(mode) | writer):,} schedules remain and were played"
        f"{f' from {first}' if first else ''}; {exploration.repeated:,} runs were given up as repetitions"
    )
    assert exploration.runs > 1


@in_each([place for place in PLACES if place[0].schema is REFERENCE or place[1].name in MEETINGS])
@cases("mode", MODES)
def test_a_few_schedules_come_out_exact(stage: Stage, mode: Mode) -> None:
    for word in (*FEW, *filter(None, [MEETINGS.get(stage.laid.world.name)])):
        stage.reset(mode)
        try:
            play_to_end(stage, word)
        except BrokenError as error:
            pytest.fail(f"{error}: {stage.story()}")
        assert len({one.session for one in stage.played}) == 3


def play_to_end(stage: Stage, word: str) -> None:
    stage.play(word)
    stage.check_end()


def test_the_search_leaves_out_no_end(lay_world: LayWorld) -> None:
    """The schedules that remain of a refresh and a writer come to each end that any of all their orders comes to."""
    mode, cast = Mode.STATEMENTS, "AW"
    letters = "".join(name * number for name, number in steps(mode, cast).items())
    everything = {"".join(order) for order in permutations(letters)}
    assert len(everything) == orders(steps(mode, cast))
    with staged(lay_world(TABLES[0], WORLDS[0])) as stage, pytest.MonkeyPatch.context() as patches:
        # Without the last refresh, which would make all ends one.
        patches.setattr(stage, "check_end", lambda: None)
        remaining: dict[str, str] = {}
        exploration = Exploration(stage, mode, cast)
        for word in exploration.schedules():
            remaining[stage.state()] = word
        assert 1 < exploration.runs < len(everything)
        for word in everything:
            stage.reset(mode, cast)
            stage.play(word)
            assert stage.state() in remaining, f"no schedule that remains ends as {stage.story()}"
        assert len(remaining) > 1


@pytest.mark.parametrize(
    "tables",
    [pytest.param(one, marks=() if one.schema is REFERENCE else pytest.mark.long) for one in TABLES],
    ids=lambda tables: tables.schema.name,
)
def test_the_steps_of_a_refresh_touch_what_their_footprints_say(
    lay_world: LayWorld, make_database: MakeDatabase, tables: Tables
) -> None:
    """PostgreSQL counts the scans and the rows of each table: what a step reads and writes, its footprint has."""
    read: dict[str, set[str]] = {step: set() for step in REFRESH_STEPS}
    for world in tables.worlds:
        laid = lay_world(tables, world)
        database = make_database(laid.database)
        with database.connect() as conn:
            conn.execute("SELECT schedules.reset()")
            for query, values in laid.statements:
                conn.execute(query.encode(), values)
        for shard in (0, 1):
            declared = footprints.of_refresh(tables, shard)
            shared = set().union(*(one.publishes for one in declared.values())) | {
                table for one in declared.values() for table in one.reads
            }
            for step, (scanned, written) in _touched(database, shard):
                found = scanned & shared
                assert found <= declared[step].reads, (
                    f"{world.name}: {step} reads {found - declared[step].reads}"
                )
                read[step] |= found
                unseen = written & shared
                assert unseen <= declared["commit"].publishes, f"{world.name}: {step} writes {unseen}"
    # A footprint that is too large would let the search play the same schedules in vain.
    for step in ("find", "recompute", "merge"):
        wanted = set().union(*(footprints.of_refresh(tables, shard)[step].reads for shard in (0, 1)))
        assert wanted - (tables.perhaps if step == "find" else set()) <= read[step], (
            f"{step} reads {sorted(read[step])}"
        )


def _touched(database: Database, shard: int) -> list[tuple[str, tuple[set[str], set[str]]]]:
    """What each step of the batches of a shard reads and writes, by name of the table or of the shard of the queue."""
    found: list[tuple[str, tuple[set[str], set[str]]]] = []
    with database.connect() as conn:
        pipeline.prepare_session(conn)
        before: dict[str, tuple[int, int]] = {}

        def look(point: str) -> None:
            nonlocal before
            now = _counted(conn)
            names = {name: footprints.queue_of(shard) if name == "changes" else name for name in now}
            changed = [
                {names[name] for name in now if now[name][side] != before.get(name, (0, 0))[side]}
                for side in (0, 1)
            ]
            found.append((REFRESH_STEPS[REFRESH_POINTS.index(point)], (changed[0], changed[1])))
            before = now

        drained = False
        with at_points(look):
            while not drained:
                # What an earlier batch did is counted until PostgreSQL comes to report it.
                before = _counted(conn)
                done = refresh_batch(conn, [shard])
                drained = done.drained or done.has_mass_changes
    return found


def _counted(conn: Connection) -> dict[str, tuple[int, int]]:
    """The scans and the written rows of this transaction by table; an insert that looks for a conflict is no scan."""
    rows = conn.execute(
        "SELECT relname::text, seq_scan + coalesce(idx_scan, 0), n_tup_ins + n_tup_upd + n_tup_del"
        " FROM pg_stat_xact_user_tables WHERE schemaname IN ('public', 'read_model', 'projector')"
    ).fetchall()
    return {name: (scans, written) for name, scans, written in rows}


def test_a_schedule_is_named_in_which_the_read_model_comes_out_wrong(lay_world: LayWorld) -> None:
    with staged(lay_world(TABLES[0], WORLDS[1])) as stage:
        stage.laid = replace(stage.laid, truth=stage.laid.truth + "?")
        with pytest.raises(BrokenError, match=r"(?s)· .*schedule W[ABW]+$"):
            list(Exploration(stage, Mode.TRANSACTION).schedules())


REFERENCE_ALONE, WITH_TENANTS = TABLES[:1], TABLES[:2]
BROKEN = {
    "the queue holds each change once": (0, "W", "W fails: UniqueViolation", REFERENCE_ALONE),
    "the trigger waits for the lock of the tenant": (0, "AAAWW", "the writer waits", REFERENCE_ALONE),
    "a waiting change does not hold freshness back": (
        0,
        "B",
        "freshness promises a change that waits",
        TABLES,
    ),
    "nothing is locked": (1, "AAAAABBBBBAB", "statistics equal the leads", TABLES),
    "the source is read before the changes are taken": (
        1,
        "AWWWAAAAA",
        r"leads\.document is wrong",
        TABLES,
    ),
    "what moved to a tenant that is not locked is left to others": (
        0,
        "AAAAWWWBBBAABBB",
        "leads (lacks a row|has a row too many)",
        WITH_TENANTS,
    ),
}


@pytest.mark.parametrize(
    "broken",
    [(without, tables) for without, (*_, those) in BROKEN.items() for tables in those],
    ids=lambda broken: f"{broken[0]}, {broken[1].schema.name}",
)
def test_a_schedule_says_what_is_wrong_without_a_rule(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    lay_world: LayWorld,
    make_database: MakeDatabase,
    broken: tuple[str, Tables],
) -> None:
    without, tables = broken
    world, word, said, _ = BROKEN[without]
    # Laid while every rule is there.
    laid = lay_world(tables, WORLDS[world])
    database = make_database(laid.database)
    with ExitStack() as stack, database.connect() as conn:
        MUTANTS[without].drop(Bench(request, stack, monkeypatch, Platform(conn, first=1000)))
        stage = stack.enter_context(staged(laid, database))
        stage.reset(Mode.STATEMENTS)
        with pytest.raises(BrokenError, match=said):
            play_to_end(stage, word)


def test_a_run_goes_on_where_another_one_ended(lay_world: LayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    with staged(lay_world(TABLES[0], WORLDS[1])) as stage:
        everything = list(Exploration(stage, Mode.TRANSACTION, "AW").schedules())
        middle = len(everything) // 2
        rest = list(Exploration(stage, Mode.TRANSACTION, "AW").schedules(everything[middle]))
    assert len(everything) > 2
    assert rest[0] == everything[middle]
    assert set(everything[middle:]) <= set(rest)
    monkeypatch.setenv("LEADS_SCHEDULES_FROM", f"{name_of(*PARTS[2])}: WAB")
    assert [first_schedule(*part) for part in PARTS[1:4]] == [None, "WAB", ""]
