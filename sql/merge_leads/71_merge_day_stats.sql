-- Move the statistics by day likewise.
INSERT INTO read_model.lead_daily_counts AS s (
    user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email, leads
)
SELECT
    d.user_id,
    (d.hour AT TIME ZONE 'UTC')::date AS day,
    d.lead_status,
    d.total_score,
    d.on_whatsapp,
    d.on_instagram,
    d.on_webchat,
    d.has_extraction,
    d.has_email,
    sum(d.leads)
FROM stage_stats AS d
WHERE d.hour IS NOT NULL
GROUP BY
    d.user_id,
    day,
    d.lead_status,
    d.total_score,
    d.on_whatsapp,
    d.on_instagram,
    d.on_webchat,
    d.has_extraction,
    d.has_email
HAVING sum(d.leads) <> 0
ON CONFLICT (
    user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email
) DO UPDATE SET leads = s.leads + excluded.leads;
