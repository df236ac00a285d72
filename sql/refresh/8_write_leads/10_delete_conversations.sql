-- Delete the conversations that these leads do not have any more.
--
-- when: conversations_gone
-- deletes: lead_conversations by user_id, customer_phone, conversation_id
SELECT
    o.user_id,
    o.customer_phone,
    o.conversation_id
FROM old_conversations AS o
LEFT JOIN new_conversations AS n
    ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.conversation_id = o.conversation_id
WHERE n.user_id IS NULL;
