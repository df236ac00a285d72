-- What the leads add up to, by day and combination of facets.
SELECT
    user_id,
    (last_message_at AT TIME ZONE 'UTC')::date AS day,
    lead_status,
    total_score,
    on_whatsapp,
    on_instagram,
    on_webchat,
    has_extraction,
    has_email,
    count(*)::integer AS leads
FROM leads
WHERE last_message_at IS NOT NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
