-- Delete the conversations that these leads do not have any more.
--
-- on: read_model
-- when: conversations_gone
DELETE FROM read_model.lead_conversations
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM old_conversations AS o
    LEFT JOIN new_conversations AS n
        ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.conversation_id = o.conversation_id
    CROSS JOIN LATERAL (
        SELECT lc.ctid AS row_id
        FROM read_model.lead_conversations AS lc
        WHERE lc.user_id = o.user_id
            AND lc.customer_phone = o.customer_phone
            AND lc.conversation_id = o.conversation_id
        OFFSET 0
    ) AS r
    WHERE n.user_id IS NULL
));
