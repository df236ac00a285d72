"""The harness and its checker: what is well is found well, and each planted bug is found."""

from pathlib import Path
from pkgutil import resolve_name

import pytest

from projector.database.schema import ROOT
from tests.conftest import MakeDatabase
from tests.consistency import checker, planted, workload
from tests.consistency.__main__ import HARMS, World, record, whole_world
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
    world, harms = World(folder, bug), [harm for word, harm in planted.NEEDED.items() if f" {word}" in bug]
    world.add("platform", database.url, apis=apis, projectors=1)
    if "detach" in harms:
        with database.connect() as conn:
            conn.execute(workload.PARTITION.encode(), prepare=False)
        assert world.run("platform", "projector", "migrate")[0] == 0
    with world.running():
        record(world, folder / "history", seconds, 1, harms)
    return checker.judge(folder / "history")


def test_a_short_run_keeps_all_promises(database: Database, tmp_path: Path) -> None:
    judged = run(database, tmp_path, 2, apis=1)
    assert judged.faults == []
    assert {
        "walks over pages",
        "changes of the feed",
        "statistics",
        "changes of statuses of the feed",
        "copies of statuses at the end",
    } <= set(judged.counts["judged"])
    # The screen and the file have the same numbers.
    assert checker.report(judged) == checker.report(judged)


def test_each_bug_has_its_place() -> None:
    for path, change in ((path, change) for _, changes in BUGS.values() for path, change in changes.items()):
        if isinstance(change, tuple):
            assert change[0] in (ROOT / "sql" / f"{path}.sql").read_text("utf-8")
        else:
            assert resolve_name(path)


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(database: Database, tmp_path: Path, bug: str) -> None:
    promise, _ = BUGS[bug]
    if promise == "failover":
        with whole_world(tmp_path, bug) as world:
            assert world.run("platform", "projector", "migrate")[0] == 0
            record(world, tmp_path / "history", 30, 1, ["fail_over", "kill"])
        judged = checker.judge(tmp_path / "history")
    else:
        is_seldom = any(f" {word}" in bug for word in planted.NEEDED)
        seconds = 60 if promise == "credentials" or "erasure" in bug else 30 if is_seldom else 12
        judged = run(database, tmp_path, seconds, bug)
    assert promise in {broken for broken, _ in judged.faults}


@pytest.mark.long
def test_the_whole_world_keeps_all_promises_under_faults(tmp_path: Path) -> None:
    with whole_world(tmp_path) as world:
        record(world, tmp_path / "history", 60, 2, HARMS)
    judged = checker.judge(tmp_path / "history")
    assert judged.faults == []
    assert judged.counts["judged"]["changes of an event stream"] > 0
