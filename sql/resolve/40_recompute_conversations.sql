-- The stale conversations as their source rows are now.
--
-- A conversation without an agent, or with a blank customer_phone, is no lead's. One that is new to the read model,
-- or moved, brings all its messages.
INSERT INTO stage_conversations (
    user_id, customer_phone, conversation_id, agent_id, agent_name, platform, phone_number_id,
    is_active, created_at, source_last_message_at, resync
)
SELECT
    c.user_id,
    c.customer_phone,
    s.conversation_id,
    c.agent_id,
    c.agent_name,
    c.platform,
    c.phone_number_id,
    c.is_active,
    c.created_at,
    c.source_last_message_at,
    s.resync
    OR (c.user_id, c.customer_phone) IS DISTINCT FROM (s.old_user_id, s.old_customer_phone) AS resync
FROM stale_conversations AS s
CROSS JOIN LATERAL (
    SELECT
        a.user_id::text COLLATE "C" AS user_id,
        projector.canonical_phone(cv.customer_phone) COLLATE "C" AS customer_phone,
        cv.agent_id,
        a.name AS agent_name,
        p.platform,
        a.phone_number_id,
        coalesce(cv.is_active, false) AS is_active,
        projector.cut_time(coalesce(cv.created_at, 'epoch')::timestamptz) AS created_at,
        projector.cut_time(cv.last_message_at::timestamptz) AS source_last_message_at
    FROM conversations AS cv
    INNER JOIN agents AS a ON a.agent_id = cv.agent_id
    LEFT JOIN phone_numbers AS p ON p.id = a.phone_number_id
    WHERE cv.conversation_id = s.conversation_id COLLATE "default"
    OFFSET 0
) AS c
WHERE c.customer_phone IS NOT NULL AND c.user_id IN (SELECT t.user_id FROM stale_tenants AS t);
