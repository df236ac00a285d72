-- The statistics, in the order of their keys: what is summed together is then on few pages.
--
-- for: lead_counts lead_daily_counts lead_totals message_counts attribute_counts
WITH lead_moves AS NOT MATERIALIZED (
    SELECT
        l.*,
        1 AS weight
    FROM read_model.leads AS l
),

message_moves AS NOT MATERIALIZED (
    SELECT
        m.user_id,
        m.sent_at,
        1 AS weight
    FROM read_model.lead_messages AS m
),

profile_moves AS NOT MATERIALIZED (
    SELECT
        p.*,
        1 AS weight
    FROM read_model.lead_profiles AS p
),

conversation_moves AS NOT MATERIALIZED (
    SELECT
        c.*,
        1 AS weight
    FROM read_model.lead_conversations AS c
)

INSERT INTO read_model.{table} ({columns.table})
SELECT {columns.table of d}
FROM ({definition.table}) AS d
ORDER BY {key.table of d};
