-- Delete the conversations that these leads do not have any more.
DELETE FROM read_model.lead_conversations AS lc
USING old_conversations AS o
LEFT JOIN stage_lead_conversations AS n
    ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.conversation_id = o.conversation_id
WHERE n.user_id IS NULL
    AND lc.user_id = o.user_id
    AND lc.customer_phone = o.customer_phone
    AND lc.conversation_id = o.conversation_id;
