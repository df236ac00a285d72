-- Move the statistics by the differences, in the transaction that moved the leads.
INSERT INTO read_model.lead_counts AS s (
    user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email, leads
)
SELECT
    d.user_id,
    d.lead_status,
    d.total_score,
    d.on_whatsapp,
    d.on_instagram,
    d.on_webchat,
    d.has_extraction,
    d.has_email,
    sum(d.leads)
FROM stage_stats AS d
GROUP BY
    d.user_id, d.lead_status, d.total_score, d.on_whatsapp, d.on_instagram, d.on_webchat, d.has_extraction, d.has_email
HAVING sum(d.leads) <> 0
ON CONFLICT (
    user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email
) DO UPDATE SET leads = s.leads + excluded.leads;
