-- What the leads add up to, by hour.
--
-- In the order of the key: what is summed together then stands on few pages.
INSERT INTO read_model_next.lead_hour_stats (user_id, hour, leads)
SELECT
    l.user_id,
    date_trunc('hour', l.last_message_at, 'UTC') AS hour,
    count(*)
FROM read_model_next.leads AS l
WHERE l.last_message_at IS NOT NULL
GROUP BY l.user_id, hour
ORDER BY l.user_id, hour;
