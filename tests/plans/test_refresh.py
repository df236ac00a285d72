"""What a refresh reads: by index the platform's tables, whose functions are inlined, and few rows of statistics."""

import re
from collections.abc import Iterator
from typing import Any

from projector.core import pipeline
from projector.database import locks
from projector.database.schema import ROOT
from projector.database.sql import statement, steps
from tests.plans.conftest import Crowd, read_plan
from tests.support.running import value
from tests.support.source import SOURCE_TABLES

_CALL = re.compile(r"projector\.(?:source|current)_\w+\(\)")
SOURCE = {table.name for table in SOURCE_TABLES}


def statements() -> Iterator[tuple[str, str]]:
    """The steps of a refresh that read the platform's tables."""
    for folder in sorted(path.name for path in (ROOT / "sql" / "refresh").iterdir()):
        for step in steps(f"refresh/{folder}"):
            if _CALL.search(text := step.text.decode()):
                yield step.name, text.replace("%(careful)s", "true")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def test_every_call_is_inlined_and_reads_by_index(crowd: Crowd) -> None:
    seen = []
    with crowd.database.connect() as conn:
        pipeline.prepare_session(conn)
        for name, text in statements():
            [plan] = value(conn, f"EXPLAIN (FORMAT JSON) {text}")
            scans = [node for node in nodes(plan["Plan"]) if "Scan" in node["Node Type"]]
            assert [
                node for node in scans if _CALL.match(f"projector.{node.get('Function Name')}()")
            ] == [], name
            read = [node for node in scans if node.get("Relation Name") in SOURCE]
            assert [node for node in read if node["Node Type"] == "Seq Scan"] == [], name
            seen += read
    assert len(seen) > 10


def test_a_batch_is_opened_without_a_look_through_the_queue(crowd: Crowd) -> None:
    opening = statement("refresh/1_take/20_open_batch")
    parameters = {
        "shards": [*locks.SHARDS],
        "staging_tables": [],
        "truncate_above_bytes": 0,
        "leave_below_bytes": 0,
        "least_clock": None,
    }
    with crowd.database.connect() as conn:
        pipeline.prepare_session(conn)
        with conn.transaction(force_rollback=True):
            conn.execute(
                "INSERT INTO projector.changes (shard, bulk, kind, keys) SELECT n % 4, n % 2 = 0, 'none', '{}'"
                " FROM generate_series(1, 20000) AS n"
            )
            explained = conn.execute(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {opening}".encode(), parameters
            )
            [[[root]]] = explained.fetchall()
    plan = read_plan(root["Plan"])
    assert "changes" not in plan.sequential
    assert plan.rows < 1000, root


_COLUMNS = (
    "user_id, customer_phone, last_message_at, lead_status, total_score, on_whatsapp, on_instagram, on_webchat,"
    " has_extraction, has_email"
)
_LEFT = (
    f"INSERT INTO old_leads ({_COLUMNS}) SELECT {_COLUMNS} FROM read_model.leads WHERE user_id = %s LIMIT 1"
)


def test_an_empty_row_of_the_statistics_is_looked_up(crowd: Crowd) -> None:
    """A lead that leaves a combination has the rows of its own day looked through, and no others."""
    [delete] = [
        text
        for step in steps("refresh/8_write_leads")
        if (text := step.text.decode()).startswith("DELETE FROM read_model.lead_daily_counts")
    ]
    with crowd.database.connect() as conn:
        pipeline.prepare_session(conn)
        with conn.transaction(force_rollback=True):
            conn.execute(_LEFT.encode(), (crowd.large,))
            [root] = value(conn, f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {delete}")
            of_the_day = value(
                conn,
                "SELECT count(*) FROM read_model.lead_daily_counts AS c INNER JOIN lead_moves AS m USING (user_id)"
                " WHERE c.day = (m.last_message_at AT TIME ZONE 'UTC')::date",
            )
    plan = read_plan(root["Plan"])
    assert plan.sequential <= {"new_leads", "old_leads"}
    assert plan.rows <= of_the_day + 10, root
