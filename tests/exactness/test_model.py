"""The model of the projector: it finds no fault with all rules, and one without each; and PostgreSQL does as it says.

`make test` plays on PostgreSQL what the model finds where a rule is left out, `make exactness` schedules that have each
step of every world.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.exactness.model.rules import LETTER_ERASURE, LETTERS, NEW_LETTER, RULES
from tests.exactness.model.schedules import Schedule, covering, find_fault, schedule_of
from tests.exactness.model.search import Search
from tests.exactness.model.state import World
from tests.exactness.model.steps import Model
from tests.exactness.platform import Platform
from tests.exactness.schedules.playing import BrokenError, LayModel, Playing, playing
from tests.exactness.test_mutants import MUTANTS, Bench
from tests.rules.test_exactness_rules import mutants_of_the_page

pytestmark = pytest.mark.thorough

WORLDS = tuple(dict.fromkeys(RULES.values()))
LARGE = [
    NEW_LETTER,
    LETTER_ERASURE,
    *(world._replace(most_writes=3) for world in WORLDS if not world.has_letter),
    *(world._replace(crashes=1) for world in WORLDS if not world.has_letter),
]
PLAYED = [world for world in WORLDS if not world.clock_steps and not world.has_letter]
"""The worlds that are played on PostgreSQL, whose clock stands still for no test."""

# Readers keep the first one, and what the messages tell hides the second: both have tests of their own.
OTHERS = {
    "a tenant that is late is told the moment of the others",
    "what the read model knew of a conversation is not asked",
}
REAL = [rule for rule, world in RULES.items() if rule in MUTANTS and world in PLAYED and rule not in OTHERS]
# A failing conversation may have several late keys there, which are retried in halves.
EVERY_STEP = [world._replace(tenants=tenants) for tenants in (1, 2) for world in PLAYED if world != LETTERS]

NO_MUTANTS = {"an erasure deletes table by table"}


@pytest.mark.parametrize("rule", RULES)
def test_without_a_rule_the_model_finds_a_fault(rule: str, report: Callable[[str], None]) -> None:
    search = find_fault(rule)
    assert search.faults
    [(fault, state)] = search.faults.items()
    report(f"{rule}: after {len(search.came):,} states and {len(search.schedule(state))} steps, {fault}")


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(world, marks=pytest.mark.long if world in LARGE else ())
        for world in dict.fromkeys((*WORLDS, *LARGE))
    ],
    ids=lambda world: f"{world.name}, {world.most_writes} writes, {world.crashes} crashes",
)
def test_with_all_rules_the_model_finds_no_fault(world: World, report: Callable[[str], None]) -> None:
    search = Search(Model(world)).run(most=300_000)
    assert not {fault: list(map(str, search.path(state))) for fault, state in search.faults.items()}
    report(f"{world.name}, {world.most_writes} writes, {world.crashes} crashes: {len(search.came):,} states")


def test_the_rules_of_the_model_have_mutants() -> None:
    assert set(RULES) - set(MUTANTS) <= NO_MUTANTS
    rows = mutants_of_the_page().items()
    assert {mutant for mutant, row in rows if Path(__file__).name in row.test} <= set(REAL)


def play(stage: Playing, schedule: Schedule) -> None:
    try:
        stage.play(schedule)
    except BrokenError as error:
        raise BrokenError(f"{error}\n{stage.story()}") from error


@pytest.mark.parametrize("world", PLAYED, ids=lambda world: world.name)
def test_what_a_rule_is_for_comes_out_as_in_the_model(lay_model: LayModel, world: World) -> None:
    with playing(lay_model(world)) as stage:
        for rule in (rule for rule, its_world in RULES.items() if its_world == world):
            play(stage, schedule_of(rule, world))


@pytest.mark.parametrize("rule", REAL)
def test_without_the_rule_it_comes_out_otherwise(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    lay_model: LayModel,
    make_database: MakeDatabase,
    rule: str,
) -> None:
    # The world is laid while every rule exists.
    laid = lay_model(RULES[rule])
    database = make_database(laid.database)
    with ExitStack() as stack, database.connect() as conn:
        MUTANTS[rule].drop(Bench(request, stack, monkeypatch, Platform(conn, first=1000), rule))
        stage = stack.enter_context(playing(laid, database))
        with pytest.raises(BrokenError):
            stage.play(schedule_of(rule, RULES[rule]))


@pytest.mark.long
@pytest.mark.parametrize("world", EVERY_STEP, ids=lambda world: f"{world.name}, {world.tenants} tenants")
def test_every_step_comes_out_as_in_the_model(
    lay_model: LayModel, world: World, report: Callable[[str], None]
) -> None:
    schedules = list(covering(Search(Model(world)).run()))
    with playing(lay_model(world)) as stage:
        for schedule in schedules:
            play(stage, schedule)
    report(f"{world.name}, {world.tenants} tenants: {len(schedules)} schedules came out as in the model")
