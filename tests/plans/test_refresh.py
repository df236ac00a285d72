"""A lead that leaves a combination of the statistics has the rows of its own day looked through, and no others."""

import json

from projector.core import pipeline
from projector.database.sql import steps
from tests.plans.conftest import Crowd, read_plan

_COLUMNS = (
    "user_id, customer_phone, last_message_at, lead_status, total_score, on_whatsapp, on_instagram, on_webchat,"
    " has_extraction, has_email"
)
_LEFT = (
    f"INSERT INTO old_leads ({_COLUMNS}) SELECT {_COLUMNS} FROM read_model.leads WHERE user_id = %s LIMIT 1"
)


def test_an_empty_row_of_the_statistics_is_looked_up(crowd: Crowd) -> None:
    [delete] = [
        step.text
        for step in steps("refresh/8_write_leads")
        if step.text.startswith(b"DELETE FROM read_model.lead_daily_counts")
    ]
    with crowd.database.connect() as conn:
        pipeline.prepare_session(conn)
        with conn.transaction(force_rollback=True):
            conn.execute(_LEFT.encode(), (crowd.large,))
            row = conn.execute(b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + delete).fetchone()
            day = conn.execute(
                "SELECT count(*) FROM read_model.lead_daily_counts AS c INNER JOIN lead_moves AS m USING (user_id)"
                " WHERE c.day = (m.last_message_at AT TIME ZONE 'UTC')::date"
            ).fetchone()
        assert row is not None
        assert day is not None
        plan = read_plan(row[0][0]["Plan"])
        assert plan.sequential <= {"new_leads", "old_leads"}
        assert plan.rows <= day[0] + 10, json.dumps(row[0][0], indent=1)
