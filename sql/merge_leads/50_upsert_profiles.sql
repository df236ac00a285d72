-- Write the profiles that differ, and only those; a contact or an extraction alone makes no lead.
INSERT INTO read_model.lead_profiles (
    user_id, customer_phone, name, email, company, lead_status, total_score, intent_score, urgency_score,
    budget_score, fit_score, engagement_score, has_extraction, extraction_id, template_sends_count, first_send_at,
    last_send_at, sent_on_whatsapp, sent_on_instagram, sent_on_webchat, name_key, search_text
)
SELECT n.*
FROM stage_profiles AS n
INNER JOIN stage_leads AS l ON l.user_id = n.user_id AND l.customer_phone = n.customer_phone
LEFT JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE (o.*) IS DISTINCT FROM (n.*)
ON CONFLICT (user_id, customer_phone) DO UPDATE SET
    name = excluded.name,
    email = excluded.email,
    company = excluded.company,
    lead_status = excluded.lead_status,
    total_score = excluded.total_score,
    intent_score = excluded.intent_score,
    urgency_score = excluded.urgency_score,
    budget_score = excluded.budget_score,
    fit_score = excluded.fit_score,
    engagement_score = excluded.engagement_score,
    has_extraction = excluded.has_extraction,
    extraction_id = excluded.extraction_id,
    template_sends_count = excluded.template_sends_count,
    first_send_at = excluded.first_send_at,
    last_send_at = excluded.last_send_at,
    sent_on_whatsapp = excluded.sent_on_whatsapp,
    sent_on_instagram = excluded.sent_on_instagram,
    sent_on_webchat = excluded.sent_on_webchat,
    name_key = excluded.name_key,
    search_text = excluded.search_text;
