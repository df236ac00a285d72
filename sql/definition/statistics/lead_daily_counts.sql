-- The rows of read_model.lead_daily_counts: lead_counts by the UTC day of last_message_at.
--
-- Reads lead_moves, rows as in read_model.leads with a weight: 1 for a new row, -1 for an old one.
SELECT
    {key.lead_daily_counts},
    sum(weight)::integer AS leads
FROM (
    SELECT
        l.*,
        (l.last_message_at AT TIME ZONE 'UTC')::date AS day
    FROM lead_moves AS l
    WHERE l.last_message_at IS NOT NULL
) AS moves
GROUP BY {key.lead_daily_counts}
