-- The rows of read_model.message_counts: how many messages of a tenant were sent in each hour.
--
-- Reads message_moves, rows as in read_model.lead_messages with a weight: 1 for a new row, -1 for an old one.
SELECT
    m.user_id,
    date_trunc('hour', m.sent_at, 'UTC') AS hour,
    sum(m.weight)::integer AS messages
FROM message_moves AS m
GROUP BY m.user_id, date_trunc('hour', m.sent_at, 'UTC')
