-- The conversations of the stale leads as they have to be.
--
-- Attributes: from the source where the conversation is stale, else as they were. Messages: counted where all were
-- read; else the count moves by the rows that the merge really wrote, and the first and the newest time are looked up
-- only where a row that held one went away. So a message of a long conversation costs what one of a short one does.
-- (Looked up by ORDER BY and LIMIT: for min() and max() the planner, who takes every lead for short, reads all of it.)
INSERT INTO stage_lead_conversations (
    user_id, customer_phone, conversation_id, agent_id, agent_name, platform, phone_number_id, is_active, created_at,
    source_last_message_at, message_count, first_message_at, newest_message_at
)
WITH moves AS MATERIALIZED (
    SELECT
        m.user_id,
        m.customer_phone,
        m.conversation_id,
        sum(m.added) - sum(m.removed) AS difference,
        min(m.sent_at) FILTER (WHERE m.added = 1) AS first_added,
        max(m.sent_at) FILTER (WHERE m.added = 1) AS newest_added,
        min(m.sent_at) FILTER (WHERE m.removed = 1) AS first_removed,
        max(m.sent_at) FILTER (WHERE m.removed = 1) AS newest_removed
    FROM (
        SELECT
            d.user_id,
            side.customer_phone,
            side.conversation_id,
            side.sent_at,
            side.added,
            side.removed
        FROM stage_message_changes AS d
        CROSS JOIN LATERAL (
            VALUES
            (d.customer_phone, d.conversation_id, d.sent_at, 1, 0),
            (d.old_customer_phone, d.old_conversation_id, d.old_sent_at, 0, 1)
        ) AS side (customer_phone, conversation_id, sent_at, added, removed)
        WHERE side.conversation_id IS NOT NULL
            AND (d.customer_phone, d.conversation_id, d.sent_at)
            IS DISTINCT FROM
            (d.old_customer_phone, d.old_conversation_id, d.old_sent_at)
    ) AS m
    GROUP BY m.user_id, m.customer_phone, m.conversation_id
),

counted AS MATERIALIZED (
    SELECT
        s.user_id,
        s.conversation_id,
        count(*) AS message_count,
        min(s.sent_at) AS first_message_at,
        max(s.sent_at) AS newest_message_at
    FROM stage_messages AS s
    WHERE s.resync
    GROUP BY s.user_id, s.conversation_id
),

target AS (
    SELECT
        n.user_id,
        n.customer_phone,
        n.conversation_id,
        n.agent_id,
        n.agent_name,
        n.platform,
        n.phone_number_id,
        n.is_active,
        n.created_at,
        n.source_last_message_at,
        n.resync,
        o.message_count,
        o.first_message_at,
        o.newest_message_at
    FROM stage_conversations AS n
    LEFT JOIN old_conversations AS o
        ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone AND o.conversation_id = n.conversation_id
    UNION ALL
    SELECT
        o.user_id,
        o.customer_phone,
        o.conversation_id,
        o.agent_id,
        o.agent_name,
        o.platform,
        o.phone_number_id,
        o.is_active,
        o.created_at,
        o.source_last_message_at,
        false AS resync,
        o.message_count,
        o.first_message_at,
        o.newest_message_at
    FROM old_conversations AS o
    INNER JOIN stale_leads AS l ON l.user_id = o.user_id AND l.customer_phone = o.customer_phone
    LEFT JOIN stale_conversations AS s ON s.conversation_id = o.conversation_id
    WHERE s.conversation_id IS NULL AND NOT l.whole
)

SELECT
    t.user_id,
    t.customer_phone,
    t.conversation_id,
    t.agent_id,
    t.agent_name,
    t.platform,
    t.phone_number_id,
    t.is_active,
    t.created_at,
    t.source_last_message_at,
    CASE
        WHEN t.resync THEN coalesce(c.message_count, 0)
        WHEN t.message_count IS NULL THEN (
            SELECT count(*)
            FROM read_model.lead_messages AS lm
            WHERE lm.user_id = t.user_id
                AND lm.customer_phone = t.customer_phone
                AND lm.conversation_id = t.conversation_id
        )
        ELSE t.message_count + coalesce(m.difference, 0)
    END,
    CASE
        WHEN t.resync THEN c.first_message_at
        WHEN t.message_count IS NULL OR m.first_removed <= t.first_message_at THEN (
            SELECT lm.sent_at
            FROM read_model.lead_messages AS lm
            WHERE lm.user_id = t.user_id
                AND lm.customer_phone = t.customer_phone
                AND lm.conversation_id = t.conversation_id
            ORDER BY lm.sent_at
            LIMIT 1
        )
        ELSE least(t.first_message_at, m.first_added)
    END,
    CASE
        WHEN t.resync THEN c.newest_message_at
        WHEN t.message_count IS NULL OR m.newest_removed >= t.newest_message_at THEN (
            SELECT lm.sent_at
            FROM read_model.lead_messages AS lm
            WHERE lm.user_id = t.user_id
                AND lm.customer_phone = t.customer_phone
                AND lm.conversation_id = t.conversation_id
            ORDER BY lm.sent_at DESC
            LIMIT 1
        )
        ELSE greatest(t.newest_message_at, m.newest_added)
    END
FROM target AS t
LEFT JOIN moves AS m
    ON m.user_id = t.user_id AND m.customer_phone = t.customer_phone AND m.conversation_id = t.conversation_id
LEFT JOIN counted AS c ON c.user_id = t.user_id AND c.conversation_id = t.conversation_id;
