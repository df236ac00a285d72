"""The harness and its checker: what is well is found well, and each planted bug is found."""

from pathlib import Path
from pkgutil import resolve_name

import pytest

from projector.database.schema import ROOT
from tests.conftest import MakeDatabase
from tests.consistency import checker, planted, workload
from tests.consistency.__main__ import HARMS, World, record, whole_world
from tests.consistency.planted import BUGS
from tests.support.cases import cases
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


@pytest.mark.thorough
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


AT = "2025-01-01T10:00:00.000Z"


def _history_of_statuses(written: str, *answers: str) -> list[checker.Line]:
    """Return a history: an extraction has these statuses, each write a second after the other, and then answers.

    A follower begins after the first write. A word of an answer is a status that is told, after `!` as withdrawn, and
    `+` says that there is more. After `?` it is what is told since the beginning, read once more.
    """
    lines: list[checker.Line] = []
    for number, status in enumerate(written.split(), 1):
        of_lead = ["t", "p", number, True, status, [["a", "2025-01-01T10:00:00.0004", True, status]]]
        times = {"began": number, "ended": number + 0.1, "at": f"2026-01-01T00:00:0{number}Z"}
        lines.append(
            {"kind": "write", "op": 0, "isolation": "", "outcome": "ok", **times, "leads": [of_lead]}
        )
    shared = {"kind": "feed", "node": "platform 0", "tenant": "t", "feed": checker.STATUSES, "follower": "f"}
    for place, answer in enumerate(("begin", "export", *answers)):
        seconds = max(1.5, place + 0.5)
        line = {**shared, "status": 200, "sent": seconds, "received": seconds, "is_kept": True}
        line |= {"as_of": f"2026-01-01T00:00:0{seconds}Z", "since": str(place - 1), "what": answer}
        told = [["p", "a", status.strip("!"), AT, "!" in status] for status in answer.split() if status[1:]]
        if answer == "export":
            line |= {"leads": [["p", "a", "Cold", AT]], "total": 1}
        else:
            line |= {"next": str(place or 1), "hasMore": "+" in answer, "changes": told if place else []}
        if place > 1:
            line["what"] = "old" if "?" in answer else "changes"
            line["since"] = "1" if "?" in answer else line["since"]
        lines.append(line)
    return lines


@cases(
    ("answers", "broken"),
    [
        (("!Cold Warm", "!Warm Hot"), set()),
        (("!Cold Warm", "!Warm Hot", "? !Cold !Warm Hot"), set()),
        (("!Cold Warm", "Hot"), {"statuses"}),
        (("!Cold Warm", "!Warm"), {"statuses"}),
        (("!Cold Warm", "!Warm Hot Hot"), {"once"}),
        (("!Cold Warm", "!Warm !Warm Hot"), {"once"}),
        (("+", "!Warm Hot Warm !Warm !Cold"), {"order"}),
        (("!Cold Warm", "!Warm Hot", "? !Cold Hot !Warm"), {"order"}),
        (("!Cold Warm", "!Warm Hot Tepid !Tepid"), {"true"}),
        (("!Cold Warm", "!Warm !Tepid Hot"), {"true"}),
    ],
)
def test_what_a_feed_of_statuses_does_wrongly_is_found(answers: tuple[str, ...], broken: set[str]) -> None:
    lines = _history_of_statuses("Cold Warm Hot", *answers)
    judged = checker.Judge().read(lambda: lines)
    assert {promise for promise, _ in judged.faults} == broken, judged.faults


@cases(
    ("again", "broken"),
    [("!Warm Warm", set()), ("!Warm !Cold Warm", set()), ("Warm", {"once"}), ("!Cold Warm", {"once"})],
)
def test_a_change_that_comes_again_was_withdrawn_before(again: str, broken: set[str]) -> None:
    lines = _history_of_statuses("Cold Warm Cold Warm", "!Cold Warm", "+", again)
    judged = checker.Judge().read(lambda: lines)
    assert {promise for promise, _ in judged.faults} == broken, judged.faults
    assert judged.counts["judged"]["changes of statuses that were told, withdrawn and told"] == (not broken)


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
