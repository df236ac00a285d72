-- The profile of every lead; the rules stand with recompute_profiles.
INSERT INTO read_model_next.lead_profiles (
    user_id, customer_phone, name, email, company, lead_status, total_score, intent_score, urgency_score,
    budget_score, fit_score, engagement_score, has_extraction, extraction_id, template_sends_count, first_send_at,
    last_send_at, sent_on_whatsapp, sent_on_instagram, sent_on_webchat, name_key, search_text
)
WITH winning_extractions AS (
    SELECT DISTINCT ON (k.user_id, k.customer_phone)
        k.user_id,
        k.customer_phone,
        x.extraction_id,
        x.name,
        x.email,
        x.company,
        x.intent_score,
        x.urgency_score,
        x.budget_score,
        x.fit_score,
        x.engagement_score,
        x.total_score,
        x.lead_status_tag
    FROM extractions AS x
    INNER JOIN read_model_next.conversation_keys AS k ON k.conversation_id = x.conversation_id COLLATE "C"
    ORDER BY
        k.user_id ASC,
        k.customer_phone ASC,
        x.is_latest IS TRUE DESC,
        x.extracted_at DESC NULLS LAST,
        x.extraction_id DESC
),

winning_contacts AS (
    SELECT DISTINCT ON (k.user_id, k.customer_phone)
        k.user_id,
        k.customer_phone,
        c.name,
        c.email,
        c.company
    FROM contacts AS c
    INNER JOIN read_model_next.contact_keys AS k ON k.contact_id = c.contact_id COLLATE "C"
    ORDER BY k.user_id ASC, k.customer_phone ASC, c.updated_at DESC NULLS LAST, k.contact_id DESC
),

counted_sends AS (
    SELECT
        k.user_id,
        k.customer_phone,
        count(*) AS sends,
        min(x.sent_at) AS first_send_at,
        max(x.sent_at) AS last_send_at,
        coalesce(bool_or(x.platform = 'whatsapp'), false) AS on_whatsapp,
        coalesce(bool_or(x.platform = 'instagram'), false) AS on_instagram,
        coalesce(bool_or(x.platform = 'webchat'), false) AS on_webchat
    FROM (
        SELECT
            s.send_id,
            projector.cut_time(coalesce(s.sent_at, s.created_at, 'epoch')::timestamptz) AS sent_at,
            p.platform
        FROM template_sends AS s
        INNER JOIN templates AS t ON t.template_id = s.template_id
        LEFT JOIN phone_numbers AS p ON p.id = t.phone_number_id
        WHERE coalesce(s.status, 'SENT') NOT IN ('PENDING', 'FAILED')
    ) AS x
    INNER JOIN read_model_next.send_keys AS k ON k.send_id = x.send_id COLLATE "C"
    GROUP BY k.user_id, k.customer_phone
),

every_lead AS (
    SELECT
        k.user_id,
        k.customer_phone
    FROM read_model_next.conversation_keys AS k
    UNION
    SELECT
        s.user_id,
        s.customer_phone
    FROM counted_sends AS s
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
    coalesce(s.sends, 0),
    s.first_send_at,
    s.last_send_at,
    coalesce(s.on_whatsapp, false),
    coalesce(s.on_instagram, false),
    coalesce(s.on_webchat, false),
    lower(chosen.name COLLATE "default"),
    lower(
        concat_ws(E'\n', chosen.name, chosen.email, chosen.company, l.customer_phone) COLLATE "default"
    )
FROM every_lead AS l
LEFT JOIN winning_extractions AS e ON e.user_id = l.user_id AND e.customer_phone = l.customer_phone
LEFT JOIN winning_contacts AS c ON c.user_id = l.user_id AND c.customer_phone = l.customer_phone
LEFT JOIN counted_sends AS s ON s.user_id = l.user_id AND s.customer_phone = l.customer_phone
CROSS JOIN LATERAL (
    SELECT
        coalesce(projector.filled(e.name), projector.filled(c.name)) AS name,
        coalesce(projector.filled(e.email), projector.filled(c.email)) AS email,
        coalesce(projector.filled(e.company), projector.filled(c.company)) AS company
) AS chosen;
