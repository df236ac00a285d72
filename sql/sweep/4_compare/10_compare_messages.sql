-- Find the leads of which a message differs from the definition.
WITH computed_messages AS NOT MATERIALIZED (
    SELECT k.user_id, k.customer_phone, m.message_id::text COLLATE "C" AS message_id, k.key AS conversation_id,
        m.sent_at, m.sequence_no, m.sender, m.status, m.text
    FROM piece_keys AS k
    CROSS JOIN LATERAL (
        SELECT d.* FROM projector.current_messages() AS d
        WHERE d.conversation_id = projector.conversation_id(k.key COLLATE "default") {fence}
    ) AS m
    WHERE k.kind = 'conversation'
),

stored_messages AS NOT MATERIALIZED ({stored.lead_messages of piece_leads})

INSERT INTO differing_leads (user_id, customer_phone)
SELECT DISTINCT
    coalesce(n.user_id, o.user_id),
    coalesce(n.customer_phone, o.customer_phone)
FROM computed_messages AS n
FULL JOIN stored_messages AS o ON o.user_id = n.user_id AND o.message_id = n.message_id
WHERE ({columns.lead_messages of o}) IS DISTINCT FROM ({columns.lead_messages of n});
