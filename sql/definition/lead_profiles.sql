-- The row of read_model.lead_profiles of each lead, from its extractions, contacts and template sends.
--
-- Winning extraction: is_latest first, then newest extracted_at, then greatest id, over all conversations of the
-- lead. Winning contact: newest updated_at (null is oldest), then greatest contact_id bytewise. Only these two
-- compare the stored time uncut. Name, email and company are chosen each by itself: the extraction's if not blank,
-- else the contact's.
--
-- Reads {leads} (user_id, customer_phone: the leads to compute) and {keys} (rows of projector.source_keys, of these
-- leads at least). {fence} is OFFSET 0 where each key has to be looked up in an index, and empty where PostgreSQL is
-- free to join the tables as a whole.
WITH winning_extractions AS ( -- noqa: ST03
    SELECT DISTINCT ON (k.user_id, k.customer_phone)
        k.user_id,
        k.customer_phone,
        x.*
    FROM {keys} AS k
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
        FROM {source.extractions} AS source
        WHERE source.conversation_id = k.key COLLATE "default"
        {fence}
    ) AS x
    WHERE k.kind = 'conversation'
    ORDER BY
        k.user_id ASC,
        k.customer_phone ASC,
        x.is_latest IS TRUE DESC,
        x.extracted_at DESC NULLS LAST,
        x.extraction_id DESC
),

winning_contacts AS ( -- noqa: ST03
    SELECT DISTINCT ON (k.user_id, k.customer_phone)
        k.user_id,
        k.customer_phone,
        x.*
    FROM {keys} AS k
    CROSS JOIN LATERAL (
        SELECT
            source.updated_at,
            source.name,
            source.email,
            source.company
        FROM {source.contacts} AS source
        WHERE source.contact_id = k.key COLLATE "default"
        {fence}
    ) AS x
    WHERE k.kind = 'contact'
    ORDER BY k.user_id ASC, k.customer_phone ASC, x.updated_at DESC NULLS LAST, k.key DESC
),

counted_sends AS ( -- noqa: ST03
    SELECT
        k.user_id,
        k.customer_phone,
        count(*) AS sends,
        min(x.sent_at) AS first_send_at,
        max(x.sent_at) AS last_send_at,
        bool_or(x.platform = 'whatsapp') AS on_whatsapp,
        bool_or(x.platform = 'instagram') AS on_instagram,
        bool_or(x.platform = 'webchat') AS on_webchat
    FROM {keys} AS k
    CROSS JOIN LATERAL (
        SELECT
            projector.clamp_time(coalesce(source.sent_at, source.created_at, 'epoch')::timestamptz) AS sent_at,
            p.platform
        FROM {source.template_sends} AS source
        INNER JOIN {source.templates} AS t ON t.template_id = source.template_id
        LEFT JOIN {source.phone_numbers} AS p ON p.id = t.phone_number_id
        WHERE source.send_id = k.key COLLATE "default"
            AND coalesce(source.status, 'SENT') NOT IN ('PENDING', 'FAILED')
        {fence}
    ) AS x
    WHERE k.kind = 'template_send'
    GROUP BY k.user_id, k.customer_phone
)

SELECT
    l.user_id,
    l.customer_phone,
    chosen.name,
    chosen.email,
    chosen.company,
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
    s.first_send_at,
    s.last_send_at,
    coalesce(s.on_whatsapp, false) AS sent_on_whatsapp,
    coalesce(s.on_instagram, false) AS sent_on_instagram,
    coalesce(s.on_webchat, false) AS sent_on_webchat,
    lower(chosen.name COLLATE "default") COLLATE "C" AS name_key,
    lower(searched.value COLLATE "default") COLLATE "C" AS search_text,
    projector.without_accents(searched.value) COLLATE "C" AS search_plain
FROM {leads} AS l
LEFT JOIN winning_extractions AS e ON e.user_id = l.user_id AND e.customer_phone = l.customer_phone
LEFT JOIN winning_contacts AS c ON c.user_id = l.user_id AND c.customer_phone = l.customer_phone
LEFT JOIN counted_sends AS s ON s.user_id = l.user_id AND s.customer_phone = l.customer_phone
CROSS JOIN LATERAL (
    SELECT
        coalesce(projector.blank_to_null(e.name), projector.blank_to_null(c.name)) COLLATE "C" AS name,
        coalesce(projector.blank_to_null(e.email), projector.blank_to_null(c.email)) COLLATE "C" AS email,
        coalesce(projector.blank_to_null(e.company), projector.blank_to_null(c.company)) COLLATE "C" AS company
) AS chosen
CROSS JOIN LATERAL (
    SELECT concat_ws(E'\n', chosen.name, chosen.email, chosen.company, l.customer_phone) AS value
) AS searched
