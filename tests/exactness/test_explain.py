"""For random leads an explanation gives what the rules give, and the rows that it shows first are those that count."""

import json
from random import Random

import pytest

from projector.operate.explain import CURRENT, explain_in
from tests.exactness.platform import refresh_now
from tests.oracle import compute_leads, read_source
from tests.support import edge_cases
from tests.support.server import Database

SIZE = 24
SHORT = range(2)
LONG = range(100, 160)

# Rows that compete with another one at the same time, so that the last criteria decide too.
TWINS = """
INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status, sequence_no)
SELECT left('twin-' || message_id, 255), conversation_id, 'user', 'twin', timestamp, status,
    CASE WHEN hashtext(message_id) % 2 = 0 THEN sequence_no + 1000000 END
FROM messages;
UPDATE extractions SET is_latest = false WHERE hashtext(extraction_id::text) % 2 = 0;
INSERT INTO extractions (extraction_id, conversation_id, extracted_at, is_latest, name, intent_score)
SELECT md5(extraction_id::text)::uuid, conversation_id, extracted_at, false, 'twin', 3 FROM extractions;
"""


@pytest.mark.parametrize("seed", [*SHORT, *(pytest.param(seed, marks=pytest.mark.long) for seed in LONG)])
def test_the_rows_shown_first_are_those_that_count(database: Database, seed: int) -> None:
    with database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(Random(seed), SIZE))
        conn.execute(TWINS.encode(), prepare=False)
        refresh_now(conn)
        leads = compute_leads(read_source(conn)).all_leads()
        assert len(leads) > SIZE // 2
        for lead in leads:
            with conn.transaction(force_rollback=True):
                found = explain_in(conn, lead.user_id, lead.customer_phone, candidates=1000)
            expected = json.loads(json.dumps(lead.document()))
            assert (found.state, {one["field"]: one["value"] for one in found.fields}) == (CURRENT, expected)
            rows = {table: one["rows"] for table, one in found.candidates.items()}
            first = {table: shown[0] if shown else {} for table, shown in rows.items()}
            assert first["extractions"].get("extraction_id") == expected["extraction_id"]
            assert len(rows["messages"]) == expected["total_messages"]
            if rows["messages"]:
                assert first["messages"]["sender"] == expected["last_message_sender"]
            assert [row["conversation_id"] for row in rows["conversations"]] == [
                one["conversation_id"] for one in expected["conversations"]
            ]
            counted = [row["is_counted"] for row in rows["template_sends"]]
            assert counted == sorted(counted, reverse=True)
            assert sum(counted) == expected["template_sends_count"]
