-- The rows of read_model.lead_totals: the statistics of each tenant, and of each day and hour in which its leads were
-- last active or arrived.
--
-- A message that only changes the sender of the last message does not change new_day and new_hour.
--
-- Reads lead_moves, rows as in read_model.leads with a weight: 1 for a new row, -1 for an old one.
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
    sum(l.weight * l.on_webchat::integer)::integer AS on_webchat,
    coalesce(
        sum(l.weight) FILTER (WHERE l.last_message_sender = 'user' AND bucket.counts_senders), 0
    )::integer AS last_from_user,
    coalesce(
        sum(l.weight) FILTER (WHERE l.last_message_sender = 'agent' AND bucket.counts_senders), 0
    )::integer AS last_from_agent,
    sum(l.weight * (NOT l.has_conversation)::integer)::integer AS without_conversation,
    coalesce(
        sum(l.weight) FILTER (WHERE l.reply_window_ends_at IS NOT NULL AND bucket.counts_senders), 0
    )::integer AS with_reply_window
FROM lead_moves AS l
CROSS JOIN LATERAL (
    VALUES
    ('all', '-infinity', true),
    ('day', date_trunc('day', l.last_message_at, 'UTC'), true),
    ('hour', date_trunc('hour', l.last_message_at, 'UTC'), true),
    ('new_day', date_trunc('day', l.first_contact_at, 'UTC'), false),
    ('new_hour', date_trunc('hour', l.first_contact_at, 'UTC'), false)
) AS bucket (granularity, bucket_start, counts_senders)
WHERE bucket.bucket_start IS NOT NULL
GROUP BY l.user_id, bucket.granularity, bucket.bucket_start
