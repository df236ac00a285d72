-- The row of read_model.lead_profiles of each lead, from its extractions, contacts and template sends.
--
-- Name, email and company are chosen one by one: that of the winning extraction unless it is blank, else that of the
-- winning contact. Each attribute is chosen in the same way, from the extraction's column, its JSON, the contact's
-- column, its JSON.
--
-- Reads profile_leads, the user_id and customer_phone of the leads to compute; profile_keys, rows as in
-- projector.source_keys, at least those of these leads; and status_changes, rows of that definition. {fence} is empty
-- if PostgreSQL may join whole tables.
WITH counted_sends AS (
    SELECT
        s.user_id,
        s.customer_phone,
        count(*) AS sends,
        min(s.sent_at) AS first_send_at,
        max(s.sent_at) AS last_send_at,
        bool_or(word.platform = 'whatsapp') AS on_whatsapp,
        bool_or(word.platform = 'instagram') AS on_instagram,
        bool_or(word.platform = 'webchat') AS on_webchat,
        array_agg(DISTINCT word.platform COLLATE "C")
            FILTER (WHERE word.platform NOT IN ('whatsapp', 'instagram', 'webchat')) AS other_platforms
    FROM ({definition.template_sends}) AS s
    CROSS JOIN LATERAL (SELECT projector.platform_word(s.platform) AS platform) AS word
    WHERE s.is_counted
    GROUP BY s.user_id, s.customer_phone
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
    projector.stored_extraction_id(e.extraction_id) AS extraction_id,
    coalesce(s.sends, 0)::integer AS template_sends_count,
    s.first_send_at,
    s.last_send_at,
    coalesce(s.on_whatsapp, false) AS sent_on_whatsapp,
    coalesce(s.on_instagram, false) AS sent_on_instagram,
    coalesce(s.on_webchat, false) AS sent_on_webchat,
    lower(chosen.name COLLATE "default") COLLATE "C" AS name_key,
    lower(searched.value COLLATE "default") COLLATE "C" AS search_text,
    projector.without_accents(searched.value) COLLATE "C" AS search_plain,
    merged.attributes,
    merged.left_out AS attributes_left_out,
    s.other_platforms AS sent_on_others,
    h.status_since,
    h.first_warm_at,
    h.first_hot_at,
    coalesce(h.was_cold, false) AS was_cold
FROM profile_leads AS l
LEFT JOIN ({definition.winning_extractions}) AS e ON e.user_id = l.user_id AND e.customer_phone = l.customer_phone
LEFT JOIN ({definition.winning_contacts}) AS c ON c.user_id = l.user_id AND c.customer_phone = l.customer_phone
LEFT JOIN counted_sends AS s ON s.user_id = l.user_id AND s.customer_phone = l.customer_phone
LEFT JOIN (
    SELECT
        changed.user_id,
        changed.customer_phone,
        max(changed.changed_at) AS status_since,
        min(changed.changed_at) FILTER (WHERE changed.lead_status = 'Warm') AS first_warm_at,
        min(changed.changed_at) FILTER (WHERE changed.lead_status = 'Hot') AS first_hot_at,
        bool_or(coalesce(changed.lead_status = 'Cold', false)) AS was_cold
    FROM status_changes AS changed
    GROUP BY changed.user_id, changed.customer_phone
) AS h ON h.user_id = l.user_id AND h.customer_phone = l.customer_phone
CROSS JOIN LATERAL (
    SELECT
        coalesce(projector.blank_to_null(e.name), projector.blank_to_null(c.name)) COLLATE "C" AS name,
        coalesce(projector.blank_to_null(e.email), projector.blank_to_null(c.email)) COLLATE "C" AS email,
        coalesce(projector.blank_to_null(e.company), projector.blank_to_null(c.company)) COLLATE "C" AS company
) AS chosen
CROSS JOIN LATERAL (
    SELECT concat_ws(E'\n', chosen.name, chosen.email, chosen.company, l.customer_phone) AS value
) AS searched
CROSS JOIN LATERAL projector.merge_attributes(
    ARRAY[e.declared_attributes, e.attributes, c.declared_attributes, c.attributes], projector.attribute_types('lead')
) AS merged
