"""Schedules of the model, with random changes of all kinds of rows, of five schemas: the read model comes out exact.

`make test` plays each way by which the model finds that a rule is left out once, each schema some of them;
`make exactness` plays all of them in each schema, often.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from itertools import product

import pytest

from tests.conftest import MakeDatabase
from tests.exactness.model.rules import LETTERS, RULES
from tests.exactness.model.schedules import schedule_of
from tests.exactness.model.steps import Label
from tests.exactness.platform import Platform
from tests.exactness.schedules.changing import LayRandom, changing
from tests.exactness.schedules.playing import BrokenError
from tests.exactness.schemas import SCHEMAS
from tests.exactness.test_mutants import MUTANTS, Bench

SHORT = range(1)
LONG = range(1, 25)


@cache
def schedules() -> tuple[tuple[Label, ...], ...]:
    """Return the steps of the ways on which a change comes beside two projectors."""
    worlds = [
        world for world in RULES.values() if not (world.clock_steps or world.erasure or world == LETTERS)
    ]
    ways = (schedule_of(rule, world) for rule, world in RULES.items() if world in worlds)
    return tuple(dict.fromkeys(tuple(label for label, _ in way) for way in ways))


@pytest.mark.thorough
@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("seed", [*SHORT, *(pytest.param(seed, marks=pytest.mark.long) for seed in LONG)])
def test_random_changes_come_out_exact(
    lay_random: LayRandom,
    schema: str,
    seed: int,
    report: Callable[[str], None],
    pytestconfig: pytest.Config,
) -> None:
    first, step = (0, 1) if pytestconfig.getoption("long") else ([*SCHEMAS].index(schema), len(SCHEMAS))
    numbers = range(len(schedules()))[first::step]
    with changing(lay_random(schema)) as stage:
        for number in numbers:
            stage.play_changes(schedules()[number], f"{seed} {number}")
    report(f"{schema}, seed {seed}: {len(numbers)} schedules came out exact")


BROKEN = {
    "a waiting change does not hold freshness back": "freshness promises a change that waits",
    "nothing is locked": "in the end: ",
    "the source is read before the changes are taken": "in the end: ",
}


# With so many tables, two changes that need the lock rarely belong to one lead; where they do, most insert
# the same message, collide and are retried.
TOO_SELDOM = {(schema, "nothing is locked") for schema in ("libredesk", "chaskiq", "rapidpro")}


# The first seed and schedule whose changes show it, where these are many.
SHOWN_BY = {
    ("reference", "nothing is locked"): (5, 1),
    ("chatwoot", "nothing is locked"): (11, 1),
}


# `make test-all` shows it of a schema whose rules are ours, and of one whose rules a mapping gives.
SHOWN = ("reference", "libredesk")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(pair, marks=() if pair[0] in SHOWN else pytest.mark.long)
        for pair in product(SCHEMAS, BROKEN)
        if pair not in TOO_SELDOM
    ],
    ids=", ".join,
)
def test_a_schedule_says_what_is_wrong_without_a_rule(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    lay_random: LayRandom,
    make_database: MakeDatabase,
    broken: tuple[str, str],
) -> None:
    schema, without = broken
    # The rows are laid while every rule exists.
    laid = lay_random(schema)
    database = make_database(laid.database)
    with ExitStack() as stack, database.connect() as conn:
        MUTANTS[without].drop(Bench(request, stack, monkeypatch, Platform(conn, first=1000), without))
        stage = stack.enter_context(changing(laid, database))
        places = list(product(range(20), range(len(schedules()))))
        first = places.index(SHOWN_BY.get(broken, (0, 0)))
        with pytest.raises(BrokenError, match=BROKEN[without]):  # noqa: PT012  # One of them is enough.
            for seed, number in places[first:] + places[:first]:
                stage.play_changes(schedules()[number], f"{seed} {number}")
