-- What the leads add up to, of a tenant, by day and by hour in which they were last active, and in which they came.
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
    count(*) FILTER (WHERE l.on_webchat)::integer AS on_webchat,
    count(*) FILTER (WHERE at.counts_senders AND l.last_message_sender = 'user')::integer AS last_from_user,
    count(*) FILTER (WHERE at.counts_senders AND l.last_message_sender = 'agent')::integer AS last_from_agent,
    count(*) FILTER (WHERE NOT l.has_conversation)::integer AS without_conversation
FROM leads AS l
CROSS JOIN LATERAL (
    VALUES
    ('all', '-infinity', true),
    ('day', date_trunc('day', l.last_message_at, 'UTC'), true),
    ('hour', date_trunc('hour', l.last_message_at, 'UTC'), true),
    ('new_day', date_trunc('day', l.first_contact_at, 'UTC'), false),
    ('new_hour', date_trunc('hour', l.first_contact_at, 'UTC'), false)
) AS at (granularity, bucket_start, counts_senders)
WHERE at.bucket_start IS NOT NULL
GROUP BY 1, 2, 3
