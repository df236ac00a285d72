"""Loading: the same rows every time, any number of tenants, progress and refusals."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from projector.database.schema import sections
from projector.report.errors import ProjectorError, SourceMissingError
from projector.trial import demo
from projector.trial.demo.source_rows import TABLES
from tests.support.server import Database
from tests.unit.projector.demo.loaded import TODAY, Connection, contents, load, one, rows


class Recorder:
    """Progress that can be looked at, and that can stop a load in the middle."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.total = 0
        self.done = 0
        self.finished = False
        self.stop_after = stop_after

    def start(self, title: str, total: int, unit: str) -> None:
        assert title
        assert unit == "leads"
        self.total = total

    def advance(self, n: int) -> None:
        self.done += n
        if self.stop_after is not None and self.done > self.stop_after:
            raise KeyboardInterrupt

    def finish(self) -> None:
        self.finished = True


def test_same_seed_and_day_make_the_same_rows(
    make_database: Callable[[Database | None], Database], source_template: Database
) -> None:
    found = []
    for _ in range(2):
        with make_database(source_template).connect() as conn:
            load(conn)
            load(conn, tenants=2, leads=30)
            found.append(contents(conn))
    assert found[0] == found[1]


def test_another_seed_makes_other_rows_but_the_same_reference_tenant(
    make_database: Callable[[Database | None], Database], source_template: Database
) -> None:
    found = []
    for seed in (1, 2):
        with make_database(source_template).connect() as conn:
            load(conn, seed=seed)
            found.append(contents(conn))
    for table in TABLES:
        first, second = set(found[0][table]), set(found[1][table])
        assert first != second or table == "users", table
    ids = [{message_id for message_id, *_ in contents["messages"]} for contents in found]
    reference = ids[0] & ids[1]
    assert len(reference) == 37 + 6 + 3


def test_everything_but_the_printed_lead_moves_with_the_day(
    make_database: Callable[[Database | None], Database], source_template: Database
) -> None:
    found = []
    for day in (TODAY, TODAY + timedelta(days=10)):
        with make_database(source_template).connect() as conn:
            load(conn, today=day)
            found.append(
                rows(
                    conn,
                    """
                    SELECT conversation_id, sequence_no, text, timestamp FROM messages
                    ORDER BY conversation_id COLLATE "C", sequence_no
                    """,
                )
            )
    for before, after in zip(*found, strict=True):
        printed = before[0] == "b1a93252-f8c6-448f-a765-195eea996d9a"
        moved = timedelta(0) if printed else timedelta(days=10)
        assert (*before[:3], before[3] + moved) == after


@pytest.mark.parametrize("declared", ["timestamp", "timestamptz"])
def test_times_are_utc_whatever_the_session_and_the_columns(empty_database: Database, declared: str) -> None:
    source = re.sub(r"(?<=\w )timestamp\b", declared, sections()["source"])
    with empty_database.connect() as conn:
        conn.execute(source.encode())
        conn.execute("SET TimeZone = 'Asia/Kolkata'")
        conn.execute("SET DateStyle = 'SQL, DMY'")
        load(conn, leads=10)
        conn.execute("SET TimeZone = 'UTC'")
        at = one(
            conn,
            "SELECT to_char(timestamp, 'YYYY-MM-DD HH24:MI:SS.MS') FROM messages WHERE message_id = %s",
            "out-1759645300741-hij9fvlyv",
        )
    assert at == "2025-10-05 06:21:42.667"


def test_benchmark_tenants_have_the_asked_size_and_nothing_comes_with_them(source: Connection) -> None:
    report = load(source, tenants=3, leads=400, messages_per_lead=8)
    leads = rows(source, "SELECT user_id, count(DISTINCT lead) FROM canonical GROUP BY user_id")
    assert sorted(leads) == sorted((user_id, 400) for user_id in report.user_ids)
    assert demo.REFERENCE_USER_ID not in report.user_ids
    assert report.leads == 1200
    assert report.messages == pytest.approx(1200 * 8, rel=0.1)
    for table in TABLES:
        assert report.rows[table] == one(source, f"SELECT count(*) FROM {table}"), table


def test_further_tenants_come_beside_those_that_are_there(source: Connection) -> None:
    reports = [
        load(source),
        load(source, tenants=2, leads=20),
        load(source, tenants=2, leads=20, seed=2),
        load(source, tenants=1, leads=21),
        load(source, tenants=1, leads=20, messages_per_lead=6),
    ]
    user_ids = [user_id for report in reports for user_id in report.user_ids]
    assert len(set(user_ids)) == 8
    assert one(source, "SELECT count(*) FROM users") == 8


def test_a_tenant_that_is_there_is_refused(source: Connection) -> None:
    load(source, tenants=1, leads=20)
    before = contents(source)
    with pytest.raises(ProjectorError, match=r"already there: .* Nothing was loaded"):
        load(source, tenants=3, leads=20)
    assert contents(source) == before


def test_the_demo_is_refused_when_it_is_there(source: Connection) -> None:
    load(source)
    with pytest.raises(ProjectorError, match=demo.REFERENCE_USER_ID):
        load(source, seed=2)


def test_rows_of_others_with_the_same_ids_are_kept(source: Connection) -> None:
    source.execute("INSERT INTO users (user_id) VALUES ('somebody')")
    source.execute("INSERT INTO phone_numbers (id, user_id) VALUES ('test-phone-001', 'somebody')")
    with pytest.raises(ProjectorError, match="test-phone-001"):
        load(source)
    assert rows(source, "SELECT user_id FROM users") == [("somebody",)]


def test_progress_adds_up(source: Connection) -> None:
    progress = Recorder()
    report = load(source, leads=250, progress=progress)
    assert progress.done == progress.total == report.leads == 254
    assert progress.finished


def test_a_demo_that_is_interrupted_leaves_nothing(source: Connection) -> None:
    progress = Recorder(stop_after=150)
    with pytest.raises(KeyboardInterrupt):
        load(source, leads=1000, messages_per_lead=200, progress=progress)
    assert progress.finished
    assert one(source, "SELECT count(*) FROM users") == 0
    load(source, leads=10)


def test_the_planner_knows_of_the_rows(source: Connection) -> None:
    load(source, leads=10)
    assert one(source, "SELECT reltuples FROM pg_class WHERE oid = 'messages'::regclass") > 0


def test_missing_source_tables_are_named(empty_database: Database) -> None:
    with empty_database.connect() as conn, pytest.raises(SourceMissingError, match=r"users.*--create-source"):
        load(conn)


@pytest.mark.parametrize(
    "sizes",
    [{"tenants": -1}, {"leads": 0}, {"messages_per_lead": -1.0}, {"messages_per_lead": float("nan")}],
    ids=str,
)
def test_sizes_that_make_no_sense_are_refused(source: Connection, sizes: dict[str, Any]) -> None:
    with pytest.raises(ProjectorError, match="No demo has"):
        load(source, **sizes)
    assert one(source, "SELECT count(*) FROM users") == 0
