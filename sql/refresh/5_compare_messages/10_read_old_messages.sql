-- Read the stored rows of the messages, first by lead: all of a lead that is compared fully, and all of a conversation
-- whose messages are read again, or that has moved or is gone.
--
-- unless: fills
INSERT INTO old_messages ({columns.lead_messages})
SELECT {columns.lead_messages of m}
FROM (
    SELECT DISTINCT
        i.user_id,
        i.customer_phone
    FROM lead_invalidations AS i
    WHERE i.compare_fully
) AS l
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.lead_messages AS stored
    WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
    {tenants} {stored_fence}
) AS m
UNION ALL
SELECT {columns.lead_messages of m}
FROM (
    SELECT
        s.old_user_id AS user_id,
        s.old_customer_phone AS customer_phone,
        s.key AS conversation_id
    FROM stale_keys AS s
    LEFT JOIN source_conversations AS c ON c.conversation_id = s.key
    LEFT JOIN lead_invalidations AS i
        ON i.compare_fully AND i.user_id = s.old_user_id AND i.customer_phone = s.old_customer_phone
    WHERE s.kind = 'conversation'
        AND s.old_user_id IS NOT NULL
        AND coalesce(c.reload_messages, true)
        AND i.user_id IS NULL
) AS k
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.lead_messages AS stored
    WHERE stored.user_id = k.user_id
        AND stored.customer_phone = k.customer_phone
        AND stored.conversation_id = k.conversation_id
    {tenants} {stored_fence}
) AS m;
