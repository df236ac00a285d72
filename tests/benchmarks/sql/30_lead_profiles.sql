-- What is known of every lead from extractions, contacts and template sends.
WITH winning_extractions AS (
    SELECT DISTINCT ON (c.user_id, c.customer_phone)
        c.user_id,
        c.customer_phone,
        x.*
    FROM (
        SELECT
            conversation_id AS of_conversation,
            extraction_id,
            is_latest,
            extracted_at,
            name,
            email,
            company,
            lead_status_tag,
            total_score,
            intent_score,
            urgency_score,
            budget_score,
            fit_score,
            engagement_score
        FROM extractions
    ) AS x
    INNER JOIN lead_conversations AS c ON c.conversation_id = x.of_conversation COLLATE "C"
    ORDER BY
        c.user_id, c.customer_phone, x.is_latest IS TRUE DESC, x.extracted_at DESC NULLS LAST, x.extraction_id DESC
),

winning_contacts AS (
    SELECT DISTINCT ON (user_id, projector.canonical_phone(phone))
        user_id::text COLLATE "C" AS user_id,
        projector.canonical_phone(phone) COLLATE "C" AS customer_phone,
        name,
        email,
        company
    FROM contacts
    ORDER BY
        user_id, projector.canonical_phone(phone), updated_at DESC NULLS LAST, contact_id COLLATE "C" DESC
),

counted_sends AS (
    SELECT
        t.user_id::text COLLATE "C" AS user_id,
        projector.canonical_phone(s.customer_phone) COLLATE "C" AS customer_phone,
        count(*) AS sends,
        min(coalesce(s.sent_at, s.created_at, 'epoch')) AS first_at,
        max(coalesce(s.sent_at, s.created_at, 'epoch')) AS last_at,
        coalesce(bool_or(p.platform = 'whatsapp'), false) AS on_whatsapp,
        coalesce(bool_or(p.platform = 'instagram'), false) AS on_instagram,
        coalesce(bool_or(p.platform = 'webchat'), false) AS on_webchat
    FROM template_sends AS s
    INNER JOIN templates AS t ON t.template_id = s.template_id
    LEFT JOIN phone_numbers AS p ON p.id = t.phone_number_id
    WHERE coalesce(s.status, 'SENT') NOT IN ('PENDING', 'FAILED')
        AND projector.canonical_phone(s.customer_phone) IS NOT NULL
    GROUP BY 1, 2
),

everyone AS (
    SELECT
        user_id,
        customer_phone
    FROM lead_conversations
    UNION
    SELECT
        user_id,
        customer_phone
    FROM counted_sends
)

SELECT
    l.user_id,
    l.customer_phone,
    chosen.name COLLATE "C" AS name,
    chosen.email COLLATE "C" AS email,
    chosen.company COLLATE "C" AS company,
    projector.lead_status(e.lead_status_tag) COLLATE "C" AS lead_status,
    coalesce(
        e.total_score, e.intent_score + e.urgency_score + e.budget_score + e.fit_score + e.engagement_score
    ) AS total_score,
    e.intent_score,
    e.urgency_score,
    e.budget_score,
    e.fit_score,
    e.engagement_score,
    e.extraction_id IS NOT NULL AS has_extraction,
    e.extraction_id,
    coalesce(s.sends, 0)::integer AS template_sends_count,
    date_trunc('milliseconds', s.first_at::timestamptz) AS first_send_at,
    date_trunc('milliseconds', s.last_at::timestamptz) AS last_send_at,
    coalesce(s.on_whatsapp, false) AS sent_on_whatsapp,
    coalesce(s.on_instagram, false) AS sent_on_instagram,
    coalesce(s.on_webchat, false) AS sent_on_webchat,
    lower(chosen.name COLLATE "default") COLLATE "C" AS name_key,
    lower(searched.value COLLATE "default") COLLATE "C" AS search_text,
    projector.without_accents(searched.value) COLLATE "C" AS search_plain
FROM everyone AS l
LEFT JOIN winning_extractions AS e ON e.user_id = l.user_id AND e.customer_phone = l.customer_phone
LEFT JOIN winning_contacts AS c ON c.user_id = l.user_id AND c.customer_phone = l.customer_phone
LEFT JOIN counted_sends AS s ON s.user_id = l.user_id AND s.customer_phone = l.customer_phone
CROSS JOIN LATERAL (
    SELECT
        coalesce(projector.blank_to_null(e.name), projector.blank_to_null(c.name)) AS name,
        coalesce(projector.blank_to_null(e.email), projector.blank_to_null(c.email)) AS email,
        coalesce(projector.blank_to_null(e.company), projector.blank_to_null(c.company)) AS company
) AS chosen
CROSS JOIN LATERAL (
    SELECT concat_ws(E'\n', chosen.name, chosen.email, chosen.company, l.customer_phone) AS value
) AS searched
