"""For each rule that is dropped, the shortest schedule that breaks it, as docs/exactness-rules.md has it.

`make exactness` looks for them all, prints the table, and compares it with the page. `make test` plays those of the
page.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform
from tests.exactness.schedules.sessions import Mode
from tests.exactness.schedules.shortest import Broken, cast_of, play, search, word_of_story, words
from tests.exactness.schedules.stage import LaidWorld, Stage, staged
from tests.exactness.schedules.worlds import WORLDS, World
from tests.exactness.test_mutants import MUTANTS, Bench, Mutant
from tests.rules.files import ROOT

PAGE = ROOT / "docs" / "exactness-rules.md"

LayWorld = Callable[[World], LaidWorld]
Report = Callable[[str], None]

MOST_SWITCHES = 2
MORE_SWITCHES = {"nothing is locked": 3, "what moved to a tenant that is not locked is left to others": 4}
"""How often the longest schedules change from one session to another: of all mutants, and of single ones."""

CODES = {Mode.STATEMENTS: "statements", Mode.TRANSACTION_BY_STATEMENTS: "transaction"}

COST = "It costs time or disk and leaves every row right."
NO_BUILD = "It needs a rebuild, which is in no schedule here."
REPLICA = "It needs a writer under the replica role."
OF_TESTS = {
    "test_schema_changes": "It needs ALTER TABLE.",
    "test_giving_way": NO_BUILD,
    "test_faults": "It needs a process that is stopped.",
    "test_names": "It needs a stranger who may create in a schema of the search_path.",
    "test_clock": "It needs a clock that is set back.",
    "test_sharing": "It needs a batch that chooses, and in schedules none does.",
    "test_sabotage": NO_BUILD,
    "test_freshness": "It needs a look of the scheduler, which is in no schedule here.",
    "test_read_your_write": "It needs a request with `min_as_of`.",
    "test_origin": "It needs logical replication.",
    "test_publications": "It needs logical replication.",
    "test_versions": "It leaves every row right, and misleads who asks by version.",
    "test_change_feed": "It leaves every row of the leads right, and misleads who follows the feed.",
    "test_standby": "It leaves every row of the leads right, and misleads who follows the feed.",
    "test_exports": "It needs an export.",
    "test_citus": "It needs several servers.",
}
"""What the tests of a module need that no schedule of two refreshes and a writer has."""

BEYOND = {
    "a change beyond those that a batch looked at does not hold freshness back": (
        "It needs more changes than a batch looks at."
    ),
    "the queue is unique": "It needs a sequence that is set back.",
    "no trigger in replica role": REPLICA,
    "no trigger for TRUNCATE": "It needs a TRUNCATE.",
    "the row trigger reads columns without catching errors": "It needs ALTER TABLE and the replica role.",
    "the trigger has the rights of the writer": "It needs a writer without rights on our schemas.",
    "the build comes before the triggers": "It needs a first build while a writer is in flight.",
    "a refresh does not compare the triggers": "It needs a trigger that is disabled or dropped.",
    "the comparison does not see what was changed and changed back": (
        "It needs a trigger that is disabled and enabled again."
    ),
    "a mass change is one piece": "It costs others a long wait and leaves every row right.",
    "a mass change that replication brings is many single changes": REPLICA,
    "a mass change that replication brings is taken row by row": REPLICA,
    "a lead that fails stops the others": "It needs a lead whose data make the projector fail.",
    "each failing key of a tenant is tried before the others go on": (
        "It needs leads whose data make the projector fail."
    ),
    "the queue grows for ever": "It needs a queue of days.",
    "the queue is vacuumed as any other table": "It needs a queue of many dead rows.",
    "a rebuild in place locks no tenant": NO_BUILD,
    "a first build does not check whether the platform rewrote a table": NO_BUILD,
    "an interrupted rebuild is resumed by another projection version": NO_BUILD,
    "a rebuild goes on writing when another projection version has migrated": NO_BUILD,
}
"""The same for single mutants."""

HARMLESS = {
    "rows and statements are both captured",
    "an update of two rows is taken for one of one",
    "the trigger notifies",
    "every message that was read is written",
    "the numbers of all leads are written with every message",
    "the recompute looks through all messages",
    "every message makes its conversation be read whole",
}
"""Mutants that cost something and leave every row right: a few schedules show that it is so."""


def beyond(mutant: Mutant) -> str | None:
    """Return why no schedule of two refreshes and a writer can show a mutant; None where one may."""
    return BEYOND.get(mutant.what) or OF_TESTS.get(mutant.noticed.__module__.rpartition(".")[2])


SEARCHED = [mutant for mutant in MUTANTS if not beyond(mutant) and mutant.what not in HARMLESS]

HEAD = ("Rule", "Without it", "Changes of session", "World, writer", "Shortest schedule", "What breaks")


@dataclass(frozen=True, slots=True)
class Documented:
    """A row of the page's table."""

    rule: str
    what: str
    cells: tuple[str, ...]

    @property
    def schedule(self) -> str | None:
        """The story of the schedule; None where none breaks the rule."""
        found = re.fullmatch(r"`(.+)`", self.cells[4])
        return found[1] if found else None

    @property
    def broken(self) -> Broken:
        """What the row says that breaks."""
        world, _, code = self.cells[3].partition(", ")
        mode = next(mode for mode, name in CODES.items() if name == code)
        return Broken(world, mode, self.schedule or "", self.cells[5])


