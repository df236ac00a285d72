-- Delete the conversations that these leads do not have any more.
--
-- when: conversations_gone
DELETE FROM read_model.lead_conversations AS stored
USING (
    SELECT
        o.user_id,
        o.customer_phone,
        o.conversation_id
    FROM old_conversations AS o
    LEFT JOIN new_conversations AS n
        ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.conversation_id = o.conversation_id
    WHERE n.user_id IS NULL
) AS doomed
WHERE stored.user_id = doomed.user_id
    AND stored.customer_phone = doomed.customer_phone
    AND stored.conversation_id = doomed.conversation_id
    {tenants};
