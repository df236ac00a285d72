-- What the leads add up to, by combination of facets and day.
--
-- In the order of the key: what is summed together then stands on few pages.
INSERT INTO read_model_next.lead_daily_counts (
    user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email, leads
)
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
    count(*)
FROM read_model_next.leads AS l
WHERE l.last_message_at IS NOT NULL
GROUP BY
    l.user_id,
    day,
    l.lead_status,
    l.total_score,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    l.has_extraction,
    l.has_email
ORDER BY
    l.user_id,
    day,
    l.lead_status,
    l.total_score,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    l.has_extraction,
    l.has_email;
