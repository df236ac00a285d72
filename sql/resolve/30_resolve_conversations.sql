-- The lead that each stale conversation belonged to, as far as the read model knows.
WITH known AS (
    SELECT
        s.conversation_id,
        k.user_id,
        k.customer_phone
    FROM stale_conversations AS s
    CROSS JOIN LATERAL (
        SELECT
            ck.user_id,
            ck.customer_phone
        FROM projector.conversation_keys AS ck
        WHERE ck.conversation_id = s.conversation_id
        OFFSET 0
    ) AS k
)

UPDATE stale_conversations AS s
SET old_user_id = known.user_id, old_customer_phone = known.customer_phone
FROM known
WHERE known.conversation_id = s.conversation_id;
