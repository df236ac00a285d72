-- A tenant's statistics from the source tables: what one would run without a read model.
--
-- Parameters: user_id, now.
WITH conversation AS MATERIALIZED (
    SELECT
        c.conversation_id,
        projector.canonical_phone(c.customer_phone) AS customer_phone,
        p.platform,
        date_trunc('milliseconds', coalesce(m.newest_message_at, c.last_message_at)) AS last_message_at
    FROM agents AS a
    INNER JOIN conversations AS c ON c.agent_id = a.agent_id
    LEFT JOIN phone_numbers AS p ON p.id = a.phone_number_id
    LEFT JOIN (
        SELECT
            conversation_id,
            max(coalesce(timestamp, 'epoch')) AS newest_message_at
        FROM messages
        GROUP BY conversation_id
    ) AS m ON m.conversation_id = c.conversation_id
    WHERE a.user_id = %(user_id)s AND projector.canonical_phone(c.customer_phone) IS NOT NULL
),

talks AS (
    SELECT
        customer_phone,
        max(last_message_at) AS last_message_at,
        bool_or(platform = 'whatsapp') AS on_whatsapp,
        bool_or(platform = 'instagram') AS on_instagram,
        bool_or(platform = 'webchat') AS on_webchat
    FROM conversation
    GROUP BY customer_phone
),

sends AS (
    SELECT
        projector.canonical_phone(s.customer_phone) AS customer_phone,
        max(date_trunc('milliseconds', coalesce(s.sent_at, s.created_at, 'epoch'))) AS last_at,
        bool_or(p.platform = 'whatsapp') AS on_whatsapp,
        bool_or(p.platform = 'instagram') AS on_instagram,
        bool_or(p.platform = 'webchat') AS on_webchat
    FROM templates AS t
    INNER JOIN template_sends AS s ON s.template_id = t.template_id
    LEFT JOIN phone_numbers AS p ON p.id = t.phone_number_id
    WHERE t.user_id = %(user_id)s
        AND coalesce(s.status, 'SENT') NOT IN ('PENDING', 'FAILED')
        AND projector.canonical_phone(s.customer_phone) IS NOT NULL
    GROUP BY 1
),

winning_extractions AS (
    SELECT DISTINCT ON (c.customer_phone)
        c.customer_phone,
        projector.lead_status(e.lead_status_tag) AS lead_status
    FROM conversation AS c
    INNER JOIN extractions AS e ON e.conversation_id = c.conversation_id
    ORDER BY c.customer_phone, e.is_latest IS TRUE DESC, e.extracted_at DESC NULLS LAST, e.extraction_id DESC
)

SELECT
    count(*) AS total_leads,
    count(e.customer_phone) AS leads_with_extraction,
    count(*) FILTER (WHERE e.lead_status = 'Hot') AS hot_leads,
    count(*) FILTER (WHERE e.lead_status = 'Warm') AS warm_leads,
    count(*) FILTER (WHERE e.lead_status = 'Cold') AS cold_leads,
    count(*) FILTER (WHERE t.on_whatsapp OR s.on_whatsapp) AS whatsapp,
    count(*) FILTER (WHERE t.on_instagram OR s.on_instagram) AS instagram,
    count(*) FILTER (WHERE t.on_webchat OR s.on_webchat) AS webchat,
    count(*) FILTER (WHERE l.last_message_at >= l.now - interval '7 days') AS leads_last_7_days,
    count(*) FILTER (WHERE l.last_message_at >= l.now - interval '30 days') AS leads_last_30_days
FROM talks AS t
FULL JOIN sends AS s ON s.customer_phone = t.customer_phone
LEFT JOIN winning_extractions AS e ON e.customer_phone = t.customer_phone
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN t.customer_phone IS NULL THEN s.last_at ELSE t.last_message_at END AS last_message_at,
        %(now)s::timestamptz AT TIME ZONE 'UTC' AS now
) AS l
