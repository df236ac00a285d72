-- Fill the statistics of tenants in a first build, in the order of their keys, so that rows that are summed together
-- are on few pages. A build that was killed finds the rows that it filled before, and nothing has changed them since.
--
-- for: lead_counts lead_daily_counts lead_totals message_counts attribute_counts
-- Parameter: tenants.
WITH lead_moves AS NOT MATERIALIZED (
    SELECT
        l.*,
        1 AS weight
    FROM read_model.leads AS l
    WHERE l.user_id = any(%(tenants)s::text[])
),

message_moves AS NOT MATERIALIZED (
    SELECT
        m.user_id,
        m.sent_at,
        1 AS weight
    FROM read_model.lead_messages AS m
    WHERE m.user_id = any(%(tenants)s::text[])
),

profile_moves AS NOT MATERIALIZED (
    SELECT
        p.*,
        1 AS weight
    FROM read_model.lead_profiles AS p
    WHERE p.user_id = any(%(tenants)s::text[])
),

conversation_moves AS NOT MATERIALIZED (
    SELECT
        c.*,
        1 AS weight
    FROM read_model.lead_conversations AS c
    WHERE c.user_id = any(%(tenants)s::text[])
)

INSERT INTO read_model.{table} ({columns.table})
SELECT {columns.table of d}
FROM ({definition.table}) AS d
ORDER BY {key.table of d}
ON CONFLICT DO NOTHING;
