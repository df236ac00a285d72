"""Schedules of two refreshes and a writer, in small worlds of all kinds of rows: the read model comes out exact.

The model writes the schedules: `make exactness` plays those that have every step of its batches, and `make test` those
by which it finds that a rule is left out. LEADS_SCHEDULES_FROM goes on where a run ended, with what it printed.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

import pytest

from tests.conftest import MakeDatabase
from tests.exactness.model.rules import EDITS, RULES, SINGLES
from tests.exactness.model.schedules import covering, find_fault, replayed
from tests.exactness.model.search import Search
from tests.exactness.model.steps import Label, Model
from tests.exactness.platform import Platform
from tests.exactness.schedules.resume import first_schedule
from tests.exactness.schedules.sessions import Mode
from tests.exactness.schedules.stage import BrokenError, LaidWorld, Stage, staged
from tests.exactness.schedules.steps import TABLES, Tables
from tests.exactness.schedules.worlds import WORLDS, World
from tests.exactness.schemas import REFERENCE
from tests.exactness.test_mutants import MUTANTS, Bench
from tests.support.cases import cases

LayWorld = Callable[[Tables, World], LaidWorld]

MODES = (Mode.TRANSACTION, Mode.STATEMENTS)
PLACES = [(tables, world) for tables in TABLES for world in tables.worlds]


def name_of(place: tuple[Tables, World]) -> str:
    return f"{place[0].schema.name}, {place[1].name}"


def word_of(labels: Sequence[Label], *, is_late: bool = False) -> str:
    """The steps of the model as a word: A is the refresh of the first shard, B that of the second, W the writer.

    A commit is two steps here: what was recomputed is written, and that is committed, at once or `is_late` in the end.
    The first change of the model waits in these worlds from the start.
    """
    word, commits, shards = "", "", {"W": "W"}
    for session, step, of in labels:
        if step == "take" and of in {0, 1}:
            shards[session] = "AB"[of == 1]
        letter = shards.get(session, "")
        word += letter
        if step == "commit":
            word, commits = (word, commits + letter) if is_late else (word + letter, commits)
    return (word + commits).removeprefix("W")


@cache
def few_words() -> tuple[str, ...]:
    """A commit beside what waits, and what becomes with every rule of the shortest ways to a fault without one."""
    words = ["WB"]
    for rule, world in RULES.items():
        if world in {SINGLES, EDITS}:
            search = find_fault(rule)
            [state] = search.faults.values()
            labels = [label for label, _ in replayed(Model(world), search.path(state))]
            words += [word_of(labels), word_of(labels, is_late=True)]
    return tuple(dict.fromkeys(word for word in words if "W" in word))


@cache
def all_words(*, is_late: bool) -> tuple[str, ...]:
    """Words that have each step of two batches and a writer of three statements beside each other."""
    schedules = covering(Search(Model(SINGLES._replace(works=(), most_writes=3))).run())
    words = (word_of([label for label, _ in schedule], is_late=is_late) for schedule in schedules)
    return tuple(dict.fromkeys((*few_words(), *words)))


@pytest.fixture
def stage(place: tuple[Tables, World], lay_world: LayWorld) -> Iterator[Stage]:
    with staged(lay_world(*place)) as made:
        yield made


def in_each(places: Sequence[tuple[Tables, World]]) -> pytest.MarkDecorator:
    """Have a test played in each of these places."""
    return pytest.mark.parametrize("place", places, ids=map(name_of, places))


@pytest.mark.long
@in_each(PLACES)
def test_every_schedule_comes_out_exact(stage: Stage, report: Callable[[str], None]) -> None:
    part = name_of((stage.laid.tables, stage.laid.world))
    schedules = [(mode, word) for mode in MODES for word in all_words(is_late=mode is Mode.STATEMENTS)]
    first = done = first_schedule(part, [name_of(place) for place in PLACES])
    try:
        for mode, word in schedules[first:]:
            play_to_end(stage, mode, word)
            done += 1
    finally:
        report(f"{part}: {done - first} of {len(schedules)} schedules came out exact")
        if done < len(schedules):
            report(f"to go on: LEADS_SCHEDULES_FROM='{part}: {done}'")


@in_each([place for place in PLACES if place[0].schema is REFERENCE])
@cases("mode", MODES)
def test_a_few_schedules_come_out_exact(stage: Stage, mode: Mode) -> None:
    for word in few_words():
        play_to_end(stage, mode, word)
        assert len({one.session for one in stage.played}) == 3


def play_to_end(stage: Stage, mode: Mode, word: str) -> None:
    stage.reset(mode)
    try:
        stage.play(word)
        stage.check_end()
    except BrokenError as error:
        raise BrokenError(f"{error}\n{stage.story()}\nschedule {word}") from error


def test_a_schedule_is_named_in_which_the_read_model_comes_out_wrong(lay_world: LayWorld) -> None:
    with staged(lay_world(TABLES[0], WORLDS[1])) as stage:
        stage.laid = replace(stage.laid, truth=stage.laid.truth + "?")
        with pytest.raises(BrokenError, match=r"(?s)· .*schedule [ABW]+$"):
            play_to_end(stage, Mode.TRANSACTION, few_words()[0])


REFERENCE_ALONE, WITH_TENANTS = TABLES[:1], TABLES[:2]
BROKEN = {
    "the queue holds each change once": (0, "W fails: UniqueViolation", REFERENCE_ALONE),
    "the trigger waits for the lock of the tenant": (0, "the writer waits", REFERENCE_ALONE),
    "a waiting change does not hold freshness back": (0, "freshness promises a change that waits", TABLES),
    "nothing is locked": (1, "statistics equal the leads", TABLES),
    "the source is read before the changes are taken": (1, r"leads\.document is wrong", TABLES),
    "what moved to a tenant that is not locked is left to others": (
        0,
        "leads (lacks a row|has a row too many)",
        WITH_TENANTS,
    ),
}


def said_of(stage: Stage, mode: Mode, word: str) -> str:
    try:
        play_to_end(stage, mode, word)
    except BrokenError as error:
        return str(error)
    return ""


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
    world, said, _ = BROKEN[without]
    # Laid while every rule is there.
    laid = lay_world(tables, WORLDS[world])
    database = make_database(laid.database)
    with ExitStack() as stack, database.connect() as conn:
        MUTANTS[without].drop(Bench(request, stack, monkeypatch, Platform(conn, first=1000)))
        stage = stack.enter_context(staged(laid, database))
        assert any(re.search(said, said_of(stage, mode, word)) for word in few_words() for mode in MODES)


def test_a_run_goes_on_where_another_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [name_of(place) for place in PLACES[:4]]
    assert [first_schedule(part, parts) for part in parts] == [0, 0, 0, 0]
    monkeypatch.setenv("LEADS_SCHEDULES_FROM", f"{parts[2]}: 7")
    assert [first_schedule(part, parts) for part in parts[2:]] == [7, 0]
    with pytest.raises(pytest.skip.Exception):
        first_schedule(parts[1], parts)
