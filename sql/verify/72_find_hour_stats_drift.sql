-- The rows of read_model.lead_hour_stats of a tenant that are not what its leads add up to. Parameter: user_id.
SELECT
    side.hour,
    sum(side.expected)::bigint AS expected,
    sum(side.found)::bigint AS found
FROM (
    SELECT
        date_trunc('hour', l.last_message_at, 'UTC') AS hour,
        1 AS expected,
        0 AS found
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s AND l.last_message_at IS NOT NULL
    UNION ALL
    SELECT
        o.hour,
        0 AS expected,
        o.leads AS found
    FROM read_model.lead_hour_stats AS o
    WHERE o.user_id = %(user_id)s
) AS side
GROUP BY side.hour
HAVING sum(side.expected) <> sum(side.found);
