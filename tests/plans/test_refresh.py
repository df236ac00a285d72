"""A lead that leaves a combination of the statistics has the rows of its own day looked through, and no others."""

import json

from projector.core import pipeline, staging
from projector.database.sql import steps
from tests.plans.conftest import Crowd, read_plan

_MOVED = """
INSERT INTO lead_moves
SELECT
    user_id, last_message_at, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction,
    has_email, first_contact_at, last_message_sender, has_conversation, -1
FROM read_model.leads AS l
WHERE l.user_id = %s AND l.last_message_at IS NOT NULL
LIMIT 1
"""


def test_an_empty_row_of_the_statistics_is_looked_up(crowd: Crowd) -> None:
    [delete] = [
        step.text
        for step in steps("refresh/8_write_leads")
        if step.text.startswith(b"DELETE FROM read_model.lead_daily_counts")
    ]
    with crowd.database.connect() as conn:
        pipeline.prepare_session(conn)
        for bloated in ([], staging.TABLES):
            with conn.transaction(force_rollback=True):
                staging.clear(conn, bloated)
                conn.execute(_MOVED, (crowd.large,))
                row = conn.execute(b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + delete).fetchone()
                day = conn.execute(
                    "SELECT count(*) FROM read_model.lead_daily_counts AS c INNER JOIN lead_moves AS m USING (user_id)"
                    " WHERE c.day = (m.last_message_at AT TIME ZONE 'UTC')::date"
                ).fetchone()
            assert row is not None
            assert day is not None
            plan = read_plan(row[0][0]["Plan"])
            assert plan.sequential <= {"lead_moves"}
            assert plan.rows <= day[0] + 10, json.dumps(row[0][0], indent=1)
