"""The harness and its checker: what is well is found well, and each planted bug is found."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeDatabase
from tests.consistency import checker, workload
from tests.consistency.__main__ import World, record, whole_world
from tests.consistency.planted import BUGS
from tests.support.server import Database

Line = dict[str, Any]


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


AT = [f"2025-01-01T00:00:0{second}.000000Z" for second in range(10)]
# Within a millisecond of the second: an X-Data-As-Of does not tell them apart.
SOON = "2025-01-01T00:00:01.000009Z"


def lead(number: int, status: str = "Hot", phone: str = "1") -> Line:
    times = {"last_message_at": AT[0], "first_contact_at": AT[0], "platforms": ["whatsapp"]}
    return {"customer_phone": phone, "name": f"v{number}-{number}", "lead_status": status, **times}


def write(number: int, outcome: str = "ok", phone: str = "1", *, alive: bool = True) -> Line:
    """A write that began in the second of its number."""
    line = {"kind": "write", "op": number, "tenant": "t", "isolation": "serializable", "outcome": outcome}
    at = {"began": number, "ended": number + 0.5, "at": AT[number] if outcome == "ok" else None}
    return {**line, **at, "leads": [[phone, number, alive, "Hot"]]}


def read(as_of: int, *leads: Line, kind: str = "read", **more: object) -> Line:
    line = {"kind": kind, "tenant": "t", "node": "a", "what": "list", "whole": True, "leads": leads}
    times = {"sent": 9, "received": 9, "status": 200, "as_of": AT[as_of], "min_as_of": None, "session": None}
    return {**line, **times, **more}


def feed(what: str, *leads: Line) -> Line:
    more = {"follower": "f", "since": "a", "next": "a", "changes": [], "hasMore": False}
    return read(1, *leads, kind="feed", what=what, **more)


def walk(*leads: Line) -> Line:
    return read(5, kind="walk", order="asc", pages=[read(5, one) for one in leads])


def stats(**numbers: int) -> Line:
    found = {**checker.count([lead(1)], datetime.fromisoformat(AT[9])), **numbers}
    return read(1, kind="stats", before=[lead(1)], after=[lead(1)], stats=found, hot=1, now=AT[9])


W1, W2, OTHER = write(1), write(2), write(3, phone="2")
COPY = (feed("begin"), feed("export", lead(1)))
HISTORIES: dict[str, tuple[str, list[Line]]] = {
    "the newest write": ("", [W1, W2, read(3, lead(2))]),
    "a newer one than it has to": ("", [W1, W2, read(1, lead(2))]),
    "a part of a newer one": ("", [W1, write(2, alive=False), write(3), read(1, {**lead(3), "name": None})]),
    "a part of an older one": ("as-of", [W1, read(1, {**lead(1), "name": None})]),
    "an older one than it has to": ("as-of", [W1, W2, read(2, lead(1))]),
    "no lead": ("as-of", [W1, read(2)]),
    "a deleted lead": ("as-of", [W1, write(2, alive=False), read(2, lead(1))]),
    "no deleted lead": ("", [W1, write(2, alive=False), read(2)]),
    "what was rolled back": ("as-of", [W1, write(2, "aborted"), read(1, lead(2))]),
    "what may have been committed": ("", [W1, write(2, "unknown"), read(3, lead(2))]),
    "what is written later": ("as-of", [W1, W2, read(1, lead(2), received=1.9)]),
    "another status": ("as-of", [W1, read(1, lead(1, "Cold"))]),
    "the state before a write": ("min_as_of", [W1, {**W2, "at": SOON}, read(1, lead(1), min_as_of=SOON)]),
    "an earlier as-of than was asked for": ("min_as_of", [W1, read(1, lead(1), min_as_of=AT[2])]),
    "an older write than before": ("session", [W1, W2, *(read(1, lead(n), session="s") for n in (2, 1))]),
    "an earlier as-of than before": ("session", [W1, *(read(n, lead(1), session="s") for n in (2, 1))]),
    "a copy": ("", [W1, *COPY, feed("list", lead(1)), feed("changes")]),
    "a copy that missed a change": ("feed", [W1, feed("begin"), feed("export"), feed("changes")]),
    "another copy than the list": ("feed", [W1, *COPY, feed("list", lead(2)), feed("changes")]),
    "pages": ("", [W1, OTHER, walk(lead(1), lead(3, phone="2"))]),
    "a lead on two pages": ("pages", [W1, walk(lead(1), lead(1))]),
    "a lead on no page": ("pages", [W1, OTHER, walk(lead(1))]),
    "statistics": ("", [W1, stats()]),
    "other statistics": ("statistics", [W1, stats(hot_leads=2)]),
}


@pytest.mark.parametrize("shows", HISTORIES)
def test_the_checker_judges_an_answer(tmp_path: Path, shows: str) -> None:
    promise, lines = HISTORIES[shows]
    (tmp_path / "history").write_text("\n".join(map(json.dumps, lines)))
    assert {broken for broken, _ in checker.judge(tmp_path / "history").faults} == {promise} - {""}
