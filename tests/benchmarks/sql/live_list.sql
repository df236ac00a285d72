-- The first page of a tenant's leads and their number, from the source tables: what one would run without a read model.
--
-- Parameter: user_id. The messages are read once, for the newest of each conversation; everything else that is printed
-- is looked up for the 50 leads of the page alone.
WITH talks AS MATERIALIZED (
    SELECT
        projector.canonical_phone(c.customer_phone) AS customer_phone,
        array_agg(c.conversation_id) AS conversation_ids,
        max(date_trunc('milliseconds', coalesce(m.newest_message_at, c.last_message_at))) AS last_message_at
    FROM agents AS a
    INNER JOIN conversations AS c ON c.agent_id = a.agent_id
    LEFT JOIN (
        SELECT
            conversation_id,
            max(coalesce(timestamp, 'epoch')) AS newest_message_at
        FROM messages
        GROUP BY conversation_id
    ) AS m ON m.conversation_id = c.conversation_id
    WHERE a.user_id = %(user_id)s AND projector.canonical_phone(c.customer_phone) IS NOT NULL
    GROUP BY 1
),

sends AS MATERIALIZED (
    SELECT
        projector.canonical_phone(s.customer_phone) AS customer_phone,
        count(*) AS sends,
        max(date_trunc('milliseconds', coalesce(s.sent_at, s.created_at, 'epoch'))) AS last_at,
        min(date_trunc('milliseconds', coalesce(s.sent_at, s.created_at, 'epoch'))) AS first_at,
        array_agg(DISTINCT p.platform) AS platforms
    FROM templates AS t
    INNER JOIN template_sends AS s ON s.template_id = t.template_id
    LEFT JOIN phone_numbers AS p ON p.id = t.phone_number_id
    WHERE t.user_id = %(user_id)s
        AND coalesce(s.status, 'SENT') NOT IN ('PENDING', 'FAILED')
        AND projector.canonical_phone(s.customer_phone) IS NOT NULL
    GROUP BY 1
),

everyone AS MATERIALIZED (
    SELECT
        coalesce(t.customer_phone, s.customer_phone) AS customer_phone,
        t.conversation_ids,
        CASE WHEN t.customer_phone IS NULL THEN s.last_at ELSE t.last_message_at END AS last_message_at,
        s.sends,
        s.first_at,
        s.platforms
    FROM talks AS t
    FULL JOIN sends AS s ON s.customer_phone = t.customer_phone
),

page AS MATERIALIZED (
    SELECT *
    FROM everyone
    ORDER BY last_message_at DESC NULLS LAST, customer_phone COLLATE "C" DESC
    LIMIT 50
),

winning_contacts AS (
    SELECT DISTINCT ON (projector.canonical_phone(c.phone))
        projector.canonical_phone(c.phone) AS customer_phone,
        c.name,
        c.email,
        c.company
    FROM contacts AS c
    WHERE c.user_id = %(user_id)s
        AND projector.canonical_phone(c.phone) = ANY(ARRAY(SELECT customer_phone FROM page))
    ORDER BY projector.canonical_phone(c.phone), c.updated_at DESC NULLS LAST, c.contact_id COLLATE "C" DESC
)

SELECT
    (SELECT count(*) FROM everyone) AS total,
    p.customer_phone,
    coalesce(projector.blank_to_null(x.name), projector.blank_to_null(k.name)) AS name,
    coalesce(projector.blank_to_null(x.email), projector.blank_to_null(k.email)) AS email,
    coalesce(projector.blank_to_null(x.company), projector.blank_to_null(k.company)) AS company,
    projector.lead_status(x.lead_status_tag) AS lead_status,
    x.total_score,
    x.extraction_id,
    p.last_message_at,
    least(c.first_contact_at, p.first_at) AS first_contact_at,
    p.sends,
    p.platforms,
    c.total_messages,
    c.conversations,
    l.text AS last_message_text,
    l.sender AS last_message_sender
FROM page AS p
LEFT JOIN winning_contacts AS k ON k.customer_phone = p.customer_phone
LEFT JOIN LATERAL (
    SELECT *
    FROM extractions AS e
    WHERE e.conversation_id = ANY(p.conversation_ids)
    ORDER BY e.is_latest IS TRUE DESC, e.extracted_at DESC NULLS LAST, e.extraction_id DESC
    LIMIT 1
) AS x ON true
LEFT JOIN LATERAL (
    SELECT
        m.text,
        m.sender
    FROM messages AS m
    WHERE m.conversation_id = ANY(p.conversation_ids)
    ORDER BY
        date_trunc('milliseconds', coalesce(m.timestamp, 'epoch')) DESC,
        m.conversation_id COLLATE "C" DESC,
        m.sequence_no DESC NULLS FIRST,
        m.message_id COLLATE "C" DESC
    LIMIT 1
) AS l ON true
LEFT JOIN LATERAL (
    SELECT
        sum(n.message_count) AS total_messages,
        min(least(v.created_at, n.first_message_at)) AS first_contact_at,
        json_agg(
            json_build_object(
                'conversation_id', v.conversation_id, 'agent_id', v.agent_id, 'agent_name', a.name,
                'platform', n2.platform, 'message_count', n.message_count, 'is_active', v.is_active,
                'created_at', v.created_at, 'last_message_at', n.newest_message_at
            )
        ) AS conversations
    FROM conversations AS v
    INNER JOIN agents AS a ON a.agent_id = v.agent_id
    LEFT JOIN phone_numbers AS n2 ON n2.id = a.phone_number_id
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS message_count,
            min(m.timestamp) AS first_message_at,
            max(m.timestamp) AS newest_message_at
        FROM messages AS m
        WHERE m.conversation_id = v.conversation_id
    ) AS n
    WHERE v.conversation_id = ANY(p.conversation_ids)
) AS c ON true
ORDER BY p.last_message_at DESC NULLS LAST, p.customer_phone COLLATE "C" DESC
