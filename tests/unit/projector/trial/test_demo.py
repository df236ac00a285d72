"""The demo data: the same every time, any number of tenants, nothing left empty, and refusals.

`tests/acceptance/test_reference.py` shows that the reference's tenant is as printed.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.rows import TupleRow

from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.errors import ProjectorError, SourceMissingError
from projector.report.progress import QUIET, Lines
from projector.trial import demo
from tests.oracle import read_model
from tests.support.server import Database, Server

NOW = datetime(2026, 11, 25, 21, 25, 54, 387_000, tzinfo=UTC)
SOMETIMES_EMPTY = {
    "conversations": {"last_message_at", "is_active"},
    "extractions": {*demo.TABLES["extractions"][6:]},
    "contacts": {"name", "email", "company", "updated_at", "tags", "opted_out", "source"},
    "template_sends": {"conversation_id", "sent_at"},
}
"""Columns that the demo has nothing for in some rows."""


class Interrupted(Lines):
    """Progress that stops a load in the middle."""

    def advance(self, n: int) -> None:
        super().advance(n)
        if self._done > 150:
            raise KeyboardInterrupt


def load(conn: Connection, **options: Any) -> demo.DemoReport:  # noqa: ANN401  # As the function itself.
    small = {"now": NOW, "progress": QUIET, "leads": 100, "messages_per_lead": 5}
    return demo.load(conn, **{**small, **options})


def rows(conn: Connection, query: str, *parameters: object) -> list[TupleRow]:
    return conn.execute(query.encode(), parameters or None).fetchall()


def count(conn: Connection, what: str) -> int:
    return int(rows(conn, f"SELECT count(*) FROM (SELECT 1 FROM {what}) AS found")[0][0])


def contents(conn: Connection) -> dict[str, list[TupleRow]]:
    return {
        table: rows(conn, f'SELECT {", ".join(columns)} FROM {table} ORDER BY {columns[0]}::text COLLATE "C"')
        for table, columns in demo.TABLES.items()
    }


@pytest.fixture(scope="module")
def full(server: Server, source_template: Database) -> Iterator[Connection]:
    """A database with the demo in its usual size; only to be read."""
    database = server.create("demo", template=source_template.name)
    with database.connect() as conn:
        demo.load(conn, now=NOW, progress=QUIET)
        yield conn
    server.drop(database)


@pytest.fixture
def source(source_database: Database) -> Iterator[Connection]:
    """Empty source tables."""
    with source_database.connect() as conn:
        yield conn


def test_same_seed_and_moment_make_the_same_rows_and_others_do_not(
    make_database: Callable[[Database | None], Database], source_template: Database
) -> None:
    def loaded(seed: int, now: datetime) -> dict[str, list[TupleRow]]:
        with make_database(source_template).connect() as conn:
            load(conn, seed=seed, now=now)
            load(conn, tenants=2, leads=30, seed=seed, now=now)
            return contents(conn)

    report = loaded(1, NOW)
    assert loaded(1, NOW) == report
    other = loaded(2, NOW)
    # A table that the demo leaves empty is so in each.
    assert [table for table in report if report[table] == other[table] != []] == []
    # The reference's tenant is the same.
    assert len(set(report["messages"]) & set(other["messages"])) == 37 + 6 + 3
    # Everything but the printed lead moves with the moment.
    later = loaded(1, NOW + timedelta(days=10, seconds=7))["messages"]
    times = {message_id: at for message_id, *_, at, _, _ in report["messages"]}
    same = [at for message_id, *_, at, _, _ in later if times.get(message_id) == at]
    assert len(same) == 37
    texts = [[(row[1], row[3], row[6]) for row in messages] for messages in (report["messages"], later)]
    assert sorted(texts[0]) == sorted(texts[1])


def test_benchmark_tenants_have_the_asked_size_and_come_beside_others(source: Connection) -> None:
    load(source, leads=20)
    report = load(source, tenants=3, leads=400, messages_per_lead=8)
    model = read_model(source)
    assert {len(model.leads[user_id]) for user_id in report.user_ids} == {400}
    assert report.leads == 1200
    assert report.messages == pytest.approx(1200 * 8, rel=0.1)
    per_lead = sorted((len(lead.messages) for lead in model.all_leads()), reverse=True)
    assert sum(per_lead[:120]) > 0.35 * report.messages
    before = contents(source)
    with pytest.raises(ProjectorError, match=r"already there: .* Nothing was loaded"):
        load(source, tenants=4, leads=400, messages_per_lead=8)
    with pytest.raises(ProjectorError, match=demo.REFERENCE_USER_ID):
        load(source, seed=2)
    assert contents(source) == before
    others: list[dict[str, Any]] = [{"seed": 2}, {"leads": 21}, {"messages_per_lead": 0}]
    reports = [load(source, **{"tenants": 1, "leads": 20, **other}) for other in others]
    assert len({*report.user_ids, *(user_id for report in reports for user_id in report.user_ids)}) == 6
    assert reports[-1].messages == 0


def test_progress_adds_up_and_an_interrupted_demo_leaves_nothing(source: Connection) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(source, leads=1000, messages_per_lead=200, progress=Interrupted())
    assert count(source, "users") == 0
    said: list[str] = []
    assert load(source, leads=250, progress=Lines(said.append)).leads == 254
    assert (said[0], said[-1].partition(" in ")[0]) == (
        "Loading demo leads: 254 leads",
        "Loading demo leads: 254 of 254 leads",
    )
    # The planner knows of the rows.
    assert count(source, "pg_class WHERE oid = 'messages'::regclass AND reltuples > 0") == 1


def test_what_cannot_be_loaded_is_refused(source: Connection, empty_database: Database) -> None:
    source.execute("INSERT INTO users (user_id) VALUES ('somebody')")
    source.execute("INSERT INTO phone_numbers (id, user_id) VALUES ('test-phone-001', 'somebody')")
    with pytest.raises(ProjectorError, match="test-phone-001"):
        load(source)
    assert rows(source, "SELECT user_id FROM users") == [("somebody",)]
    with empty_database.connect() as conn, pytest.raises(SourceMissingError, match=r"users.*--create-source"):
        load(conn)
    source.execute("DELETE FROM users")
    source.execute("DROP TABLE contacts")
    migrate(source, create_source=False)
    with pytest.raises(SourceMissingError, match=r"contacts.*--create-source"):
        load(source)


def test_what_a_platform_demands_and_the_demo_lacks_is_named(source: Connection) -> None:
    source.execute("ALTER TABLE agents ADD COLUMN region text NOT NULL")
    for tenants in (0, 2):
        with pytest.raises(SourceMissingError, match=r'"region" of relation "agents".*--create-source'):
            load(source, tenants=tenants)
        assert count(source, "users") == 0


def test_the_demo_ends_at_now(full: Connection) -> None:
    [(newest, latest)] = rows(
        full,
        "SELECT max(m.timestamp), greatest(max(m.timestamp), (SELECT max(extracted_at) FROM extractions),"
        " (SELECT max(updated_at) FROM contacts), (SELECT max(sent_at) FROM template_sends)) FROM messages AS m",
    )
    now = NOW.replace(tzinfo=None)
    assert now - timedelta(seconds=10) < newest <= latest <= now


def test_the_demo_leaves_nothing_else_empty(full: Connection) -> None:
    for table, columns in demo.TABLES.items():
        for column in {*columns} - SOMETIMES_EMPTY.get(table, set()):
            assert count(full, f'{table} WHERE "{column}" IS NULL') == 0, (table, column)
