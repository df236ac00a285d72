-- The profiles of the stale leads from their extractions, contacts and template sends.
--
-- Winning extraction: is_latest first, then newest extracted_at, then greatest id, over all conversations of the lead.
-- Winning contact: newest updated_at (null is oldest), then greatest contact_id bytewise. Only these compare the stored
-- time uncut. Name, email and company are chosen each by itself: the extraction's if not blank, else the contact's.
INSERT INTO stage_profiles (
    user_id, customer_phone, name, email, company, lead_status, total_score, intent_score, urgency_score,
    budget_score, fit_score, engagement_score, has_extraction, extraction_id, template_sends_count, first_send_at,
    last_send_at, sent_on_whatsapp, sent_on_instagram, sent_on_webchat, name_key, search_text
)
SELECT
    l.user_id,
    l.customer_phone,
    chosen.name,
    chosen.email,
    chosen.company,
    projector.lead_status(e.lead_status_tag),
    coalesce(
        e.total_score, e.intent_score + e.urgency_score + e.budget_score + e.fit_score + e.engagement_score
    ),
    e.intent_score,
    e.urgency_score,
    e.budget_score,
    e.fit_score,
    e.engagement_score,
    e.extraction_id IS NOT NULL,
    e.extraction_id,
    s.sends,
    s.first_send_at,
    s.last_send_at,
    coalesce(s.on_whatsapp, false),
    coalesce(s.on_instagram, false),
    coalesce(s.on_webchat, false),
    lower(chosen.name COLLATE "default"),
    lower(
        concat_ws(E'\n', chosen.name, chosen.email, chosen.company, l.customer_phone) COLLATE "default"
    )
FROM (
    SELECT DISTINCT
        dirty_leads.user_id,
        dirty_leads.customer_phone
    FROM dirty_leads
    WHERE dirty_leads.profile
) AS l
LEFT JOIN LATERAL (
    SELECT x.*
    FROM projector.conversation_keys AS k
    CROSS JOIN LATERAL (
        SELECT
            source.extraction_id,
            source.is_latest,
            source.extracted_at,
            source.name,
            source.email,
            source.company,
            source.intent_score,
            source.urgency_score,
            source.budget_score,
            source.fit_score,
            source.engagement_score,
            source.total_score,
            source.lead_status_tag
        FROM extractions AS source
        WHERE source.conversation_id = k.conversation_id COLLATE "default"
        OFFSET 0
    ) AS x
    WHERE k.user_id = l.user_id AND k.customer_phone = l.customer_phone
    ORDER BY x.is_latest IS TRUE DESC, x.extracted_at DESC NULLS LAST, x.extraction_id DESC
    LIMIT 1
) AS e ON true
LEFT JOIN LATERAL (
    SELECT x.*
    FROM projector.contact_keys AS k
    CROSS JOIN LATERAL (
        SELECT
            source.updated_at,
            source.name,
            source.email,
            source.company
        FROM contacts AS source
        WHERE source.contact_id = k.contact_id COLLATE "default"
        OFFSET 0
    ) AS x
    WHERE k.user_id = l.user_id AND k.customer_phone = l.customer_phone
    ORDER BY x.updated_at DESC NULLS LAST, k.contact_id DESC
    LIMIT 1
) AS c ON true
CROSS JOIN LATERAL (
    SELECT
        count(x.sent_at) AS sends,
        min(x.sent_at) AS first_send_at,
        max(x.sent_at) AS last_send_at,
        bool_or(x.platform = 'whatsapp') AS on_whatsapp,
        bool_or(x.platform = 'instagram') AS on_instagram,
        bool_or(x.platform = 'webchat') AS on_webchat
    FROM projector.send_keys AS k
    CROSS JOIN LATERAL (
        SELECT
            projector.cut_time(coalesce(source.sent_at, source.created_at, 'epoch')::timestamptz) AS sent_at,
            p.platform
        FROM template_sends AS source
        INNER JOIN templates AS t ON t.template_id = source.template_id
        LEFT JOIN phone_numbers AS p ON p.id = t.phone_number_id
        WHERE source.send_id = k.send_id COLLATE "default"
            AND coalesce(source.status, 'SENT') NOT IN ('PENDING', 'FAILED')
        OFFSET 0
    ) AS x
    WHERE k.user_id = l.user_id AND k.customer_phone = l.customer_phone
) AS s
CROSS JOIN LATERAL (
    SELECT
        coalesce(projector.filled(e.name), projector.filled(c.name)) AS name,
        coalesce(projector.filled(e.email), projector.filled(c.email)) AS email,
        coalesce(projector.filled(e.company), projector.filled(c.company)) AS company
) AS chosen;
