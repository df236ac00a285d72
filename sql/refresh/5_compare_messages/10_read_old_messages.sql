-- Read what the read model holds of the messages in question, first by lead: all of a lead that is compared fully,
-- and all of a conversation whose messages are read again, or which has moved or is gone.
--
-- on: read_model
-- carries: stale_keys stale_messages lead_invalidations source_conversations new_messages new_profiles
INSERT INTO old_messages ({columns.lead_messages})
SELECT {columns.lead_messages of m}
FROM (
    SELECT DISTINCT
        lead_invalidations.user_id,
        lead_invalidations.customer_phone
    FROM lead_invalidations
    WHERE lead_invalidations.compare_fully
) AS l
CROSS JOIN LATERAL (
    SELECT lm.*
    FROM read_model.lead_messages AS lm
    WHERE lm.user_id = l.user_id AND lm.customer_phone = l.customer_phone
    OFFSET 0
) AS m
UNION ALL
SELECT {columns.lead_messages of m}
FROM stale_keys AS s
LEFT JOIN source_conversations AS c ON c.conversation_id = s.key
LEFT JOIN lead_invalidations AS l
    ON l.compare_fully AND l.user_id = s.old_user_id AND l.customer_phone = s.old_customer_phone
CROSS JOIN LATERAL (
    SELECT lm.*
    FROM read_model.lead_messages AS lm
    WHERE lm.user_id = s.old_user_id
        AND lm.customer_phone = s.old_customer_phone
        AND lm.conversation_id = s.key
    OFFSET 0
) AS m
WHERE s.kind = 'conversation'
    AND s.old_user_id IS NOT NULL
    AND coalesce(c.reload_messages, true)
    AND l.user_id IS NULL;
