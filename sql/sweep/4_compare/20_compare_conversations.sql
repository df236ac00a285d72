-- Find the leads of which a conversation differs from the definition.
--
-- The totals come from the messages of the read model: if these differ from the source, the step before has found the
-- lead.
WITH computed_conversations AS NOT MATERIALIZED (
    SELECT k.user_id, k.customer_phone, k.key AS conversation_id, c.agent_id, c.agent_name, c.platform,
        c.phone_number_id, c.is_active, c.created_at, c.source_last_message_at
    FROM piece_keys AS k
    CROSS JOIN LATERAL (
        SELECT d.* FROM projector.current_conversations() AS d
        WHERE d.conversation_id = projector.conversation_id(k.key COLLATE "default") {fence}
    ) AS c
    WHERE k.kind = 'conversation' AND c.user_id = k.user_id AND c.customer_phone = k.customer_phone
),

stored_conversations AS NOT MATERIALIZED ({stored.lead_conversations of piece_leads}),

counted_messages AS NOT MATERIALIZED ({stored.lead_messages of piece_leads})

INSERT INTO differing_leads (user_id, customer_phone)
SELECT DISTINCT
    coalesce(n.user_id, o.user_id),
    coalesce(n.customer_phone, o.customer_phone)
FROM (
    SELECT
        c.*,
        coalesce(t.message_count, 0)::integer AS message_count,
        t.first_message_at,
        t.newest_message_at
    FROM computed_conversations AS c
    LEFT JOIN ({definition.message_totals}) AS t
        ON t.user_id = c.user_id AND t.customer_phone = c.customer_phone AND t.conversation_id = c.conversation_id
) AS n
FULL JOIN stored_conversations AS o
    ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone AND o.conversation_id = n.conversation_id
WHERE ({columns.lead_conversations of o}) IS DISTINCT FROM ({columns.lead_conversations of n});
