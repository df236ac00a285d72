-- The rows of read_model.lead_totals: the numbers of the statistics of each tenant, and of each day and hour of its
-- leads.
--
-- Reads {leads}: rows of read_model.leads with a weight, 1 for a lead that is there and -1 for one that was there
-- before.
SELECT
    l.user_id,
    bucket.granularity,
    bucket.bucket_start,
    sum(l.weight)::integer AS leads,
    sum(l.weight * l.has_extraction::integer)::integer AS with_extraction,
    sum(l.weight * l.has_email::integer)::integer AS with_email,
    coalesce(sum(l.weight) FILTER (WHERE l.lead_status = 'Hot'), 0)::integer AS hot,
    coalesce(sum(l.weight) FILTER (WHERE l.lead_status = 'Warm'), 0)::integer AS warm,
    coalesce(sum(l.weight) FILTER (WHERE l.lead_status = 'Cold'), 0)::integer AS cold,
    sum(l.weight * l.on_whatsapp::integer)::integer AS on_whatsapp,
    sum(l.weight * l.on_instagram::integer)::integer AS on_instagram,
    sum(l.weight * l.on_webchat::integer)::integer AS on_webchat
FROM {leads} AS l
CROSS JOIN LATERAL (
    VALUES
    ('all', '-infinity'),
    ('day', date_trunc('day', l.last_message_at, 'UTC')),
    ('hour', date_trunc('hour', l.last_message_at, 'UTC'))
) AS bucket (granularity, bucket_start)
WHERE bucket.bucket_start IS NOT NULL
GROUP BY l.user_id, bucket.granularity, bucket.bucket_start
