-- Every lead: what is sorted and filtered by, and the lead as it is printed.
WITH talks AS (
    SELECT
        user_id,
        customer_phone,
        count(*) AS conversation_count,
        sum(message_count)::integer AS total_messages,
        max(coalesce(newest_message_at, source_last_message_at)) AS last_message_at,
        max(newest_message_at) AS newest_message_at,
        min(least(created_at, first_message_at)) AS first_contact_at,
        coalesce(bool_or(platform = 'whatsapp'), false) AS on_whatsapp,
        coalesce(bool_or(platform = 'instagram'), false) AS on_instagram,
        coalesce(bool_or(platform = 'webchat'), false) AS on_webchat,
        json_agg(
            json_build_object(
                'conversation_id', conversation_id,
                'agent_id', agent_id,
                'agent_name', agent_name,
                'platform', platform,
                'phone_number_id', phone_number_id,
                'message_count', message_count,
                'is_active', is_active,
                'created_at', projector.format_time(created_at),
                'last_message_at', projector.format_time(coalesce(newest_message_at, source_last_message_at))
            )
            ORDER BY coalesce(newest_message_at, source_last_message_at) DESC NULLS LAST, conversation_id
        ) AS conversations
    FROM lead_conversations
    GROUP BY user_id, customer_phone
),

last_messages AS (
    SELECT DISTINCT ON (t.user_id, t.customer_phone)
        t.user_id,
        t.customer_phone,
        m.sender,
        m.text
    FROM talks AS t
    INNER JOIN lead_messages AS m
        ON m.user_id = t.user_id AND m.customer_phone = t.customer_phone AND m.sent_at = t.newest_message_at
    ORDER BY t.user_id, t.customer_phone, m.conversation_id DESC, m.sequence_no DESC NULLS FIRST, m.message_id DESC
)

SELECT
    p.user_id,
    p.customer_phone,
    l.last_message_at,
    l.first_contact_at,
    coalesce(t.total_messages, 0) AS total_messages,
    p.total_score,
    p.lead_status,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    p.has_extraction,
    p.email IS NOT NULL AS has_email,
    json_build_object(
        'customer_phone', p.customer_phone,
        'name', p.name,
        'email', p.email,
        'company', p.company,
        'lead_status', p.lead_status,
        'total_score', p.total_score,
        'intent_score', p.intent_score,
        'urgency_score', p.urgency_score,
        'budget_score', p.budget_score,
        'fit_score', p.fit_score,
        'engagement_score', p.engagement_score,
        'platforms', array_remove(
            ARRAY[
                CASE WHEN l.on_whatsapp THEN 'whatsapp' END,
                CASE WHEN l.on_instagram THEN 'instagram' END,
                CASE WHEN l.on_webchat THEN 'webchat' END
            ], NULL
        ),
        'conversation_count', coalesce(t.conversation_count, 0),
        'total_messages', coalesce(t.total_messages, 0),
        'template_sends_count', p.template_sends_count,
        'last_message_at', projector.format_time(l.last_message_at),
        'last_message_text', m.text,
        'last_message_sender', m.sender,
        'first_contact_at', projector.format_time(l.first_contact_at),
        'has_extraction', p.has_extraction,
        'extraction_id', p.extraction_id,
        'conversations', coalesce(t.conversations, '[]')
    )::text COLLATE "C" AS document,
    CASE WHEN m.sender IN ('user', 'agent') THEN m.sender END AS last_message_sender,
    t.user_id IS NOT NULL AS has_conversation,
    0::bigint AS version
FROM lead_profiles AS p
LEFT JOIN talks AS t ON t.user_id = p.user_id AND t.customer_phone = p.customer_phone
LEFT JOIN last_messages AS m ON m.user_id = p.user_id AND m.customer_phone = p.customer_phone
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN t.user_id IS NULL THEN p.last_send_at ELSE t.last_message_at END AS last_message_at,
        least(t.first_contact_at, p.first_send_at) AS first_contact_at,
        coalesce(t.on_whatsapp, false) OR p.sent_on_whatsapp AS on_whatsapp,
        coalesce(t.on_instagram, false) OR p.sent_on_instagram AS on_instagram,
        coalesce(t.on_webchat, false) OR p.sent_on_webchat AS on_webchat
) AS l
