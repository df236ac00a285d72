"""The harness and its checker: what is well is found well, and each planted bug is found."""

from pathlib import Path
from pkgutil import resolve_name

import pytest

from projector.database.schema import ROOT
from tests.conftest import MakeDatabase
from tests.consistency import checker, workload
from tests.consistency.__main__ import World, record, whole_world
from tests.consistency.planted import BUGS
from tests.support.server import Database


@pytest.fixture
def database(make_database: MakeDatabase, built_template: Database) -> Database:
    made = make_database(built_template)
    with made.connect() as conn:
        workload.prepare(conn)
    return made


def run(database: Database, folder: Path, seconds: float, bug: str = "", apis: int = 2) -> checker.Judge:
    """Record a history on one database, and judge it."""
    world = World(folder, bug)
    world.add("platform", database.url, apis=apis, projectors=1)
    with world.running():
        record(world, folder / "history", seconds, seed=1)
    return checker.judge(folder / "history")


def test_a_short_run_keeps_all_promises(database: Database, tmp_path: Path) -> None:
    judged = run(database, tmp_path, 2, apis=1)
    assert judged.faults == []
    assert {"walks over pages", "changes of the feed", "statistics"} <= set(judged.counts["judged"])


def test_each_bug_has_its_place() -> None:
    for path, change in ((path, change) for _, changes in BUGS.values() for path, change in changes.items()):
        if isinstance(change, tuple):
            assert change[0] in (ROOT / "sql" / f"{path}.sql").read_text("utf-8")
        else:
            assert callable(resolve_name(path))


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(database: Database, tmp_path: Path, bug: str) -> None:
    judged = run(database, tmp_path, 12, bug)
    assert BUGS[bug][0] in {promise for promise, _ in judged.faults}


@pytest.mark.long
def test_the_whole_world_keeps_all_promises_under_faults(tmp_path: Path) -> None:
    with whole_world(tmp_path) as world:
        record(world, tmp_path / "history", 60, seed=2, harm=True)
    assert checker.judge(tmp_path / "history").faults == []
