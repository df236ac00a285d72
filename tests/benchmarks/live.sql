-- The leads of a tenant, from the source tables: what one would run without a read model.
--
-- Parameter: user_id. Less than the API prints of a lead: what orders and counts it is enough to compare with.
WITH talks AS MATERIALIZED (
    SELECT
        c.conversation_id,
        projector.canonical_phone(c.customer_phone) AS customer_phone,
        p.platform,
        date_trunc('milliseconds', coalesce(m.newest_message_at, c.last_message_at)) AS last_at
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

sends AS (
    SELECT
        projector.canonical_phone(s.customer_phone) AS customer_phone,
        p.platform,
        date_trunc('milliseconds', coalesce(s.sent_at, s.created_at, 'epoch')) AS last_at
    FROM templates AS t
    INNER JOIN template_sends AS s ON s.template_id = t.template_id
    LEFT JOIN phone_numbers AS p ON p.id = t.phone_number_id
    WHERE t.user_id = %(user_id)s
        AND coalesce(s.status, 'SENT') NOT IN ('PENDING', 'FAILED')
        AND projector.canonical_phone(s.customer_phone) IS NOT NULL
),

everyone AS MATERIALIZED (
    SELECT
        customer_phone,
        -- Where a lead talks, its sends do not count as activity.
        CASE WHEN bool_or(talks) THEN max(last_at) FILTER (WHERE talks) ELSE max(last_at) END AS last_message_at,
        bool_or(platform = 'whatsapp') AS on_whatsapp,
        bool_or(platform = 'instagram') AS on_instagram,
        bool_or(platform = 'webchat') AS on_webchat
    FROM (
        SELECT customer_phone, platform, last_at, true AS talks FROM talks
        UNION ALL
        SELECT customer_phone, platform, last_at, false AS talks FROM sends
    ) AS heard
    GROUP BY customer_phone
)
