-- What the leads add up to, of a tenant, by day, and by hour.
SELECT
    l.user_id,
    at.granularity COLLATE "C" AS granularity,
    at.bucket_start,
    count(*)::integer AS leads,
    count(*) FILTER (WHERE l.has_extraction)::integer AS with_extraction,
    count(*) FILTER (WHERE l.has_email)::integer AS with_email,
    count(*) FILTER (WHERE l.lead_status = 'Hot')::integer AS hot,
    count(*) FILTER (WHERE l.lead_status = 'Warm')::integer AS warm,
    count(*) FILTER (WHERE l.lead_status = 'Cold')::integer AS cold,
    count(*) FILTER (WHERE l.on_whatsapp)::integer AS on_whatsapp,
    count(*) FILTER (WHERE l.on_instagram)::integer AS on_instagram,
    count(*) FILTER (WHERE l.on_webchat)::integer AS on_webchat
FROM leads AS l
CROSS JOIN LATERAL (
    VALUES
    ('all', '-infinity'),
    ('day', date_trunc('day', l.last_message_at, 'UTC')),
    ('hour', date_trunc('hour', l.last_message_at, 'UTC'))
) AS at (granularity, bucket_start)
WHERE at.bucket_start IS NOT NULL
GROUP BY 1, 2, 3