def row_of(mutant: Mutant, found: Broken | None, played: int) -> str:
    """A row of the table."""
    most = MORE_SWITCHES.get(mutant.what, MOST_SWITCHES)
    if found is not None:
        cells = [
            str(found.switches), f"{found.world}, {CODES[found.mode]}", f"`{found.story}`", found.what,
        ]  # fmt: skip
    elif why := beyond(mutant):
        cells = ["", "", why, ""]
    elif mutant.what in HARMLESS:
        cells = ["", "", COST, ""]
    else:
        cells = [
            "",
            "",
            f"None of {played:,} schedules with up to {most} changes of session breaks it.",
            "",
        ]
    return f"| {' | '.join([mutant.rule, mutant.what, *cells])} |".replace("|  |", "| |").replace(
        "|  |", "| |"
    )


def documented() -> dict[str, Documented]:
    """The rows of the page by what is done to the rule."""
    head = f"| {' | '.join(HEAD)} |"
    lines = PAGE.read_text("utf-8").splitlines()
    assert head in lines, f"docs/exactness-rules.md has no table with the head {head}"
    found = {}
    for line in lines[lines.index(head) + 2 :]:
        if not line.startswith("|"):
            break
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        found[cells[1]] = Documented(cells[0], cells[1], cells)
    return found


@dataclass(frozen=True, slots=True)
class Stages:
    """Stages whose projector lacks a rule, each on a copy of its world that is made when it is asked for."""

    request: pytest.FixtureRequest
    stack: ExitStack
    patches: pytest.MonkeyPatch
    make_database: MakeDatabase
    lay_world: LayWorld
    mutant: Mutant
    made: dict[str, Stage]

    def of(self, world: World) -> Stage:
        """The stage of a world."""
        if world.name not in self.made:
            laid = self.lay_world(world)
            database = self.make_database(laid.database)
            conn = self.stack.enter_context(database.connect())
            filled = Platform(conn, first=1000)
            self.mutant.drop(Bench(self.request, self.stack, self.patches, filled))
            self.made[world.name] = self.stack.enter_context(staged(laid, database))
        return self.made[world.name]


MakeStages = Callable[[Mutant], Stages]


@pytest.fixture
def stages_without(
    request: pytest.FixtureRequest,
    make_database: MakeDatabase,
    lay_world: LayWorld,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeStages]:
    with ExitStack() as stack:

        def make(mutant: Mutant) -> Stages:
            # Laid while every rule is there.
            for world in WORLDS:
                lay_world(world)
            return Stages(request, stack, monkeypatch, make_database, lay_world, mutant, {})

        yield make


