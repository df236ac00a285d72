-- Make the rows of lead_hour_stats of a tenant what its leads add up to, writing only those that differ.
--
-- Parameter: user_id. The tenant is locked. A row that comes to 0 is deleted by the next step.
INSERT INTO read_model.lead_hour_stats AS s (user_id, hour, leads)
SELECT
    %(user_id)s,
    side.hour,
    sum(side.leads)
FROM (
    SELECT
        date_trunc('hour', l.last_message_at, 'UTC') AS hour,
        1 AS leads
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s AND l.last_message_at IS NOT NULL
    UNION ALL
    SELECT
        o.hour,
        -o.leads AS leads
    FROM read_model.lead_hour_stats AS o
    WHERE o.user_id = %(user_id)s
) AS side
GROUP BY side.hour
HAVING sum(side.leads) <> 0
ON CONFLICT (user_id, hour) DO UPDATE SET leads = s.leads + excluded.leads;
