-- The row of read_model.leads of each lead, from its profile, its conversations and its last message.
--
-- A lead exists when it has a conversation or a counted template send. `document` is the lead as the API prints it:
-- the keys and their order are those of the API reference. row_to_json prints compactly, in the order of the columns.
--
-- A lead waits if its last message is the customer's. Its reply window ends at the latest moment to which the window of
-- a conversation reaches, counted from the customer's newest message in it.
--
-- Reads new_lead_profiles and new_lead_conversations, rows of these tables, and last_messages and waiting, rows of
-- these definitions.
SELECT
    p.user_id,
    p.customer_phone,
    d.last_message_at,
    d.first_contact_at,
    d.total_messages::integer AS total_messages,
    p.total_score,
    p.lead_status,
    d.on_whatsapp,
    d.on_instagram,
    d.on_webchat,
    p.has_extraction,
    p.email IS NOT NULL AS has_email,
    left(row_to_json(printed.*)::text, -1) || ',"conversations":[' || coalesce(c.summaries, '') || ']}' AS document,
    CASE WHEN m.sender IN ('user', 'agent') THEN m.sender END AS last_message_sender,
    c.user_id IS NOT NULL AS has_conversation,
    CASE WHEN m.sender = 'user' THEN w.waiting_since END AS waiting_since,
    c.reply_window_ends_at,
    c.last_customer_message_at,
    d.other_platforms,
    p.status_since,
    p.first_warm_at,
    p.first_hot_at,
    p.was_cold
FROM new_lead_profiles AS p
LEFT JOIN (
    SELECT
        lc.user_id,
        lc.customer_phone,
        count(*) AS conversation_count,
        sum(lc.message_count) AS total_messages,
        max(coalesce(lc.newest_message_at, lc.source_last_message_at)) AS last_message_at,
        min(least(lc.created_at, lc.first_message_at)) AS first_contact_at,
        coalesce(bool_or(word.platform = 'whatsapp'), false) AS on_whatsapp,
        coalesce(bool_or(word.platform = 'instagram'), false) AS on_instagram,
        coalesce(bool_or(word.platform = 'webchat'), false) AS on_webchat,
        array_agg(DISTINCT word.platform COLLATE "C")
            FILTER (WHERE word.platform NOT IN ('whatsapp', 'instagram', 'webchat')) AS other_platforms,
        projector.clamp_time(max(lc.newest_customer_message_at + lc.reply_window)) AS reply_window_ends_at,
        max(lc.newest_customer_message_at) AS last_customer_message_at,
        string_agg(
            row_to_json(summary.*)::text,
            ','
            ORDER BY coalesce(lc.newest_message_at, lc.source_last_message_at) DESC NULLS LAST, lc.conversation_id
        ) AS summaries
    FROM new_lead_conversations AS lc
    CROSS JOIN LATERAL (
        SELECT
            lc.conversation_id,
            lc.agent_id,
            lc.agent_name,
            lc.platform,
            lc.phone_number_id,
            lc.message_count,
            lc.is_active,
            projector.format_time(lc.created_at) AS created_at,
            projector.format_time(coalesce(lc.newest_message_at, lc.source_last_message_at)) AS last_message_at
    ) AS summary
    CROSS JOIN LATERAL (SELECT projector.platform_word(lc.platform) AS platform) AS word
    GROUP BY lc.user_id, lc.customer_phone
) AS c ON c.user_id = p.user_id AND c.customer_phone = p.customer_phone
LEFT JOIN last_messages AS m ON m.user_id = p.user_id AND m.customer_phone = p.customer_phone
LEFT JOIN waiting AS w ON w.user_id = p.user_id AND w.customer_phone = p.customer_phone
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN c.user_id IS NULL THEN p.last_send_at ELSE c.last_message_at END AS last_message_at,
        least(c.first_contact_at, p.first_send_at) AS first_contact_at,
        coalesce(c.total_messages, 0) AS total_messages,
        coalesce(c.conversation_count, 0) AS conversation_count,
        coalesce(c.on_whatsapp, false) OR p.sent_on_whatsapp AS on_whatsapp,
        coalesce(c.on_instagram, false) OR p.sent_on_instagram AS on_instagram,
        coalesce(c.on_webchat, false) OR p.sent_on_webchat AS on_webchat,
        CASE
            WHEN c.other_platforms IS NOT NULL AND p.sent_on_others IS NOT NULL
                THEN projector.merge_platforms(c.other_platforms, p.sent_on_others)
            ELSE coalesce(c.other_platforms, p.sent_on_others)
        END AS other_platforms
) AS d
CROSS JOIN LATERAL (
    SELECT
        p.customer_phone,
        p.name,
        p.email,
        p.company,
        p.lead_status,
        p.total_score,
        p.intent_score,
        p.urgency_score,
        p.budget_score,
        p.fit_score,
        p.engagement_score,
        array_remove(
            ARRAY[
                CASE WHEN d.on_whatsapp THEN 'whatsapp' END,
                CASE WHEN d.on_instagram THEN 'instagram' END,
                CASE WHEN d.on_webchat THEN 'webchat' END
            ],
            NULL
        ) || d.other_platforms AS platforms,
        d.conversation_count,
        d.total_messages,
        p.template_sends_count,
        projector.format_time(d.last_message_at) AS last_message_at,
        m.text AS last_message_text,
        m.sender AS last_message_sender,
        projector.format_time(d.first_contact_at) AS first_contact_at,
        p.has_extraction,
        p.extraction_id
) AS printed
WHERE c.user_id IS NOT NULL OR p.template_sends_count > 0