@pytest.mark.long
@pytest.mark.parametrize("mutant", SEARCHED, ids=lambda mutant: mutant.what)
def test_the_page_has_the_shortest_schedule_that_breaks_a_rule(
    stages_without: MakeStages, mutant: Mutant, report: Report
) -> None:
    played = 0

    def count() -> None:
        nonlocal played
        played += 1

    most = MORE_SWITCHES.get(mutant.what, MOST_SWITCHES)
    found = search(stages_without(mutant).of, most, count)
    row = row_of(mutant, found, played)
    report(f"{row}  ({played:,} schedules were played)")
    assert row in PAGE.read_text("utf-8").splitlines(), f"put this row into docs/exactness-rules.md:\n{row}"


@pytest.mark.long
@pytest.mark.parametrize("what", sorted(HARMLESS))
def test_a_rule_that_saves_costs_is_broken_by_no_schedule_that_changes_once(
    stages_without: MakeStages, what: str, report: Report
) -> None:
    played = 0

    def count() -> None:
        nonlocal played
        played += 1

    [mutant] = [mutant for mutant in MUTANTS if mutant.what == what]
    assert search(stages_without(mutant).of, 1, count) is None
    report(f"{row_of(mutant, None, played)}  ({played:,} schedules were played)")


@pytest.mark.parametrize("mutant", SEARCHED, ids=lambda mutant: mutant.what)
def test_the_schedule_of_the_page_breaks_the_rule(stages_without: MakeStages, mutant: Mutant) -> None:
    row = documented()[mutant.what]
    if row.schedule is None:
        assert "None of " in row.cells[4]
        return
    expected = row.broken
    word = word_of_story(row.schedule)
    [world] = [world for world in WORLDS if world.name == expected.world]
    found = play(stages_without(mutant).of(world), expected.mode, cast_of(word), word)
    assert found == expected
    assert row.cells[2] == str(expected.switches)


def test_the_schedules_of_the_page_break_nothing_while_every_rule_is_there(lay_world: LayWorld) -> None:
    rows = [row for row in documented().values() if row.schedule is not None]
    assert len(rows) > len(SEARCHED) // 2
    for row in rows:
        word = word_of_story(row.schedule or "")
        [world] = [world for world in WORLDS if world.name == row.broken.world]
        with staged(lay_world(world)) as stage:
            found = play(stage, row.broken.mode, cast_of(word), word)
        assert found is None, f"{row.what}: {found}"


def test_the_page_has_a_row_for_each_mutant() -> None:
    rows = documented()
    assert [(row.rule, row.what) for row in rows.values()] == [(one.rule, one.what) for one in MUTANTS]
    lines = PAGE.read_text("utf-8").splitlines()
    for mutant in MUTANTS:
        if mutant not in SEARCHED:
            assert row_of(mutant, None, 0) in lines, (
                f"put this row into docs/exactness-rules.md:\n{row_of(mutant, None, 0)}"
            )


def test_each_mutant_is_searched_or_left_out_for_a_reason() -> None:
    named = {mutant.what for mutant in MUTANTS}
    assert set(BEYOND) <= named
    assert named >= HARMLESS
    assert not [mutant.what for mutant in MUTANTS if mutant.what in HARMLESS and beyond(mutant)]


def test_words_are_all_orders_with_so_many_changes() -> None:
    steps = {"A": 2, "W": 2}
    assert sorted(words(steps, 1)) == ["AAWW", "WWAA"]
    assert sorted(words(steps, 2)) == ["AWWA", "WAAW"]
    assert sorted(words(steps, 3)) == ["AWAW", "WAWA"]
    assert list(words(steps, 4)) == []
    assert list(words({"W": 3}, 0)) == ["WWW"]


def test_a_story_is_read_as_the_schedule_that_it_tells() -> None:
    story = "A take find · W 1 (waits) · A lock (waits, W goes on) recompute · B take"
    assert word_of_story(story) == "AAWAAB"
    assert cast_of("AAWAAB") == "ABW"
    assert cast_of("WWA") == "AW"
