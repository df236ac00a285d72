-- Move the statistics by day likewise.
INSERT INTO read_model.lead_day_stats AS s (
    user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email, leads
)
SELECT d.*
FROM stage_stats AS d
WHERE d.day IS NOT NULL
ON CONFLICT (
    user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email
) DO UPDATE SET leads = s.leads + excluded.leads;
