"""`explain` reads by indexes only: the rows of its lead, and a bounded part of the queue."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from projector.core import staging
from projector.database.rows import Connection
from projector.operate import explain as explaining
from projector.operate.explain import EXAMINED_CHANGES
from tests.plans.conftest import TALK, Crowd, Plan, read_plan

# What a lead of the demo has besides a long talk, and what is looked up once.
FEW = 250
VARIANTS = 3000
WAITING = 30_000


class ExplainingCursor(psycopg.Cursor[Any]):
    """Notes the plan of each statement that it executes."""

    plans: list[tuple[str, Plan]]

    def execute(self, query: Any, params: Any = None, **options: Any) -> "ExplainingCursor":  # noqa: ANN401  # As psycopg.
        text = query if isinstance(query, str) else query.decode()
        if text.startswith(("SELECT", "WITH", "INSERT", "(")):
            with psycopg.Cursor(self.connection, row_factory=tuple_row) as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {text}", params, prepare=False)
                [([plan],)] = cursor.fetchall()
            self.plans.append((text, read_plan(plan["Plan"])))
        # Those that write to staging tables are done by now.
        if "INSERT INTO" not in text:
            super().execute(query, params, **options)
        return self


@pytest.fixture
def session(crowd: Crowd) -> Iterator[Connection]:
    ExplainingCursor.plans = []
    with crowd.database.connect() as conn:
        explaining.prepare(conn)
        conn.cursor_factory = ExplainingCursor
        yield conn


def check(most: int) -> None:
    assert len(ExplainingCursor.plans) >= 10
    for text, plan in ExplainingCursor.plans:
        # A table of one row has nothing that an index could spare, nor have the staging tables.
        assert plan.sequential <= {"projection", "explained_keys", *staging.TABLES}, text
        assert plan.rows <= most, text


def test_a_lead_with_a_long_talk_is_read_by_index(crowd: Crowd, session: Connection) -> None:
    with session.transaction():
        explanation = explaining.explain_in(session, crowd.large, crowd.talker, candidates=3)
    assert explanation.state == "current"
    # The statement that computes the lead reads its messages for the totals, again for the last one, and for who waits.
    # Each is a row, and an entry of the index too where the planner takes a bitmap.
    check(2 * 3 * TALK + FEW)


def test_a_long_queue_is_looked_at_up_to_a_bound(crowd: Crowd, session: Connection) -> None:
    with session.transaction(force_rollback=True):
        with psycopg.Cursor(session) as cursor:
            cursor.execute(
                "INSERT INTO projector.changes (shard, kind, keys)"
                " SELECT n %% 4, 'conversations', ARRAY['none-' || n] FROM generate_series(1, %s) AS n",
                (WAITING,),
            )
        explanation = explaining.explain_in(session, crowd.large, crowd.talker, candidates=3)
    assert "More than 10,000 changes wait" in " ".join(explanation.sentences)
    # A key that waits is looked for in the source and in the keys of the projector.
    check(4 * EXAMINED_CHANGES + 4 * TALK)


def test_a_lead_that_is_not_there_is_looked_for_by_index(crowd: Crowd, session: Connection) -> None:
    with session.transaction():
        explanation = explaining.explain_in(session, crowd.large, f"00{crowd.talker}", candidates=3)
    assert crowd.talker in explanation.nearest
    check(VARIANTS)


def test_the_object_is_small_whatever_the_lead_has(crowd: Crowd) -> None:
    with crowd.database.connect() as conn:
        explanation = explaining.explain_lead(conn, crowd.large, crowd.talker)
    assert len(json.dumps(asdict(explanation))) < 60_000
