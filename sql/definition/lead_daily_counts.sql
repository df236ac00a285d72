-- The rows of read_model.lead_daily_counts: lead_counts by the UTC day of last_message_at.
--
-- Reads lead_moves, rows as in read_model.leads with a weight, 1 for a lead that is there and -1 for one that was there
-- before.
SELECT
    l.user_id,
    (l.last_message_at AT TIME ZONE 'UTC')::date AS day,
    l.lead_status,
    l.total_score,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    l.has_extraction,
    l.has_email,
    sum(l.weight)::integer AS leads
FROM lead_moves AS l
WHERE l.last_message_at IS NOT NULL
GROUP BY
    l.user_id,
    (l.last_message_at AT TIME ZONE 'UTC')::date,
    l.lead_status,
    l.total_score,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    l.has_extraction,
    l.has_email
