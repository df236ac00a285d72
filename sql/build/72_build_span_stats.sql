-- What the leads add up to, of a tenant, by day, and by hour.
--
-- In the order of the key: what is summed together then stands on few pages.
INSERT INTO read_model_next.lead_totals (
    user_id, granularity, bucket_start, leads, with_extraction, with_email, hot, warm, cold, on_whatsapp, on_instagram, on_webchat
)
SELECT
    l.user_id,
    at.granularity,
    at.bucket_start,
    count(*),
    count(*) FILTER (WHERE l.has_extraction),
    count(*) FILTER (WHERE l.has_email),
    count(*) FILTER (WHERE l.lead_status = 'Hot'),
    count(*) FILTER (WHERE l.lead_status = 'Warm'),
    count(*) FILTER (WHERE l.lead_status = 'Cold'),
    count(*) FILTER (WHERE l.on_whatsapp),
    count(*) FILTER (WHERE l.on_instagram),
    count(*) FILTER (WHERE l.on_webchat)
FROM read_model_next.leads AS l
CROSS JOIN LATERAL (
    VALUES
    ('all', '-infinity'),
    ('day', date_trunc('day', l.last_message_at, 'UTC')),
    ('hour', date_trunc('hour', l.last_message_at, 'UTC'))
) AS at (granularity, bucket_start)
WHERE at.bucket_start IS NOT NULL
GROUP BY l.user_id, at.granularity, at.bucket_start
ORDER BY l.user_id, at.granularity, at.bucket_start;
