-- What the leads add up to, by hour.
SELECT
    user_id,
    date_trunc('hour', last_message_at, 'UTC') AS hour,
    count(*)::integer AS leads
FROM leads
WHERE last_message_at IS NOT NULL
GROUP BY 1, 2
