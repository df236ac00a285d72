-- Write the leads that differ, and only those.
INSERT INTO read_model.leads (
    user_id, customer_phone, last_message_at, first_contact_at, total_messages, total_score, lead_status,
    on_whatsapp, on_instagram, on_webchat, has_extraction, has_email, document
)
SELECT n.*
FROM stage_leads AS n
LEFT JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE (o.*) IS DISTINCT FROM (n.*)
ON CONFLICT (user_id, customer_phone) DO UPDATE SET
    last_message_at = excluded.last_message_at,
    first_contact_at = excluded.first_contact_at,
    total_messages = excluded.total_messages,
    total_score = excluded.total_score,
    lead_status = excluded.lead_status,
    on_whatsapp = excluded.on_whatsapp,
    on_instagram = excluded.on_instagram,
    on_webchat = excluded.on_webchat,
    has_extraction = excluded.has_extraction,
    has_email = excluded.has_email,
    document = excluded.document;
